package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

// opening is a server.Handler that tells of new connections.
type opening chan server.Conn

func (o opening) OnOpen(c server.LoopConn)                      { o <- c.Conn() }
func (opening) OnMessage(server.LoopConn, frame.Opcode, []byte) {}
func (opening) OnClose(server.LoopConn, error)                  {}

// With what urgency the chat sends decides what becomes of a message for somebody who does
// not read.
func TestUrgencyReachesTheReactor(t *testing.T) {
	opened := make(opening, 1)
	s, err := server.New(server.Config{Handler: opened, Loops: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(t.Context())
	front := httptest.NewServer(s)
	defer front.Close()
	nc, _, _, err := handshake.Dial(context.Background(), "ws"+strings.TrimPrefix(front.URL, "http"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	g := group{s.NewGroup()}
	g.Join(socket{<-opened})
	text := func(s string) *wsproto.Prepared { return wsproto.NewPrepared(frame.Text, []byte(s)) }
	await := func(what string, holds func(server.Stats) bool) {
		t.Helper()
		for deadline := time.Now().Add(patience); !holds(s.Stats()); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("waited in vain for %s: %+v", what, s.Stats())
			}
		}
	}
	// In steps of what the system may still take, so that the queue does not overflow.
	for n := uint64(1); s.Stats().Queued < 400<<10; n++ {
		g.Send(text(strings.Repeat("x", 100<<10)), chat.Urgency{})
		await("the message to be queued", func(st server.Stats) bool { return st.MessagesOut == n })
	}
	before := s.Stats()
	g.Send(text("typing"), chat.Urgency{Level: chat.MayBeDropped})
	await("a message to be dropped", func(st server.Stats) bool { return st.Dropped == 1 })
	for range 3 {
		g.Send(text("the topic"), chat.Urgency{Level: chat.NewestOnly, State: "topic"})
	}
	g.Send(text("the owner"), chat.Urgency{Level: chat.NewestOnly, State: "owner"})
	g.Send(text("said"), chat.Urgency{Level: chat.MustArrive})
	await("five messages", func(st server.Stats) bool { return st.MessagesOut == before.MessagesOut+5 })
	if st := s.Stats(); st.Coalesced != 2 || st.Dropped != 1 || st.Evicted != 0 {
		t.Errorf("%d coalesced, %d dropped, %d evicted; want 2, 1 and none", st.Coalesced, st.Dropped, st.Evicted)
	}
}
