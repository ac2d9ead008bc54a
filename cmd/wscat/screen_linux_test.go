package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

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
