package trial

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test program is a server where a candidate starts it.
func TestMain(m *testing.M) {
	if port := os.Getenv("SERVE_FOR_TEST"); port != "" {
		ln, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			panic(err)
		}
		for {
			nc, err := ln.Accept()
			if err != nil {
				panic(err)
			}
			nc.Close()
		}
	}
	os.Exit(m.Run())
}

// launch starts a candidate whose command may call the server "$SELF", given a
// variable with the port, and name files in "$DIR".
func launch(t *testing.T, command string) (s *started, dir string, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	t.Setenv("SELF", self)
	t.Setenv("DIR", dir)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err = Candidate{Name: "one", Command: command, URL: "ws://127.0.0.1:{port}/"}.start(ctx, nil)
	return s, dir, err
}

// ended waits for the end of a process that wrote its id to a file.
func ended(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(b), ") Z ") {
			return
		}
	}
	t.Errorf("process %d of %s goes on", pid, filepath.Base(path))
}

// A command may be any of the shell's; the server's processes are all that it
// started, and all end.
func TestServerIsAGroup(t *testing.T) {
	s, dir, err := launch(t, `cd / && sleep 60 & echo $! > "$DIR/child"; SERVE_FOR_TEST={port} "$SELF" || exit 1`)
	if err != nil {
		t.Fatal(err)
	}
	pids, err := s.processes()
	if len(pids) < 3 || pids[0] == 0 || err != nil { // the shell, its child, and the server
		t.Errorf("processes %v, %v", pids, err)
	}
	s.stop()
	ended(t, filepath.Join(dir, "child"))
	if pids, err := s.processes(); len(pids) != 0 || err != nil {
		t.Errorf("processes %v are left, %v", pids, err)
	}
}

// Nor does a server that ends at once leave anything.
func TestServerEndsAtOnce(t *testing.T) {
	_, dir, err := launch(t, `sleep 60 & echo $! > "$DIR/child"; echo wrong; exit 1 # {port}`)
	if err == nil || !strings.Contains(err.Error(), "ended at once: wrong") {
		t.Errorf("%v", err)
	}
	ended(t, filepath.Join(dir, "child"))
}

// A process that has left the group is not waited for, though it holds the
// server's output.
func TestServerLeavesAnother(t *testing.T) {
	s, dir, err := launch(t, `setsid sh -c 'echo $$ > "$DIR/other"; exec sleep 60' & while ! test -s "$DIR/other"; do sleep 0.01; done; SERVE_FOR_TEST={port} exec "$SELF"`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.stop()
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Error("the other process is waited for")
	}
	if b, err := os.ReadFile(filepath.Join(dir, "other")); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
