package server

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/handshake"
)

func init() { children["starved"] = starved }

// starved is a server that may have 64 descriptors. It says its address.
func starved([]string) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s, err := New(Config{Handler: funcs{message: echo}, MaxConnsPerAddress: Off})
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	go s.Serve(ln)
	os.Stdin.Read(make([]byte, 1))
	return nil
}

// R11: with 64 descriptors and 200 clients, those that cannot be served are turned
// away and not kept waiting, that is logged once, and it is over when they are gone.
func TestR11Descriptors(t *testing.T) {
	server := spawn(t, "starved")
	addr := server.line(t)
	var conns []net.Conn
	for range 200 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, nc)
	}
	turnedAway := 0
	for _, nc := range conns[100:] { // the last ones found no place
		nc.SetDeadline(time.Now().Add(patience))
		if _, err := nc.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
			t.Fatalf("neither served nor turned away: %v", err)
		}
		turnedAway++
	}
	for _, nc := range conns {
		nc.Close()
	}
	other := &testServer{addr: addr}
	waitFor(t, func() bool { // until its listener has had a look again
		nc, _, _, err := handshake.Dial(context.Background(), "ws://"+addr+"/", nil)
		if err == nil {
			nc.Close()
		}
		return err == nil
	})
	c := other.dial(t, "/")
	c.text("recovered")
	c.expect(`text "recovered"`)
	if n := strings.Count(server.log(), "no more file descriptors"); n < 1 || n > 2 {
		t.Errorf("logged %d times:\n%s", n, server.log())
	}
}
