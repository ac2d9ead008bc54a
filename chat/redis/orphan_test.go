package redis

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// straying is a connection to a server that can be led to another one without noticing, which
// is told everything that the first one was told.
type straying struct {
	net.Conn // to the first one; only its writer uses it

	mu   sync.Mutex
	now  net.Conn
	said []byte
}

func (s *straying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said = append(s.said, p...)
	return s.now.Write(p)
}

func (s *straying) Read(p []byte) (int, error) {
	for {
		s.mu.Lock()
		now := s.now
		s.mu.Unlock()
		n, err := now.Read(p)
		s.mu.Lock()
		led := s.now != now
		s.mu.Unlock()
		if !led || n > 0 {
			return n, err
		}
	}
}

func (s *straying) SetDeadline(t time.Time) error { return nil }

// subscribes reports whether the connection has subscribed, and has not only asked whether there is
// such a command.
func (s *straying) subscribes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(string(s.said), "*2\r\n$10\r\nSSUBSCRIBE\r\n")
}

// lead leads the connection to another server.
func (s *straying) lead(t *testing.T, address string) {
	t.Helper()
	other, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	other.Write(append(s.said, "*2\r\n$4\r\nECHO\r\n$6\r\nlisten\r\n"...))
	for got := ""; !strings.HasSuffix(got, "listen\r\n"); {
		p := make([]byte, 1<<16)
		n, err := other.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		got += string(p[:n])
	}
	old := s.now
	s.now = other
	old.SetReadDeadline(time.Now()) // wakes the reader
}

// X03: a subscription is at a server that answers, and is not the one where others publish. It is
// noticed because the questions that it is asked by the way of everybody else are not heard.
func TestX03OrphanSubscription(t *testing.T) {
	server, orphan := redistest.Start(t), redistest.Start(t)
	var mu sync.Mutex
	var conns []*straying
	e := open(t, Config{
		Addresses: []string{server.Addr}, ProbeEvery: time.Hour, askEvery: 200 * time.Millisecond,
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
			if err != nil {
				return nil, err
			}
			s := &straying{Conn: c, now: c}
			mu.Lock()
			defer mu.Unlock()
			conns = append(conns, s)
			return s, nil
		},
	})
	_, r := attach(t, e, lobby)
	say(t, e, lobby, "1")
	await(t, "the first message", func() bool { return slices.Equal(r.of(lobby), []string{"1"}) })
	mu.Lock()
	led := 0
	for _, c := range conns {
		if c.subscribes() {
			c.lead(t, orphan.Addr)
			led++
		}
	}
	mu.Unlock()
	if led != 1 {
		t.Fatalf("%d connections subscribe", led)
	}
	say(t, e, lobby, "2")
	await(t, "the second message", func() bool { return slices.Equal(r.of(lobby), []string{"1", "2"}) })
	say(t, e, lobby, "3")
	await(t, "the third", func() bool { return slices.Equal(r.of(lobby), []string{"1", "2", "3"}) })
}
