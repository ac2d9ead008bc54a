package main

import (
	"bytes"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
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
	// The thread that starts it must not end before it does.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	}()
	for deadline := time.Now().Add(30 * time.Second); ; {
		if nc, err := net.Dial("tcp", addr); err == nil {
			nc.Close()
			break
		}
		select {
		case <-ended:
			t.Fatalf("hawser ended with %v: %s", cmd.ProcessState, &said)
		case <-time.After(10 * time.Millisecond): // it does not listen yet
		}
		if time.Now().After(deadline) {
			t.Fatal("hawser does not listen")
		}
	}
	status, out, errs := wsbench(t, "chat", "--url", "ws://"+addr+"/ws", "--conns", "8", "--room-size", "4", "--rate", "40", "--warmup", "100ms", "--duration", "1s", "--quiet")
	if status != exitGood || !strings.Contains(out, "40 sent") || !strings.Contains(out, "login") || !strings.Contains(out, "nothing lost") {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
