//go:build linux

package wsconn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// echo is a server.Handler that sends back what it receives.
type echo struct{}

func (echo) OnOpen(server.LoopConn)                                 {}
func (echo) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) { c.Send(op, p) }
func (echo) OnClose(server.LoopConn, error)                         {}

// serve starts the reactor on loopback and returns its URL.
func serve(t testing.TB, cfg server.Config) (url string, s *server.Server) {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	if cfg.Loops == 0 {
		cfg.Loops = 1
	}
	s, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel() // what the test left open is cut
		s.Shutdown(ctx)
		<-served
	})
	return "ws://" + ln.Addr().String(), s
}

// Both drivers of the protocol understand each other, at every length that has
// a header of its own, many messages at a time.
func TestEcho(t *testing.T) {
	const maxMessage = 1 << 20
	url, _ := serve(t, server.Config{Handler: echo{}, MaxMessage: maxMessage, WriteQueue: 16 * maxMessage})
	ctx := bounded(t)
	c, err := wsconn.Dial(ctx, url, &wsconn.DialOptions{MaxMessage: maxMessage})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	lengths := []int{0, 1, 125, 126, 127, 4096, 65535, 65536, 65537, maxMessage}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	sent := make([]string, 0, 3*len(lengths))
	for range 3 {
		for _, n := range lengths {
			sent = append(sent, strings.Repeat(string(rune('a'+random.IntN(26))), n))
		}
	}
	writing := make(chan error, 1)
	go func() {
		for i, s := range sent {
			if i%3 != 0 {
				if err := c.Write(ctx, frame.Text, []byte(s)); err != nil {
					writing <- err
					return
				}
				continue
			}
			w, err := c.Writer(ctx, frame.Text)
			if err == nil {
				_, err = io.WriteString(w, s)
			}
			if err == nil {
				err = w.Close()
			}
			if err != nil {
				writing <- err
				return
			}
		}
		writing <- nil
	}()
	for i, s := range sent {
		op, p, err := c.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if op != frame.Text || string(p) != s {
			t.Fatalf("message %d: received %v of %d bytes; want text of %d", i, op, len(p), len(s))
		}
	}
	if err := <-writing; err != nil {
		t.Fatal(err)
	}
	if err := c.Close(wsproto.CloseNormal, "bye"); err != nil {
		t.Errorf("Close = %v", err)
	}
}

// Readers, writers and pings of many goroutines share one connection.
func TestEchoConcurrent(t *testing.T) {
	url, _ := serve(t, server.Config{Handler: echo{}, MaxControlRate: server.Off})
	ctx := bounded(t)
	c, err := wsconn.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	const writers, each = 8, 50
	var mu sync.Mutex
	counts := make(map[string]int)
	read, stop := context.WithCancel(ctx)
	var reading, writing sync.WaitGroup
	for range 3 {
		reading.Go(func() {
			for {
				_, p, err := c.Read(read)
				if err != nil {
					return
				}
				mu.Lock()
				counts[string(p)]++
				if len(counts) == writers*each {
					stop()
				}
				mu.Unlock()
			}
		})
	}
	for i := range writers {
		writing.Go(func() {
			for n := range each {
				if err := c.Write(ctx, frame.Binary, fmt.Appendf(nil, "%d/%d", i, n)); err != nil {
					t.Error(err)
				}
				if n%10 != 0 {
					continue
				}
				if _, err := c.Ping(read); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	reading.Wait()
	stop()
	if len(counts) != writers*each {
		t.Errorf("received %d different messages; want %d", len(counts), writers*each)
	}
	if err := c.Close(wsproto.CloseNormal, ""); err != nil {
		t.Errorf("Close = %v", err)
	}
}

// The server's own endings arrive with their codes.
func TestServerCloses(t *testing.T) {
	url, s := serve(t, server.Config{Handler: echo{}, MaxMessage: 10})
	ctx := bounded(t)
	dial := func() *wsconn.Conn {
		c, err := wsconn.Dial(ctx, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.CloseNow)
		return c
	}
	wantCode := func(c *wsconn.Conn, want wsproto.CloseCode) {
		t.Helper()
		_, _, err := c.Read(ctx)
		var closed *wsconn.CloseError
		if !errors.As(err, &closed) || closed.Code != want {
			t.Errorf("Read = %v; want %v", err, want)
		}
		if err := c.Close(wsproto.CloseNormal, ""); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	c := dial()
	if err := c.Write(ctx, frame.Text, []byte("eleven chars")); err != nil {
		t.Fatal(err)
	}
	wantCode(c, wsproto.CloseMessageTooBig)

	c = dial()
	if err := c.Write(ctx, frame.Text, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); err != nil { // the server has taken it over by now
		t.Fatal(err)
	}
	go s.Shutdown(ctx)
	wantCode(c, wsproto.CloseGoingAway)
}

// A pool's connections do real work, for more goroutines than there may be
// connections.
func TestPoolEcho(t *testing.T) {
	url, _ := serve(t, server.Config{Handler: echo{}})
	p, err := wsconn.NewPool(wsconn.PoolConfig{
		Dial:     func(ctx context.Context) (*wsconn.Conn, error) { return wsconn.Dial(ctx, url, nil) },
		Capacity: 2,
		MaxOpen:  3,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := bounded(t)
	if err := p.Warm(ctx, 2); err != nil {
		t.Fatal(err)
	}
	var using sync.WaitGroup
	for i := range 10 {
		using.Go(func() {
			for n := range 5 {
				c, err := p.Get(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				ask := fmt.Sprintf("%d/%d", i, n)
				err = c.Write(ctx, frame.Text, []byte(ask))
				var answer []byte
				if err == nil {
					_, answer, err = c.Read(ctx)
				}
				if err != nil || string(answer) != ask {
					t.Errorf("asked %s: %q, %v", ask, answer, err)
				}
				if n == 3 {
					c.CloseNow()
				}
				p.Put(c)
			}
		})
	}
	using.Wait()
	p.Close()
	s := p.Stats()
	if s.Open != 0 || s.Broken != 10 || s.Reused+s.Dialed != 50+2 || s.Unhealthy != 0 {
		t.Errorf("Stats = %+v; want 0 open, 10 broken, none unhealthy, 50 Gets and 2 warmed", s)
	}
}
