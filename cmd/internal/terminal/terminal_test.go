package terminal

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

var escapes = map[string]string{
	"plain, 日本 é \u00a0":     "plain, 日本 é \u00a0",
	"a\x1b[2Jb":              `a\x1b[2Jb`,
	"a\r\n\tb\x00\x7f":       `a\r\n\tb\x00\x7f`,
	"\u009b2J":               `\u009b2J`,
	"\u202egnp.exe":          `\u202egnp.exe`,
	"a\u2028b\ufeff":         `a\u2028b\ufeff`,
	"\U000e0041":             `\U000e0041`,
	"bad \xff\xc3 \ufffd":    `bad \xff\xc3 ` + "\ufffd",
	"\x9b2J\xc2":             `\x9b2J\xc2`,
	"👩\u200d🚀 می\u200cخواهم": "👩\u200d🚀 می\u200cخواهم",
	`C:\n"'`:                 `C:\n"'`,
}

func TestEscape(t *testing.T) {
	for in, want := range escapes {
		if got := Escape(in); got != want {
			t.Errorf("Escape(%q) = %q, want %q", in, got, want)
		}
	}
}

// A Writer says the same, but for newlines, wherever the text is cut.
func TestWriter(t *testing.T) {
	for in, want := range escapes {
		if in == "a\r\n\tb\x00\x7f" {
			want = "a\\r\n" + `\tb\x00\x7f`
		}
		for cut := range len(in) + 1 {
			var b bytes.Buffer
			w := NewWriter(&b)
			w.Write([]byte(in[:cut]))
			if n, err := w.Write([]byte(in[cut:])); n != len(in)-cut || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			w.Write([]byte("\n")) // as every line has
			if got := b.String(); got != want+"\n" {
				t.Errorf("%q, cut at %d: %q, want %q", in, cut, got, want)
			}
		}
	}
}

func TestKeep(t *testing.T) {
	var b bytes.Buffer
	w := NewWriter(&b, "\x1b[1m", "\x1b[0m")
	w.Write([]byte("\x1b[1mbold\x1b[0m \x1b[2J\x1b[1;31m"))
	if got, want := b.String(), "\x1b[1mbold\x1b[0m "+`\x1b[2J\x1b[1;31m`; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// JSON says the same after it as before.
func TestFileWriter(t *testing.T) {
	for in := range escapes {
		raw, err := json.MarshalIndent(map[string]string{"text": in}, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		NewFileWriter(&b).Write(raw)
		if Escape(b.String()) != Escape(string(bytes.ReplaceAll(b.Bytes(), []byte("\x1b"), nil))) {
			t.Errorf("%q", &b)
		}
		var before, after map[string]string
		if json.Unmarshal(raw, &before) != nil || json.Unmarshal(b.Bytes(), &after) != nil || before["text"] != after["text"] {
			t.Errorf("%q became %q", raw, &b)
		}
		for _, r := range b.String() {
			if r != '\n' && r != '\t' && unsafe(r, 2) {
				t.Errorf("%q holds %U", &b, r)
			}
		}
	}
}

func TestIs(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, s := range []any{null, NewWriter(null), &bytes.Buffer{}, nil, (*os.File)(nil)} {
		if Is(s) {
			t.Errorf("%T is taken for a terminal", s)
		}
	}
}
