package terminal

import (
	"bytes"
	"io"
	"os"
	"sync"
	"unicode/utf8"

	"golang.org/x/term"
)

// Writer escapes what is written through it, except for newlines. Calls may be made
// by several goroutines; what one writes stays together.
type Writer struct {
	w     io.Writer
	plain string   // control characters that stay
	keep  [][]byte // sequences that stay
	form  func(r rune, raw string) string

	mu   sync.Mutex
	rest []byte // Guarded by mu. The beginning of a character whose end has not come.
}

// NewWriter makes a Writer to w for a person to read. The sequences in keep are let
// through.
func NewWriter(w io.Writer, keep ...string) *Writer {
	t := &Writer{w: w, plain: "\n", form: readable}
	for _, k := range keep {
		t.keep = append(t.keep, []byte(k))
	}
	return t
}

// NewFileWriter makes a Writer for files of any format that are made to hold text:
// JSON remains the same JSON, and a page or XML shows the escapes. Tabs are let
// through, too.
func NewFileWriter(w io.Writer) *Writer {
	return &Writer{w: w, plain: "\n\t", form: portable}
}

// Write writes p. It counts bytes of p as written or not, never a part of them.
func (t *Writer) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := append(t.rest, p...)
	var out []byte
	for len(in) > 0 && utf8.FullRune(in) {
		if n := t.kept(in); n > 0 {
			out, in = append(out, in[:n]...), in[n:]
			continue
		}
		r, size := utf8.DecodeRune(in)
		if unsafe(r, size) && bytes.IndexByte([]byte(t.plain), in[0]) < 0 {
			out = append(out, t.form(r, string(in[:size]))...)
		} else {
			out = append(out, in[:size]...)
		}
		in = in[size:]
	}
	t.rest = bytes.Clone(in)
	if len(out) == 0 {
		return len(p), nil
	}
	if _, err := t.w.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// kept is the length of the sequence at the beginning of p, if it must be kept.
func (t *Writer) kept(p []byte) int {
	for _, k := range t.keep {
		if bytes.HasPrefix(p, k) {
			return len(k)
		}
	}
	return 0
}

// Unwrap is the stream below w, for what the program itself does to a terminal.
func Unwrap(w io.Writer) io.Writer {
	if t, ok := w.(*Writer); ok {
		return t.w
	}
	return w
}

// Is reports whether a stream, or the one below a Writer, is a terminal.
func Is(stream any) bool {
	if w, ok := stream.(io.Writer); ok {
		stream = Unwrap(w)
	}
	if s, ok := stream.(interface{ File() *os.File }); ok {
		stream = s.File()
	}
	f, ok := stream.(*os.File)
	return ok && f != nil && term.IsTerminal(int(f.Fd()))
}
