package chat_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// countingBroker counts what its node subscribes to.
type countingBroker struct {
	chat.Broker
	hub              chat.Receiver
	subscribed, left atomic.Int32
}

func (b *countingBroker) Attach(r chat.Receiver) chat.Node {
	b.hub = r
	return &countingNode{b.Broker.Attach(r), b}
}

type countingNode struct {
	chat.Node
	b *countingBroker
}

func (n *countingNode) Subscribe(ctx context.Context, c chat.Conversation) (chat.Tail, error) {
	n.b.subscribed.Add(1)
	return n.Node.Subscribe(ctx, c)
}

func (n *countingNode) Unsubscribe(c chat.Conversation) {
	n.b.left.Add(1)
	n.Node.Unsubscribe(c)
}

func (b *countingBroker) counts() string { return fmt.Sprint(b.subscribed.Load(), " ", b.left.Load()) }

// A room from which the last one has gone stays subscribed to for a while. In every other way it is
// as if it were not.
func TestEmptyRoom(t *testing.T) {
	c := newClock()
	parts := newMemory(t, engineClock{c})
	b := &countingBroker{Broker: parts.Broker}
	parts.Broker = b
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine, cfg.Limits = parts, chat.Limits{} })
	eve := h.enter("eve", "")
	check := func(when, counts string, rooms int) {
		t.Helper()
		h.settle()
		eve.say(`{"type":"rooms"}`)
		m := eve.hear()
		if n := strings.Count(m, `"receiver_id":`); b.counts() != counts || h.hub.Stats().Rooms != rooms || n != rooms {
			t.Errorf("%s: subscribed and left %s, want %s; %d rooms and %s, want %d", when, b.counts(), counts, h.hub.Stats().Rooms, m, rooms)
		}
	}
	visit := func(who string) (p *peer, ack string) {
		p = h.enter(who, "")
		p.say(`{"type":"join","receiver_id":"lobby"}`)
		return p, p.hear()
	}

	ada, ack := visit("ada")
	epoch := epochOf(ack)
	check("ada is in it", "1 0", 1)
	ada.conn.Closed()
	check("nobody is in it", "1 0", 0)
	eve.say(`{"type":"history","receiver_id":"lobby"}`)
	if m := eve.hear(); reasonOf(m) != "unknown_room" {
		t.Errorf("the history of an empty room without messages: %s", m)
	}

	h.clock.advance(30 * time.Second)
	bob, _ := visit("bob")
	check("bob is in it", "1 0", 1)
	bob.conn.Closed()
	h.settle()
	h.clock.advance(30 * time.Second)
	check("it has been empty for half a minute", "1 0", 0)

	b.hub.Deliver("r:lobby", said(epoch, 1))
	bob, ack = visit("bob")
	if p := placeOf(t, ack); p.Seq != 1 {
		t.Errorf("bob joined: %s", ack)
	}
	b.hub.Deliver("r:lobby", said(epoch, 2))
	if p := placeOf(t, bob.hear()); p.Seq != 2 {
		t.Errorf("bob heard %+v", p)
	}
	bob.conn.Closed()
	h.settle()
	h.clock.advance(60 * time.Second)
	h.settle()
	if b.counts() != "1 1" {
		t.Errorf("after a minute: subscribed and left %s", b.counts())
	}
	if n := h.clock.pending(); n != 0 {
		t.Errorf("%d timers are left", n)
	}

	visit("ada")
	ada, _ = visit("ada")
	ada.conn.Closed()
	h.stop()
	if b.counts() != "2 2" {
		t.Errorf("after the end: subscribed and left %s", b.counts())
	}
	if n := h.clock.pending(); n != 0 {
		t.Errorf("%d timers are left after the end", n)
	}
}

// Of rooms that come and go, only some stay subscribed to.
func TestManyEmptyRooms(t *testing.T) {
	c := newClock()
	parts := newMemory(t, engineClock{c})
	b := &countingBroker{Broker: parts.Broker}
	parts.Broker = b
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine, cfg.Limits, cfg.Sequencers = parts, chat.Limits{}, 1 })
	ada := h.enter("ada", "")
	const surplus = 10
	for i := range chat.MaxEmptyRooms + surplus {
		for _, op := range []string{"join", "leave"} {
			ada.say(fmt.Sprintf(`{"type":%q,"receiver_id":"room%d"}`, op, i))
			ada.hear()
		}
	}
	h.settle()
	if got, want := b.counts(), fmt.Sprint(chat.MaxEmptyRooms+surplus, " ", surplus); got != want {
		t.Errorf("subscribed and left %s, want %s", got, want)
	}
	h.clock.advance(60 * time.Second)
	h.settle()
	if got, want := b.counts(), fmt.Sprint(chat.MaxEmptyRooms+surplus, " ", chat.MaxEmptyRooms+surplus); got != want {
		t.Errorf("after a minute: subscribed and left %s, want %s", got, want)
	}
}
