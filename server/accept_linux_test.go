package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/handshake"
)

func init() { children["starved"] = starved }

// starved is a server that may have 64 descriptors. It says its address. Its arguments
// are how long a handshake may take, whether it bounds plain HTTP by itself, and whether it
// answers probes, for which net/http reads the handshakes.
func starved(args []string) error {
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	timeout, err := time.ParseDuration(args[0])
	if err != nil {
		return err
	}
	cfg := Config{Handler: funcs{message: echo}, HandshakeTimeout: timeout}
	if args[2] == "true" {
		cfg.Probe = probe
	}
	if args[1] == "false" {
		cfg.MaxHTTPConns = Off
	}
	s, err := New(cfg)
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	go s.Serve(ln)
	os.Stdin.Read(make([]byte, 1))
	return nil
}

func probe(r *http.Request) http.Handler {
	if r.URL.Path != "/probe" {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "alive") })
}

// R11: with 64 descriptors and 200 clients, those that cannot be served are turned
// away and not kept waiting, that is logged once, and it is over when they are gone.
func TestR11Descriptors(t *testing.T) {
	for _, bounded := range []bool{true, false} {
		for _, probes := range []bool{true, false} {
			testDescriptors(t, spawn(t, "starved", 200*time.Millisecond, bounded, probes))
		}
	}
}

func testDescriptors(t *testing.T, server *child) {
	t.Helper()
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
	var c *client
	waitFor(t, func() bool { // until its listener has had a look again
		nc, left, res, err := handshake.Dial(context.Background(), "ws://"+addr+"/", nil)
		if err == nil {
			c = newClient(t, nc, left, res)
		}
		return err == nil
	})
	c.text("recovered")
	c.expect(`text "recovered"`)
	if n := strings.Count(server.log(), "no more file descriptors"); n < 1 || n > 2 {
		t.Errorf("logged %d times:\n%s", n, server.log())
	}
}

// WebSockets do not take the last descriptors: when they have the others, one more
// is told so by 503, health probes are answered, and it is over when one has gone.
func TestDescriptorsForProbes(t *testing.T) {
	server := spawn(t, "starved", time.Minute, true, true)
	addr := server.line(t)
	var open []net.Conn
	for len(open) < 64 {
		nc, _, _, err := handshake.Dial(context.Background(), "ws://"+addr+"/", nil)
		var refused *handshake.Error
		if errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable {
			break
		}
		if err != nil {
			t.Fatalf("after %d connections: %v; want a 503", len(open), err)
		}
		defer nc.Close()
		open = append(open, nc)
	}
	if len(open) < 20 || len(open) > 60 {
		t.Errorf("%d connections with 64 descriptors", len(open))
	}
	upgraded := 0
	for range 20 {
		if resp, body := ask(t, addr, "GET /probe HTTP/1.1\r\nHost: h\r\n\r\n"); resp.StatusCode != 200 || body != "alive" {
			t.Fatalf("probe: %s %q", resp.Status, body)
		}
		switch resp, _ := ask(t, addr, upgradeRequest("/", "")); {
		case resp.StatusCode == 101: // the first 503 was for a descriptor that was about to be closed
			upgraded++
		case resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "":
			t.Fatalf("upgrade: %s", resp.Status)
		}
	}
	if upgraded > 2 {
		t.Errorf("%d connections were upgraded after the first 503", upgraded)
	}
	for _, nc := range open[:5] {
		nc.Close()
	}
	waitFor(t, func() bool {
		nc, _, _, err := handshake.Dial(context.Background(), "ws://"+addr+"/", nil)
		if err == nil {
			defer nc.Close()
		}
		return err == nil
	})
}
