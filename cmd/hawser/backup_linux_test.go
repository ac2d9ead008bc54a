package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/bolt"
)

// A disk that gets full in the middle leaves no half backup, and no half store.
func TestBackupToAFullDisk(t *testing.T) {
	dir, token := chatFolder(t)
	good := filepath.Join(t.TempDir(), "good")
	succeed(t, "backup", good, "--data", dir)
	target := t.TempDir()
	full := func(args ...string) (int, string) {
		return finish(t, exec.Command("sh", append([]string{"-c", `ulimit -f 16; exec "$@"`, "sh", program}, args...)...))
	}
	if status, out := full("backup", filepath.Join(target, "b"), "--data", dir); status != 1 || !strings.Contains(out, "was not made") || !strings.Contains(out, "file too large") {
		t.Errorf("backup: status %d: %s", status, out)
	}
	if status, out := full("restore", good, "--force", "--data", dir); status != 1 || !strings.Contains(out, "is unchanged") {
		t.Errorf("restore: status %d: %s", status, out)
	}
	for _, d := range []string{target, dir} {
		if left, _ := filepath.Glob(filepath.Join(d, "*[.-]*-*")); left != nil {
			t.Errorf("left behind: %q", left)
		}
	}
	if left, _ := os.ReadDir(target); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	checkFolder(t, dir, token)
}

// A client that asks for a backup and does not read it holds no stop.
func TestStopDuringABackup(t *testing.T) {
	dir, _ := chatFolder(t)
	store, err := bolt.Open(dir, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	// More than the socket's buffers take.
	long := &chat.Message{Sender: "u_ada", SenderName: "Ada", Timestamp: "1", Content: strings.Repeat("x", 8<<20), Metadata: []byte("{}")}
	store.Append(t.Context(), []chat.Entry{{Conversation: chat.RoomConversation("long"), Message: long}}, func(_ int, r chat.Result) { err = r.Err })
	if err := errors.Join(err, store.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	s := launch(t, dir, "127.0.0.1:0")
	nc, err := net.Dial("unix", filepath.Join(dir, "control.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Write([]byte("GET /backup HTTP/1.1\r\nHost: hawser\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := nc.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if status := s.stop(); status != 0 {
		t.Errorf("status %d: %s", status, s.log)
	}
	if !strings.Contains(s.log.String(), "a backup was broken off") {
		t.Errorf("the log:\n%s", s.log)
	}
}
