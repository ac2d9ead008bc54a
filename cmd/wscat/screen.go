package main

import (
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/hawser-ws/hawser/frame"
)

// screen is where messages and notices are shown. It may be used by several
// goroutines; what one call shows stays together.
type screen struct {
	terminal bool // out is one. Immutable.

	// Guarded by mu.
	mu       sync.Mutex
	out, err io.Writer
	failed   error // the first failure to write to out
}

func newScreen(out, err io.Writer) *screen {
	return &screen{terminal: isTerminal(out), out: out, err: err}
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// message shows a message: a text on a line of its own, binary as it is. On a
// terminal a text takes exactly one line, and binary is dumped.
func (s *screen) message(op frame.Opcode, p []byte) error {
	switch {
	case op == frame.Binary && s.terminal:
		return s.write([]byte(hex.Dump(p)))
	case op == frame.Binary:
		return s.write(p)
	case s.terminal:
		return s.write([]byte(printable(string(p)) + "\n"))
	}
	return s.write(append(p[:len(p):len(p)], '\n'))
}

// write writes to standard output. After a failure nothing more is written.
func (s *screen) write(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil && len(p) > 0 {
		if _, err := s.out.Write(p); err != nil {
			s.failed = fmt.Errorf("standard output: %w", err)
		}
	}
	return s.failed
}

// failure is why standard output could not be written, or nil.
func (s *screen) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// notice tells the user something, on one line. Whatever a peer or a file put
// into it is escaped.
func (s *screen) notice(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(s.err, "wscat:", printable(fmt.Sprintf(format, args...)))
}

// printable returns s with everything escaped that moves a terminal's cursor,
// changes its state or reorders what stands on it: control and formatting
// characters, and bytes that are not UTF-8.
func printable(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case isUnsafe(r):
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteString(s[:size])
		}
		s = s[size:]
	}
	return b.String()
}

// isUnsafe reports whether r is escaped on a terminal. The two joiners, without
// which emoji and Persian fall apart, are harmless.
func isUnsafe(r rune) bool {
	const nonJoiner, joiner = '\u200c', '\u200d'
	return !unicode.IsGraphic(r) && r != nonJoiner && r != joiner
}
