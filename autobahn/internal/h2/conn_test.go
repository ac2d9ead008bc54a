package h2

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// connected returns the two ends of a connection, and those of a stream on it.
func connected(t *testing.T, client, server Config) (c, s *Conn, ours, theirs *Stream) {
	a, b := net.Pipe()
	arrived := make(chan *Stream, 1)
	client.Client, server.Connect = true, true
	server.Accept = func(st *Stream) {
		st.Respond([]wire.Field{{Name: ":status", Value: "200"}}, false)
		arrived <- st
	}
	c = New(a, client, nil)
	// A server has read the first line of the preface.
	first := make([]byte, len("PRI * HTTP/2.0\r\n\r\n"))
	if _, err := io.ReadFull(b, first); err != nil {
		t.Fatal(err)
	}
	s = New(b, server, nil)
	if err := c.Settled(time.Now().Add(time.Second)); err != nil || !c.AllowsConnect() {
		t.Fatalf("Settled = %v, extended CONNECT %v", err, c.AllowsConnect())
	}
	ours = c.Open([]wire.Field{{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: "websocket"}}, 8, false)
	theirs = <-arrived
	if h, err := ours.AwaitHead(); err != nil || h.Get(":status") != "200" {
		t.Fatalf("the answer is %v, %v", h, err)
	}
	if theirs.Head().Get(":protocol") != "websocket" {
		t.Errorf("the request is %v", theirs.Head().Fields)
	}
	return c, s, ours, theirs
}

// A writer uses the whole window, and no more, until it gets more.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, ours, theirs := connected(t, Config{Window: 1000}, Config{})
		defer c.Close()
		defer s.Close()
		ours.Hold()
		wrote := make(chan error, 1)
		go func() { _, err := theirs.Write(make([]byte, 2500)); wrote <- err }()
		synctest.Wait()
		if n := ours.Received(); n != 1000 {
			t.Errorf("%d bytes have come, want 1000", n)
		}
		ours.Grant(10)
		synctest.Wait()
		if n := ours.Received(); n != 1010 {
			t.Errorf("%d bytes have come, want 1010", n)
		}
		go io.Copy(io.Discard, ours)
		ours.Release()
		if err := <-wrote; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := ours.Received(); n != 2500 {
			t.Errorf("%d bytes have come, want 2500", n)
		}
	})
}

// Padding counts against the window, and is not delivered.
func TestPadding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, ours, theirs := connected(t, Config{}, Config{})
		defer c.Close()
		defer s.Close()
		theirs.Pad(9)
		theirs.Write([]byte("quay"))
		p := make([]byte, 10)
		if n, err := ours.Read(p); string(p[:n]) != "quay" || err != nil || ours.Received() != 14 {
			t.Errorf("Read = %q, %v; %d bytes with padding", p[:n], err, ours.Received())
		}
	})
}

// Read says how a stream ended.
func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, ours, theirs := connected(t, Config{}, Config{})
		defer c.Close()
		defer s.Close()
		theirs.Write([]byte("last"))
		theirs.CloseWrite()
		p := make([]byte, 10)
		if n, err := ours.Read(p); string(p[:n]) != "last" || err != nil {
			t.Errorf("Read = %q, %v", p[:n], err)
		}
		if _, err := ours.Read(p); err != io.EOF {
			t.Errorf("behind END_STREAM: %v", err)
		}
		ours.Reset(http2.ErrCodeCancel)
		if _, err := theirs.Read(p); !errors.Is(err, syscall.ECONNRESET) || !strings.Contains(err.Error(), "CANCEL") {
			t.Errorf("behind RST_STREAM: %v", err)
		}
		c.Close()
		if _, err := theirs.Write(p); err == nil {
			t.Error("a stream that was reset can be written")
		}
	})
}

// A peer that sends more than its window has violated the protocol, and is
// told.
func TestTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s, ours, theirs := connected(t, Config{Window: 100}, Config{})
		defer c.Close()
		defer s.Close()
		ours.Hold()
		s.mu.Lock()
		theirs.window += 1
		s.mu.Unlock()
		theirs.Write(make([]byte, 101))
		_, err := ours.Read(make([]byte, 10))
		var v *Violation
		if !errors.As(err, &v) || !strings.Contains(v.What, "1 more than the window of stream 1") {
			t.Errorf("Read = %v", err)
		}
		<-c.Done()
		synctest.Wait()
		if gone := new(GoAway); !errors.As(s.Err(), &gone) || gone.Code != http2.ErrCodeProtocol {
			t.Errorf("the peer is told %v", s.Err())
		}
	})
}

// An HTTP/1 server is not an HTTP/2 server.
func TestNotHTTP2(t *testing.T) {
	a, b := net.Pipe()
	c := New(a, Config{Client: true}, nil)
	defer c.Close()
	go io.Copy(io.Discard, b)
	go b.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	if err := c.Settled(time.Now().Add(time.Minute)); !errors.Is(err, ErrNotHTTP2) {
		t.Errorf("Settled = %v, want ErrNotHTTP2", err)
	}
}
