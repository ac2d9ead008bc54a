package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/logtest"
)

// replaced is a server that replaces itself.
type replaced struct {
	*service
	path  string // of its binary
	data  string
	pid   int          // of the process that serves, as far as the test knows
	last  atomic.Int64 // the process that said last that it serves
	lines chan string  // of the output of all processes
}

// launchReplaced starts a copy of the program, which may be replaced.
func launchReplaced(t testing.TB, args ...string) *replaced {
	t.Helper()
	return launchReplacedIn(t, t.TempDir(), args...)
}

// launchReplacedIn is launchReplaced with a folder for the binary and the data.
func launchReplacedIn(t testing.TB, dir string, args ...string) *replaced {
	t.Helper()
	r := &replaced{path: filepath.Join(dir, "hawser"), data: filepath.Join(dir, "data"), lines: make(chan string, 10_000)}
	r.service = &service{t: t, http: http.DefaultClient, log: &logtest.Buffer{}, dead: make(chan struct{})}
	r.install(program)
	out, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.cmd = exec.Command(r.path, append([]string{"serve", "--listen", "127.0.0.1:0", "--data", r.data}, args...)...)
	r.cmd.Stdout, r.cmd.Stderr = w, w
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r.pid = r.cmd.Process.Pid
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			fmt.Fprintln(r.log, s.Text())
			var pid int64
			if n, _ := fmt.Sscanf(s.Text(), "hawser: process %d serves now", &pid); n == 1 {
				r.last.Store(pid)
			}
			r.lines <- s.Text()
		}
		close(r.lines)
	}()
	t.Cleanup(func() {
		syscall.Kill(r.pid, syscall.SIGKILL)
		if pid := r.last.Load(); pid != 0 {
			syscall.Kill(int(pid), syscall.SIGKILL)
		}
		r.cmd.Wait()
		for range r.lines { // until the last process has ended
		}
		if t.Failed() {
			t.Log(r.log)
		}
	})
	_, rest, ok := strings.Cut(r.line("chat at "), "chat at ")
	r.url, _, _ = strings.Cut(rest, "/ ")
	if !ok {
		t.Fatal("it does not say where it listens")
	}
	return r
}

// install puts a binary at the program's path, as a package manager does.
func (r *replaced) install(from string) {
	r.t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		r.t.Fatal(err)
	}
	r.installText(b)
}

func (r *replaced) installText(b []byte) {
	r.t.Helper()
	if err := os.WriteFile(r.path+".new", b, 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(r.path+".new", r.path); err != nil {
		r.t.Fatal(err)
	}
}

// line returns the next line of output that contains a text.
func (r *replaced) line(with string) string {
	r.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, ok := <-r.lines:
			if !ok {
				r.t.Fatalf("it ended without saying %q", with)
			}
			if strings.Contains(line, with) {
				return line
			}
		case <-timeout:
			r.t.Fatalf("it does not say %q", with)
		}
	}
}

// signal has the server replaced, and returns what the old process says of that.
func (r *replaced) signal(connections int) (upgraded string) {
	r.t.Helper()
	upgraded, err := r.trySignal(connections)
	if err != "" {
		r.t.Fatal(err)
	}
	return upgraded
}

// trySignal is signal, or returns why the old process goes on. Either process may be the first to say something.
func (r *replaced) trySignal(connections int) (upgraded, refused string) {
	r.t.Helper()
	syscall.Kill(r.pid, syscall.SIGUSR2)
	serves := ""
	for upgraded == "" || serves == "" {
		line := r.line("")
		switch {
		case strings.Contains(line, "upgrade failed; this process goes on"):
			return "", line
		case strings.Contains(line, "upgraded: another process serves now"):
			upgraded = line
		case strings.Contains(line, "serves now, with"):
			serves = line
		}
	}
	r.moved(serves, connections)
	return upgraded, ""
}

// serves waits until another process serves, and checks how many connections have moved. -1 is any number.
func (r *replaced) serves(connections int) {
	r.t.Helper()
	r.moved(r.line("serves now, with"), connections)
}

// moved checks what the new process says.
func (r *replaced) moved(line string, connections int) {
	r.t.Helper()
	before := r.pid
	n := 0
	if _, err := fmt.Sscanf(line, "hawser: process %d serves now, with %d connections", &r.pid, &n); err != nil || r.pid == before || connections >= 0 && n != connections {
		r.t.Fatalf("%q, after process %d; want %d connections", line, before, connections)
	}
}

// upgrade replaces the server with "hawser upgrade", and returns what that says.
func (r *replaced) upgrade(connections int) string {
	r.t.Helper()
	out, err := exec.Command(program, "upgrade", "--data", r.data).CombinedOutput()
	if err != nil {
		r.t.Fatalf("hawser upgrade: %v\n%s", err, out)
	}
	r.serves(connections)
	return string(out)
}

// talker is a client in a room that says something all the time, and checks all that it is sent: no message
// of the room is missing, comes twice, or in another order, and each of its own is acknowledged, in order.
type talker struct {
	c    *chatClient
	room string
	seq  uint64 // of the last message
	said int
	acks atomic.Int64
}

// newTalker enters a room.
func newTalker(r *service, name, room string, features ...string) (*talker, object, error) {
	token, _ := r.guest(name)
	c, ok, err := enter(r.ws("/ws"), token, features...)
	if err != nil {
		return nil, nil, err
	}
	c.send(object{"type": "join", "receiver_id": room, "ref": "join"})
	ack, err := c.until("ack")
	if err != nil {
		return nil, nil, err
	}
	return &talker{c: c, room: room, seq: ack.number("seq")}, ok, nil
}

// say says something and waits until that is acknowledged.
func (k *talker) say() error {
	k.said++
	ref := fmt.Sprint("r", k.said)
	if err := k.c.send(object{"type": "group", "receiver_id": k.room, "content": ref, "ref": ref}); err != nil {
		return err
	}
	for {
		o, err := k.next()
		switch {
		case err != nil:
			return err
		case o.text("type") == "ack" && o.text("ref") == ref && o["duplicate"] == nil:
			k.acks.Add(1)
			return nil
		case o.text("type") == "ack" || o.text("type") == "error":
			return fmt.Errorf("%s is answered by %v", ref, o)
		}
	}
}

// next reads a message, and checks it if it is one of the room.
func (k *talker) next() (object, error) {
	o, err := k.c.next()
	if err != nil {
		return nil, err
	}
	if o.text("type") == "group" {
		if seq := o.number("seq"); seq != k.seq+1 {
			return nil, fmt.Errorf("message %d comes after %d", seq, k.seq)
		}
		k.seq++
	}
	return o, nil
}

// talk says something until stop is closed.
func (k *talker) talk(stop <-chan struct{}) error {
	for {
		select {
		case <-stop:
			return nil
		default:
		}
		if err := k.say(); err != nil {
			return err
		}
	}
}
