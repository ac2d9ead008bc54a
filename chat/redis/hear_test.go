package redis

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/doorbell"
	inmemory "github.com/hawser-ws/hawser/chat/memory"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// This file measures what a change of another node costs a node, from the message of Pub/Sub to
// the room's fan-out.

// between gives a hub's receiver to a broker that has no Redis, and leaves the rest to the engine
// of the hub.
type between struct {
	chat.Broker
	broker *broker
	source doorbell.Source
	bell   *doorbell.Node
}

func (m *between) Attach(r chat.Receiver) chat.Node {
	n := &node{b: m.broker, receiver: r, bell: doorbell.Attach(r, m.source, doorbell.Config{ProbeEvery: time.Hour})}
	m.broker.nodes = []*node{n}
	m.bell = n.bell
	return m.Broker.Attach(r)
}

// empty is a Source of conversations that begin.
type empty struct {
	doorbell.Source
	epoch string
}

func (e empty) Tails(_ context.Context, cs []chat.Conversation, each func(int, chat.Tail, error)) {
	for i := range cs {
		each(i, chat.Tail{Epoch: e.epoch}, nil)
	}
}

func (empty) Later(epoch, other string) bool { return later(epoch, other) }

// counting is a Fanout that counts what it is given.
type counting struct{ sent *int }

func (counting) Join(chat.Socket)                       {}
func (counting) Leave(chat.Socket)                      {}
func (c counting) Send(*wsproto.Prepared, chat.Urgency) { *c.sent++ }

// answers is a Socket that passes on what it is sent.
type answers chan string

func (a answers) SendPrepared(m *wsproto.Prepared) error { a <- string(m.Payload()); return nil }
func (a answers) Close(code wsproto.CloseCode, _ string) { panic(fmt.Sprint("closed with ", code)) }
func (a answers) Flushed(f func(int))                    { f(0) }
func (a answers) Pause(bool)                             {}

// anybody says that a token is the id of its user.
type anybody struct{}

func (anybody) Authenticate(token string) (chat.Identity, error) {
	return chat.Identity{UserID: token}, nil
}

// hearing is a node with one room, which hears what the script of appends publishes.
type hearing struct {
	broker *broker
	epoch  string
	next   uint64
	sent   int
	stop   func()
}

func newHearing(t testing.TB) *hearing {
	log := slog.New(slog.DiscardHandler)
	engine := inmemory.New(chat.SystemClock(), log).Parts()
	epoch, err := engine.Log.Epoch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Directory.PutUser(t.Context(), chat.User{ID: "u_ada", Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	h := &hearing{broker: &broker{cfg: &Config{Log: log}}, epoch: epoch, next: 1}
	m := &between{Broker: engine.Broker, broker: h.broker, source: empty{epoch: epoch}}
	engine.Broker = m
	hub := chat.New(chat.Config{Engine: engine, Auth: anybody{}, Log: log, NewFanout: func() chat.Fanout { return counting{&h.sent} }})
	said := make(answers, 8)
	c := hub.Open(said, chat.ConnectionInfo{})
	c.Handle(frame.Text, []byte(`{"type":"auth","token":"u_ada","features":["ack"]}`))
	c.Handle(frame.Text, []byte(`{"type":"join","receiver_id":"lobby"}`))
	for range 2 {
		if answer := <-said; strings.Contains(answer, `"error"`) {
			t.Fatal(answer)
		}
	}
	if _, err := m.bell.Subscribe(t.Context(), lobby); err != nil {
		t.Fatal(err)
	}
	h.stop = func() {
		m.bell.Detach()
		c.Closed()
		if err := hub.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	}
	return h
}

// published is what the script publishes for n changes.
func (h *hearing) published(n int) string {
	var news []published
	for range n {
		m := &chat.Message{Sender: "u_brian", SenderName: "Brian", Timestamp: "1754474400.5", Metadata: []byte(`{"client":"bench"}`),
			Content: strings.Repeat("The quick brown fox jumps over the lazy dog. ", 3)}
		ch := &chat.Change{Number: h.next, Tag: uint32(h.next), Epoch: h.epoch, ServerTS: 1754474400500, Message: m}
		news = append(news, published{ch, uint32(h.next - 1)})
		h.next++
	}
	return encodeChanges(lobby, news)
}

func BenchmarkHear(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(fmt.Sprint("changes=", n), func(b *testing.B) {
			h := newHearing(b)
			defer h.stop()
			texts := make([]string, b.N)
			for i := range texts {
				texts[i] = h.published(n)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for _, text := range texts {
				h.broker.hear("", text)
			}
			b.StopTimer()
			if h.sent != b.N*n {
				b.Fatalf("%d changes were sent on, of %d", h.sent, b.N*n)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/change")
		})
	}
}

// What is allocated for a change: itself, its id, its metadata, and the message for the sockets
// with its frame; and for each doorbell the conversation's id.
func TestHearAllocates(t *testing.T) {
	h := newHearing(t)
	defer h.stop()
	const runs, changes = 100, 4
	var texts []string
	for range runs + 1 {
		texts = append(texts, h.published(changes))
	}
	at := 0
	got := testing.AllocsPerRun(runs, func() {
		h.broker.hear("", texts[at])
		at++
	})
	if want := float64(5*changes + 1); got > want {
		t.Errorf("a doorbell with %d changes costs %v allocations, not %v", changes, got, want)
	}
	if h.sent != (runs+1)*changes {
		t.Errorf("%d changes were sent on, of %d", h.sent, (runs+1)*changes)
	}
}
