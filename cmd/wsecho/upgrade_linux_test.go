package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// upgraded is a program that replaces itself.
type upgraded struct {
	t     *testing.T
	path  string // of its binary
	url   string
	pid   int
	lines chan string // of its output, and of all that follow it
}

// launchUpgraded starts a copy of the program, which may be replaced.
func launchUpgraded(t *testing.T, args ...string) *upgraded {
	t.Helper()
	u := &upgraded{t: t, path: filepath.Join(t.TempDir(), "wsecho"), lines: make(chan string, 100)}
	u.install(program)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(u.path, append([]string{"--listen", "127.0.0.1:0"}, args...)...)
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	u.pid = cmd.Process.Pid
	go func() {
		for s := bufio.NewScanner(r); s.Scan(); {
			u.lines <- s.Text()
		}
		close(u.lines)
	}()
	t.Cleanup(func() {
		syscall.Kill(u.pid, syscall.SIGKILL)
		cmd.Wait()
		for line := range u.lines { // until the last process has ended
			t.Log(line)
		}
	})
	_, rest, ok := strings.Cut(u.line("echo on "), "echo on ")
	u.url, _, _ = strings.Cut(rest, ", ")
	if !ok {
		t.Fatal("it does not say where it listens")
	}
	return u
}

// install puts a binary at the program's path, as a package manager does.
func (u *upgraded) install(from string) {
	u.t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(u.path+".new", b, 0o755); err != nil {
		u.t.Fatal(err)
	}
	if err := os.Rename(u.path+".new", u.path); err != nil {
		u.t.Fatal(err)
	}
}

// line returns the next line of output that contains a text.
func (u *upgraded) line(with string) string {
	u.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, ok := <-u.lines:
			if !ok {
				u.t.Fatalf("it ended without saying %q", with)
			}
			if strings.Contains(line, with) {
				return line
			}
			u.t.Log(line)
		case <-timeout:
			u.t.Fatalf("it does not say %q", with)
		}
	}
}

// upgrade replaces the program, and checks how many connections have moved.
func (u *upgraded) upgrade(connections int) {
	u.t.Helper()
	before := u.pid
	syscall.Kill(u.pid, syscall.SIGUSR2)
	line := u.line("serves now, with")
	n := 0
	if _, err := fmt.Sscanf(line, "wsecho: process %d serves now, with %d connections", &u.pid, &n); err != nil || u.pid == before || connections >= 0 && n != connections {
		u.t.Fatalf("%q, after process %d; want %d connections", line, before, connections)
	}
}

// echoer is a client that checks every byte.
type echoer struct {
	nc     net.Conn
	proto  wsproto.Conn
	r      *rand.Rand
	buf    []byte
	most   int // bytes of a message
	echoes atomic.Int64
}

func newEchoer(t *testing.T, url string, seed uint64, o *handshake.DialOptions) *echoer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	nc, left, res, err := handshake.Dial(ctx, url, o)
	if err != nil || len(left) > 0 {
		t.Fatal(err, left)
	}
	t.Cleanup(func() { nc.Close() })
	e := &echoer{nc: nc, r: rand.New(rand.NewPCG(seed, 0)), buf: make([]byte, 64<<10), most: 100_000}
	e.proto.Init(&wsproto.Config{Role: wsproto.Client, MaxMessage: 8 << 20, MaxFragments: -1, CompressFrom: -1, MaskKey: rand.Uint32})
	if res.Deflate != nil {
		e.proto.UseDeflate(*res.Deflate)
	}
	return e
}

// once sends a random message in random frames and pieces, and compares the echo.
func (e *echoer) once() error {
	text := make([]byte, e.r.IntN(1+e.r.IntN(e.most)))
	for i := range text {
		text[i] = "the quick brown fox "[e.r.IntN(20)]
	}
	var wire []byte
	var err error
	op, rest := frame.Text, text
	for e.r.IntN(2) == 0 && err == nil {
		n := e.r.IntN(len(rest) + 1)
		if wire, err = e.proto.AppendFragment(wire, op, rest[:n], false); err == nil {
			wire, err = e.proto.AppendPing(wire, []byte("between"))
		}
		op, rest = frame.Continuation, rest[n:]
	}
	if op == frame.Text && err == nil {
		wire, err = e.proto.AppendMessage(wire, op, rest)
	} else if err == nil {
		wire, err = e.proto.AppendFragment(wire, op, rest, true)
	}
	if err != nil {
		return err
	}
	go func(sizes *rand.Rand) { // both ends may have to wait for the other to read
		for len(wire) > 0 {
			n := min(len(wire), 1+sizes.IntN(10_000))
			if _, err := e.nc.Write(wire[:n]); err != nil {
				return
			}
			wire = wire[n:]
		}
	}(rand.New(rand.NewPCG(e.r.Uint64(), 0)))
	return e.expect(text)
}

func (e *echoer) expect(text []byte) error {
	for {
		e.nc.SetReadDeadline(time.Now().Add(patience))
		n, err := e.nc.Read(e.buf)
		if err != nil {
			return err
		}
		e.proto.Feed(e.buf[:n])
		done := false
		for ev := e.proto.Next(); ev.Kind != wsproto.NeedData; ev = e.proto.Next() {
			switch {
			case ev.Kind == wsproto.Pong:
			case done || ev.Kind != wsproto.Message || !bytes.Equal(ev.Payload, text):
				return fmt.Errorf("the echo of %d bytes: kind %d, %d bytes, %v", len(text), ev.Kind, len(ev.Payload), ev.Err)
			default:
				done = true
				e.echoes.Add(1)
			}
		}
		if done {
			return nil
		}
	}
}

// Clients that check every byte notice nothing of five upgrades.
func TestUpgradeUnderClients(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	u := launchUpgraded(t, "--deflate", "--loops", "2")
	const clients = 20
	stop := make(chan struct{})
	failed := make(chan error, clients)
	all := make([]*echoer, clients)
	for i := range clients {
		o := &handshake.DialOptions{}
		if i%2 == 1 {
			o.Deflate = &handshake.DeflateOptions{ServerContextTakeover: i%4 == 1}
		}
		e := newEchoer(t, u.url, seed+uint64(i), o)
		all[i] = e
		go func() {
			for {
				select {
				case <-stop:
					failed <- nil
					return
				default:
				}
				if err := e.once(); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	half := newEchoer(t, u.url, seed, nil) // a byte of its message goes to each process
	wire, err := half.proto.AppendMessage(nil, frame.Text, []byte("half"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		before := all[0].echoes.Load()
		waitFor(t, func() bool { return all[0].echoes.Load() > before })
		if _, err := half.nc.Write(wire[i : i+1]); err != nil {
			t.Fatal(err)
		}
		u.upgrade(clients + 1)
	}
	if _, err := half.nc.Write(wire[5:]); err != nil {
		t.Fatal(err)
	}
	if err := half.expect([]byte("half")); err != nil {
		t.Error(err)
	}
	close(stop)
	for range clients {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	fresh := newEchoer(t, u.url, seed, nil)
	if err := fresh.once(); err != nil {
		t.Errorf("a new client: %v", err)
	}
	for _, e := range append(all, half, fresh) {
		e.nc.Close()
	}
	assertStops(t, u)
}

// assertStops ends the last process in the ordinary way.
func assertStops(t *testing.T, u *upgraded) {
	t.Helper()
	syscall.Kill(u.pid, syscall.SIGTERM)
	for line := range u.lines {
		t.Log(line)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come")
		}
	}
}

// A binary that does not work is reported, and everything goes on.
func TestUpgradeToBrokenBinary(t *testing.T) {
	u := launchUpgraded(t)
	c := newEchoer(t, u.url, 1, nil)
	broken := filepath.Join(t.TempDir(), "broken")
	for script, says := range map[string]string{
		"#!/bin/sh\nexit 3\n":    "exit status 3",
		"#!/no/such/interpreter": "no such file",
		"#!/bin/sh\nexec 3>&-\n": "the new process ended",
	} {
		if err := os.WriteFile(broken, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		u.install(broken)
		syscall.Kill(u.pid, syscall.SIGUSR2)
		if line := u.line("upgrade failed; this process goes on"); !strings.Contains(line, says) {
			t.Errorf("%q: %q; want %q", script, line, says)
		}
		if err := c.once(); err != nil {
			t.Errorf("%q: %v", script, err)
		}
	}
	u.install(program)
	if err := os.Chmod(u.path, 0o777); err != nil {
		t.Fatal(err)
	}
	syscall.Kill(u.pid, syscall.SIGUSR2)
	u.line("is writable by others")
	u.install(program)
	u.upgrade(1)
	if err := c.once(); err != nil {
		t.Error(err)
	}
}

// Members of the group are members in the new process.
func TestUpgradeFanout(t *testing.T) {
	u := launchUpgraded(t)
	a := newEchoer(t, u.url+"fanout", 1, nil)
	if err := a.once(); err != nil { // then it has joined
		t.Fatal(err)
	}
	b := newEchoer(t, u.url+"fanout", 2, nil)
	if err := b.once(); err != nil {
		t.Fatal(err)
	}
	u.upgrade(2)
	wire, err := a.proto.AppendMessage(nil, frame.Text, []byte("to all"))
	if err != nil {
		t.Fatal(err)
	}
	a.nc.Write(wire)
	if err := b.expect([]byte("to all")); err != nil {
		t.Error(err)
	}
}
