package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

// S06 for those who look after the server: while nothing can be stored /readyz says
// so, in words, and it is over when there is room again, though nobody writes.
func TestReadyzDiskFull(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0")
	token, _ := s.guest("Ada")
	c, _, err := enter(s.ws("/ws"), token, "ack")
	if err != nil {
		t.Fatal(err)
	}
	limit := func(n uint64) {
		t.Helper()
		if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: n, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Fatal(err)
		}
	}
	limit(4096)
	c.send(object{"type": "group", "receiver_id": "r", "content": "no room", "ref": "1"})
	if o, err := c.until("error"); err != nil || o.number("code") != 503 {
		t.Fatalf("%v, %v; want 503", o, err)
	}
	for range 3 {
		if status, body := get(t, s.url+"/readyz"); status != 503 || body != "the disk is full\n" {
			t.Errorf("/readyz: %d %q; want 503 and words", status, body)
		}
	}
	if status, _ := get(t, s.url+"/healthz"); status != 200 {
		t.Errorf("/healthz: %d", status)
	}
	waitForLog(t, s, "chat.db") // of which strangers are not told
	limit(unix.RLIM_INFINITY)
	wait(t, func() bool { status, _ := get(t, s.url+"/readyz"); return status == 200 })
	c.send(object{"type": "group", "receiver_id": "r", "content": "room again", "ref": "2"})
	if _, err := c.until("ack"); err != nil {
		t.Error(err)
	}
}
