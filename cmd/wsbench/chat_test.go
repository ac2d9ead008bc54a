package main

import (
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The chat scenario against the chat server itself: guests, rooms, and every
// message once to everybody in its room.
func TestChat(t *testing.T) {
	hawser := filepath.Join(t.TempDir(), "hawser")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", hawser, "../hawser").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	cmd := exec.Command(hawser, "serve", "--listen", addr, "--data", t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}()
	for {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			break
		}
		time.Sleep(10 * time.Millisecond) // it does not listen yet
	}
	status, out, errs := wsbench(t, "chat", "--url", "ws://"+addr+"/ws", "--conns", "8", "--room-size", "4", "--rate", "40", "--warmup", "100ms", "--duration", "1s", "--quiet")
	if status != exitGood || !strings.Contains(out, "40 sent") || !strings.Contains(out, "login") || !strings.Contains(out, "nothing lost") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
