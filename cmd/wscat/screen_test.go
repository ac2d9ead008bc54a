package main

import (
	"io"
	"testing"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain, 日本 é \u00a0":     "plain, 日本 é \u00a0",
		"a\x1b[2Jb":              `a\x1b[2Jb`,
		"a\r\n\tb\x00\x7f":       `a\r\n\tb\x00\x7f`,
		"\u009b2J":               `\u009b2J`,
		"\u202egnp.exe":          `\u202egnp.exe`,
		"a\u2028b\ufeff":         `a\u2028b\ufeff`,
		"bad \xff\xc3 \ufffd":    `bad \xff\xc3 ` + "\ufffd",
		"👩\u200d🚀 می\u200cخواهم": "👩\u200d🚀 می\u200cخواهم",
		`C:\n"'`:                 `C:\n"'`,
	} {
		if got := printable(in); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
}

// blocked is an input that says nothing until the test is over.
func blocked(t testing.TB) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	return r
}
