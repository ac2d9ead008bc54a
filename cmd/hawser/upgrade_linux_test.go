package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/bolt"
	"github.com/hawser-ws/hawser/frame"
)

// Clients that talk in rooms notice nothing of upgrades, one after the other: by the command, and by
// the signal. A message whose bytes come to three processes is one message.
func TestUpgrade(t *testing.T) {
	r := launchReplaced(t, append([]string{"--admin-listen", "127.0.0.1:0", "--deflate"}, unlimited...)...)
	const clients, rooms = 12, 3
	stop, failed := make(chan struct{}), make(chan error, clients)
	var talkers []*talker
	for i := range clients {
		k, _, err := newTalker(r.service, fmt.Sprint("Talker ", i), fmt.Sprint("room", i%rooms), "system")
		if err != nil {
			t.Fatal(err)
		}
		talkers = append(talkers, k)
		go func() { failed <- k.talk(stop) }()
	}
	half, _, err := newTalker(r.service, "Half", "half")
	if err != nil {
		t.Fatal(err)
	}
	wire, err := half.c.proto.AppendMessage(nil, frame.Text, []byte(`{"type":"group","receiver_id":"half","content":"whole","ref":"h"}`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		for _, k := range talkers { // all are in the middle of talking
			for before := k.acks.Load(); k.acks.Load() < before+2; time.Sleep(time.Millisecond) {
				select {
				case err := <-failed:
					t.Fatal(err)
				default:
				}
			}
		}
		if err := half.c.write(wire[i*8 : i*8+8]); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			out := r.upgrade(clients + 1)
			if want := fmt.Sprintf("process %d serves now. %d connections moved", r.pid, clients+1); !strings.Contains(out, want) {
				t.Errorf("%q; want %q", out, want)
			}
		} else if line := r.signal(clients + 1); !strings.Contains(line, " pause=") || !strings.Contains(line, " of_it.connections=") {
			t.Errorf("the log does not say what the pause consisted of: %q", line)
		}
	}
	if err := half.c.write(wire[32:]); err != nil {
		t.Fatal(err)
	}
	if ack, err := half.c.until("ack"); err != nil || ack.text("ref") != "h" {
		t.Errorf("the message in pieces: %v, %v", ack, err)
	}
	close(stop)
	for range clients {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	if fresh, _, err := newTalker(r.service, "Fresh", "room0"); err != nil || fresh.say() != nil {
		t.Errorf("a new client: %v", err)
	}
	r.assertWhole()
}

// assertWhole ends the server in the ordinary way, and checks its store.
func (r *replaced) assertWhole() {
	r.t.Helper()
	syscall.Kill(r.pid, syscall.SIGTERM)
	for range r.lines {
	}
	if out, err := exec.Command(program, "check", "--data", r.data).CombinedOutput(); err != nil {
		r.t.Errorf("hawser check: %v\n%s", err, out)
	}
	if left, _ := filepath.Glob(filepath.Join(r.data, "*.sock")); left != nil {
		r.t.Errorf("%v are left behind", left)
	}
}

// Log-ins, sessions, presence, listeners and the control socket are in the new process what they were.
func TestUpgradeKeeps(t *testing.T) {
	admin := "unix:" + filepath.Join(t.TempDir(), "admin.sock")
	r := launchReplaced(t, append([]string{"--admin-listen", admin}, unlimited...)...)
	ada, ok, err := newTalker(r.service, "Ada", "lobby", "presence")
	if err != nil {
		t.Fatal(err)
	}
	bob, _, err := newTalker(r.service, "Bob", "lobby")
	if err != nil {
		t.Fatal(err)
	}
	for name := ""; name != "Bob"; {
		o, err := ada.c.until("system")
		if err != nil {
			t.Fatal(err)
		}
		name = o.text("name")
	}
	for range 2 {
		r.upgrade(2)
	}
	if err := bob.say(); err != nil {
		t.Fatal(err)
	}
	if o, err := ada.next(); err != nil || o.text("type") != "group" { // and no presence event before it
		t.Errorf("%v, %v", o, err)
	}
	ada.c.send(object{"type": "presence", "receiver_id": "lobby"})
	if o, err := ada.c.until("presence"); err != nil || len(o["users"].([]any)) != 2 {
		t.Errorf("%v, %v", o, err)
	}
	ada.c.send(object{"type": "sessions"})
	if o, err := ada.c.until("sessions"); err != nil || o["sessions"].([]any)[0].(map[string]any)["connections"] != 1.0 {
		t.Errorf("%v, %v", o, err)
	}
	bob.c.nc.Close()
	if o, err := ada.c.until("system"); err != nil || o.text("event") != "left" || o.text("name") != "Bob" {
		t.Errorf("%v, %v", o, err)
	}
	ada.c.nc.Close()
	again, err := dialChat(r.ws("/ws"))
	if err != nil {
		t.Fatal(err)
	}
	again.send(object{"type": "auth", "session_id": ok.text("session_id"), "resume_key": ok.text("resume_key")})
	if o, err := again.until("auth_ok"); err != nil || o["resumed"] != true {
		t.Errorf("%v, %v", o, err)
	}
	backup := filepath.Join(t.TempDir(), "backup")
	if out, err := exec.Command(program, "backup", backup, "--data", r.data).CombinedOutput(); err != nil || !strings.Contains(string(out), "from the running server") {
		t.Errorf("hawser backup: %v\n%s", err, out)
	}
	if _, err := os.Stat(strings.TrimPrefix(admin, "unix:")); err != nil {
		t.Error(err)
	}
	r.assertWhole()
}

// A new version that does not work is reported, and the old one goes on, with the store locked.
func TestUpgradeFails(t *testing.T) {
	r := launchReplaced(t, unlimited...)
	k, _, err := newTalker(r.service, "Ada", "lobby")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ script, says string }{
		{"#!/bin/sh\nexit 3\n", "exit status 3"},
		{"#!/no/such/interpreter", "no such file"},
		{"#!/bin/sh\nexec 3>&-\n", "the new process ended"},
		{"#!/bin/sh\nexec " + program + " serve --listen=nonsense\n", "exit status 2"},
		{"#!/bin/sh\nexec " + program + " serve --data " + t.TempDir() + "\n", "is not the file that the other process has open"},
	} {
		r.installText([]byte(c.script))
		out, err := exec.Command(program, "upgrade", "--data", r.data).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "the old server goes on: ") || !strings.Contains(string(out), c.says) {
			t.Errorf("%q: %v, %q; want %q", c.script, err, out, c.says)
		}
		if line := r.line("upgrade failed; this process goes on"); !strings.Contains(line, c.says) {
			t.Errorf("%q: the log says %q", c.script, line)
		}
		if err := k.say(); err != nil {
			t.Errorf("%q: %v", c.script, err)
		}
		if unlock, err := bolt.Lock(r.data); err == nil {
			unlock()
			t.Errorf("%q: the store is not locked", c.script)
		}
	}
	r.install(program)
	r.upgrade(1)
	if err := k.say(); err != nil {
		t.Error(err)
	}
	r.assertWhole()
}

// There has to be a server, and one with a data folder, or the command does not find it.
func TestUpgradeNothing(t *testing.T) {
	out, err := exec.Command(program, "upgrade", "--data", t.TempDir()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no server runs on") {
		t.Errorf("%v, %q", err, out)
	}
	t.Setenv("HAWSER_REDIS", "redis://127.0.0.1")
	t.Setenv("HAWSER_TOKEN_KEY_FILE", "key")
	out, err = exec.Command(program, "upgrade").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "send SIGUSR2 to its process") {
		t.Errorf("%v, %q", err, out)
	}
}

// A service manager is told the new process, and the old one ends only when the manager knows.
func TestUpgradeTellsManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify.sock")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	told := func() (state string, fds []int) {
		t.Helper()
		b, oob := make([]byte, 4096), make([]byte, 64)
		manager.SetReadDeadline(time.Now().Add(patience))
		n, oobn, _, _, err := manager.ReadMsgUnix(b, oob)
		if err != nil {
			t.Fatal(err)
		}
		if messages, err := syscall.ParseSocketControlMessage(oob[:oobn]); err == nil {
			for _, m := range messages {
				fds, _ = syscall.ParseUnixRights(&m)
			}
		}
		return string(b[:n]), fds
	}
	t.Setenv("NOTIFY_SOCKET", path)
	r := launchReplaced(t, unlimited...)
	ended := make(chan struct{})
	go func() {
		r.cmd.Wait()
		close(ended)
	}()
	if state, _ := told(); state != fmt.Sprintf("READY=1\nMAINPID=%d", r.pid) {
		t.Errorf("first %q", state)
	}
	syscall.Kill(r.pid, syscall.SIGUSR2)
	r.serves(0)
	all := make(map[string]bool)
	var barrier []int
	for range 3 { // two processes speak
		state, fds := told()
		all[state] = true
		barrier = append(barrier, fds...)
	}
	for _, state := range []string{fmt.Sprintf("MAINPID=%d", r.pid), fmt.Sprintf("READY=1\nMAINPID=%d", r.pid), "BARRIER=1"} {
		if !all[state] {
			t.Errorf("%q was not said: %v", state, all)
		}
	}
	select {
	case <-ended:
		t.Error("the old process has ended before the manager knows")
	default:
	}
	for _, fd := range barrier {
		syscall.Close(fd)
	}
	<-ended
	syscall.Kill(r.pid, syscall.SIGTERM)
	if state, _ := told(); state != "STOPPING=1" {
		t.Errorf("last %q", state)
	}
}
