package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// Every server does what it is measured by.
func TestLibraries(t *testing.T) {
	for name, serve := range libraries {
		t.Run(name, func(t *testing.T) {
			addr := freeAddress(t)
			go serve(addr) // for as long as the test program runs
			check(t, addr)
		})
	}
}

func TestNode(t *testing.T) {
	dir := filepath.Join("..", "node")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "ws")); err != nil {
		t.Skip("npm's package ws is not installed; make test installs it where it can")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed; make test installs it where it can")
	}
	addr := freeAddress(t)
	_, port, _ := net.SplitHostPort(addr)
	cmd := exec.CommandContext(t.Context(), "node", "server.mjs", "--port", port)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	check(t, addr)
}

func freeAddress(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func check(t *testing.T, addr string) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	dial := func(path string) *wsconn.Conn {
		for {
			c, err := wsconn.Dial(ctx, "ws://"+addr+path, &wsconn.DialOptions{MaxMessage: maxMessage})
			if err == nil {
				t.Cleanup(c.CloseNow)
				return c
			}
			if ctx.Err() != nil {
				t.Fatalf("dial: %v", err)
			}
			time.Sleep(10 * time.Millisecond) // it does not listen yet
		}
	}
	want := func(c *wsconn.Conn, op frame.Opcode, p []byte) {
		t.Helper()
		gotOp, got, err := c.Read(ctx)
		if err != nil || gotOp != op || !bytes.Equal(got, p) {
			t.Fatalf("got %v of %d bytes, %v; want %v of %d", gotOp, len(got), err, op, len(p))
		}
	}
	send := func(c *wsconn.Conn, op frame.Opcode, p []byte) {
		t.Helper()
		if err := c.Write(ctx, op, p); err != nil {
			t.Fatal(err)
		}
	}
	one := dial("/")
	for _, m := range []struct {
		op frame.Opcode
		p  []byte
	}{{frame.Text, []byte("héllo")}, {frame.Binary, []byte{0, 255, 1}}, {frame.Text, bytes.Repeat([]byte("x"), 100_000)}} {
		send(one, m.op, m.p)
		want(one, m.op, m.p)
	}
	var all []*wsconn.Conn
	for range 3 {
		all = append(all, dial("/fanout"))
	}
	// A server may add a connection to its list after it answered the handshake:
	// what it sends back to a connection shows that it is in.
	for i, c := range all {
		hello := []byte{'a' + byte(i)}
		send(c, frame.Text, hello)
		for {
			_, p, err := c.Read(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(p, hello) {
				break
			}
		}
	}
	send(all[1], frame.Binary, []byte("to everybody"))
	for i, c := range all {
		for {
			op, p, err := c.Read(ctx)
			if err != nil {
				t.Fatalf("connection %d: %v", i, err)
			}
			if len(p) == 1 {
				continue // the others' hello
			}
			if op != frame.Binary || string(p) != "to everybody" {
				t.Fatalf("connection %d: %v %q", i, op, p)
			}
			break
		}
	}
}
