package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
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

// On a terminal nothing that a peer sends reaches it unescaped.
func TestTerminal(t *testing.T) {
	url := script(t, func(p *peer) {
		p.frame(0x81, "hi \x1b]0;title\x07\nthere")
		p.frame(0x82, "\x1b[2J")
		p.frame(0x88, "\x0f\xa1bye\x1b[2J")
		p.finish()
	})
	shown, slave := openTerminal(t)
	status := run(t.Context(), []string{url}, blocked(t), slave, slave)
	slave.Close()
	got := <-shown
	want := strings.ReplaceAll(`wscat: connected
hi \x1b]0;title\a\nthere
00000000  1b 5b 32 4a                                       |.[2J|
wscat: closed by the other side with 4001, reason "bye\x1b[2J"
`, "\n", "\r\n")
	if status != exitClosed || got != want {
		t.Errorf("status %d, the terminal shows %q; want 3 and %q", status, got, want)
	}
}

// openTerminal makes a pseudo-terminal. What is written to slave comes out of
// shown when slave is closed.
func openTerminal(t *testing.T) (shown <-chan string, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	text := make(chan string, 1)
	go func() {
		defer master.Close()
		b, _ := io.ReadAll(master) // it ends with EIO
		text <- string(b)
	}()
	return text, slave
}

// blocked is an input that says nothing until the test is over.
func blocked(t testing.TB) io.Reader {
	r, w := io.Pipe()
	t.Cleanup(func() { w.Close() })
	return r
}
