package main

import (
	"bytes"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// chatServer starts the chat server itself.
func chatServer(t *testing.T) (url string, pid int) {
	t.Helper()
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
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		<-ended
	})
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
	return "ws://" + addr + "/ws", cmd.Process.Pid
}

// The chat scenario against the chat server itself: guests, rooms, and every message
// once to everybody in its room; and the cost of logging in and joining.
func TestChat(t *testing.T) {
	url, pid := chatServer(t)
	for _, c := range []struct{ args, want string }{
		{"chat --conns 8 --room-size 4 --rate 40 --warmup 100ms --duration 1s", "40 sent|login|nothing lost"},
		{"login --conns 8 --room-size 4 --rooms 3 --at-once 2", "2 at a time|8 in |token|in protocol|per connection made|nothing lost"},
		{"login --conns 4 --returning", "4 in |nothing lost"},
		{"idle --scenario chat-presence --conns 12 --room-size 6 --rooms 3 --hold 10ms --warmup 0s --duration 100ms", "12 of 12|join|for 3 rooms of 6|nothing lost"},
		{"storm --scenario chat --conns 20 --room-size 5 --rooms 10 --storm-every 1s --warmup 0s --duration 1s", "20 of 20|back |per connection made|nothing lost"},
	} {
		args := append(strings.Fields(c.args), "--url", url, "--pid", strconv.Itoa(pid), "--quiet")
		status, out, errs := wsbench(t, args...)
		for want := range strings.SplitSeq(c.want, "|") {
			if status != exitGood || !strings.Contains(out, want) {
				t.Errorf("%s: status %d, want %q\n%s%s", c.args, status, want, out, errs)
			}
		}
		if strings.Contains(c.args, "--returning") == strings.Contains(out, "token ") && strings.HasPrefix(c.args, "login") {
			t.Errorf("%s: the time of a token is shown for new guests, and for nobody else:\n%s", c.args, out)
		}
	}
	// Clients that talk while the others come back hear everything, and nothing from
	// those others.
	common := []string{"--url", url, "--warmup", "0s", "--duration", "1s", "--quiet"}
	args := append([]string{"chat", "--conns", "8", "--room-size", "4", "--rate", "40"}, common...)
	args = append(append(args, "+", "storm", "--scenario", "chat", "--conns", "20", "--rooms", "3", "--room-size", "5", "--storm-every", "1s"), common...)
	status, out, errs := wsbench(t, args...)
	if status != exitGood || !strings.Contains(out, "40 sent") || !strings.Contains(out, "back ") || strings.Count(out, "nothing lost") != 2 {
		t.Errorf("status %d\n%s%s", status, out, errs)
	}
}
