package chat_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// wire joins the limiters of some nodes.
type wire struct {
	to   []func([]chat.Usage)
	sent int
}

type wireEnd struct {
	w  *wire
	at int
}

func (e *wireEnd) Receive(f func([]chat.Usage)) { e.at, e.w.to = len(e.w.to), append(e.w.to, f) }

func (e *wireEnd) Send(used []chat.Usage) {
	e.w.sent++
	for i, f := range e.w.to {
		if i != e.at {
			f(used)
		}
	}
}

// On three nodes together a user is as fast as on one, and stores as much.
func TestSharedLimiter(t *testing.T) {
	c, w := newClock(), &wire{}
	limits := chat.Limits{UserMessagesPerSecond: 10, UserBytesPerDay: 100_000, AddressBytesPerDay: 50_000, UserRoomsPerHour: 3}
	var nodes []chat.Limiter
	for range 3 {
		nodes = append(nodes, chat.NewSharedLimiter(limits, c, &wireEnd{w: w}))
	}
	ada := chat.Subject{UserID: "u_ada"}
	allowed := 0
	for range 100 { // ten seconds
		for _, n := range nodes {
			for range 5 {
				if wait, _, fail := n.Take(ada, chat.Cost{Requests: 1}); fail == nil && wait == 0 {
					allowed++
				}
			}
		}
		c.advance(100 * time.Millisecond)
	}
	// The burst of every node, before the others have heard of it; then nothing for as long as
	// that was too much.
	if allowed < 60 || allowed > 20*3+10*10 {
		t.Errorf("%d requests were not held back within ten seconds", allowed)
	}

	store := chat.Cost{Messages: 1, Bytes: 30_000 - 256}
	bob, eve := chat.Subject{UserID: "u_bob"}, chat.Subject{UserID: "u_eve", Address: netip.MustParsePrefix("192.0.2.1/32")}
	for i := range 3 {
		if _, _, fail := nodes[i].Take(bob, store); fail != nil {
			t.Errorf("message %d: %v", i, fail)
		}
	}
	nodes[0].Take(eve, store)
	c.advance(time.Second)
	for i, n := range nodes {
		if _, _, fail := n.Take(bob, store); fail == nil || fail.Reason != "quota_exceeded" {
			t.Errorf("node %d stores what is too much for bob: %v", i, fail)
		}
		other := chat.Subject{UserID: "u_zoe", Address: eve.Address}
		if _, _, fail := n.Take(other, store); fail == nil || fail.Reason != "quota_exceeded" {
			t.Errorf("node %d stores what is too much from an address: %v", i, fail)
		}
	}
	for i := range 3 {
		nodes[i].Take(bob, chat.Cost{Rooms: 1})
	}
	c.advance(time.Second)
	if _, _, fail := nodes[0].Take(bob, chat.Cost{Rooms: 1}); fail == nil {
		t.Error("a fourth room")
	}
	before := w.sent
	c.advance(time.Minute)
	if w.sent != before {
		t.Error("nothing was used, and that was sent")
	}
}

// What somebody with a role does on one node counts as little on the others.
func TestSharedRoles(t *testing.T) {
	c, w := newClock(), &wire{}
	limits := chat.Limits{UserRoomsPerHour: 2, Roles: map[string]float64{"bot": 2, "root": 0}}
	here, there := chat.NewSharedLimiter(limits, c, &wireEnd{w: w}), chat.NewSharedLimiter(limits, c, &wireEnd{w: w})
	bot, root := chat.Subject{UserID: "u_bot", Role: "bot"}, chat.Subject{UserID: "u_root", Role: "root"}
	for range 3 {
		here.Take(bot, chat.Cost{Rooms: 1})
	}
	c.advance(time.Second)
	for i := range 2 {
		if _, _, fail := there.Take(bot, chat.Cost{Rooms: 1}); (fail != nil) != (i == 1) {
			t.Errorf("room %d of 4: %v", i+4, fail)
		}
	}
	c.advance(time.Second)
	before := w.sent
	here.Take(root, chat.Cost{Rooms: 1})
	c.advance(time.Second)
	if w.sent != before {
		t.Error("other nodes are told of somebody whom nothing limits")
	}
}
