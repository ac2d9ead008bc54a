package server

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Random clients check every byte of their echoes while the server moves again and again.
func TestMoveAgainAndAgain(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := newMover()
	cfg := moverConfig(m)
	cfg.MaxMessage = 1 << 20
	s := startMover(t, cfg)
	const clients = 12
	stop := make(chan struct{})
	done := make(chan string, clients)
	for i := range clients {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		o := &handshake.DialOptions{}
		if i%2 == 1 {
			o.Deflate = &handshake.DeflateOptions{ServerContextTakeover: i%4 == 1}
		}
		c := s.dialWith(t, fmt.Sprintf("/%d", i), o)
		go func() { done <- echoAtRandom(c, r, stop) }()
	}
	for range 10 {
		s = s.move(t, cfg)
		time.Sleep(5 * time.Millisecond) // in which the clients do something
	}
	close(stop)
	for range clients {
		if problem := receive(t, done); problem != "" {
			t.Error(problem)
		}
	}
	if n := m.closed.Load(); n != 0 {
		t.Errorf("%d connections have ended", n)
	}
}

// echoAtRandom sends messages in random pieces until stop is closed, and checks the echoes. It
// returns what is wrong.
func echoAtRandom(c *client, r *rand.Rand, stop <-chan struct{}) string {
	for {
		select {
		case <-stop:
			return ""
		default:
		}
		text := make([]byte, r.IntN(1+r.IntN(5000)))
		for i := range text {
			text[i] = "abcdefgh"[r.IntN(8)]
		}
		var wire []byte
		var err error
		if r.IntN(2) == 0 {
			wire, err = c.proto.AppendMessage(nil, frame.Text, text)
		} else {
			cut := r.IntN(len(text) + 1)
			wire, err = c.proto.AppendFragment(nil, frame.Text, text[:cut], false)
			if err == nil {
				wire, err = c.proto.AppendPing(wire, []byte("between"))
			}
			if err == nil {
				wire, err = c.proto.AppendFragment(wire, frame.Continuation, text[cut:], true)
			}
		}
		if err != nil {
			return err.Error()
		}
		for len(wire) > 0 {
			n := min(len(wire), 1+r.IntN(2000))
			if _, err := c.nc.Write(wire[:n]); err != nil {
				return err.Error()
			}
			wire = wire[n:]
		}
		for {
			ev := c.event()
			if ev.Kind == wsproto.Pong {
				continue
			}
			if ev.Kind != wsproto.Message || !bytes.Equal(ev.Payload, text) {
				return fmt.Sprintf("the echo of %d bytes is kind %d with %d bytes, %v", len(text), ev.Kind, len(ev.Payload), ev.Err)
			}
			break
		}
	}
}

// A listener on a Unix socket is still there after the move.
func TestMoveUnixListener(t *testing.T) {
	m := newMover()
	cfg := moverConfig(m)
	a := startNew(t, cfg)
	path := t.TempDir() + "/socket"
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	a.serve(t, ln)
	a.move(t, cfg)
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprint(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	nc.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 20)
	if n, err := nc.Read(buf); !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 4") {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
