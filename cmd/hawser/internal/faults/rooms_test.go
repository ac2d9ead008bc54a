//go:build linux

package faults

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// told reports whether the server tells the client which rooms it hears.
func (c *client) told() bool { return c.resumes || slices.Contains(c.features, "system") }

// move makes sure that a connection hears the rooms that the person wants to be in. A client
// that trusts the server hears those that the person is a member of without asking.
func (c *client) move(ctx context.Context, l *link, _ time.Time) error {
	for _, room := range slices.Sorted(maps.Keys(c.leaving)) {
		if l.waits("leave", room) {
			continue
		}
		c.record(l, consistency.Event{Kind: consistency.Leaving, Conversation: room})
		if err := c.ask(ctx, l, packet{Type: "leave", ReceiverID: room}, request{conversation: room}); err != nil {
			return err
		}
	}
	for _, room := range c.person.wants() {
		if l.muted[room] && c.speaks(room) { // which would join it
			delete(l.muted, room)
		}
		if l.joined[room] || l.muted[room] || l.waits("join", room) {
			continue
		}
		if c.trusts && c.person.member(room) && !l.silent[room] {
			if !l.ready {
				continue
			}
			if !c.told() {
				l.joined[room] = true
				if err := c.ask(ctx, l, packet{Type: "presence", ReceiverID: room}, request{conversation: room, verifying: true}); err != nil {
					return err
				}
				continue
			}
			c.run.rec.count("a member was not told of the room")
		}
		c.record(l, consistency.Event{Kind: consistency.Joining, Conversation: room})
		if err := c.ask(ctx, l, packet{Type: "join", ReceiverID: room}, request{conversation: room}); err != nil {
			return err
		}
	}
	return nil
}

// speaks reports whether there is a message to send to a room.
func (c *client) speaks(room string) bool {
	return slices.ContainsFunc(c.outbox, func(o *outgoing) bool { return o.conversation == room })
}

// hears notes that a connection hears a conversation from the place in p.
func (c *client) hears(l *link, conversation string, p packet) {
	c.record(l, consistency.Event{Kind: consistency.Subscribed, Conversation: conversation, Message: p.message()})
	if !strings.Contains(conversation, "|") {
		l.joined[conversation] = true
	}
	if at := l.live[conversation]; at.epoch != p.Epoch || at.seq < p.Seq {
		l.live[conversation] = position{p.Epoch, p.Seq}
	}
	c.subscribed(conversation, p)
}

// deaf notes that a connection does not hear a room any more, and why.
func (c *client) deaf(l *link, room string, why consistency.Kind) {
	c.record(l, consistency.Event{Kind: why, Conversation: room})
	delete(l.joined, room)
	delete(l.live, room)
	delete(l.here, room)
}

// distrust is for a conversation that differs from what the client knows. A room is joined
// again, which reveals its state. For a private conversation the next message does.
func (c *client) distrust(l *link, conversation string) {
	if l.joined[conversation] {
		l.joined[conversation] = false
		c.person.forget(conversation)
	} else if strings.Contains(conversation, "|") {
		delete(c.held, conversation)
	}
}

// change makes the person join another room or leave one, or mutes or unmutes one on this
// connection. Only a person with a single device leaves a room: another device would not
// know.
func (c *client) change(ctx context.Context, l *link) error {
	room := c.run.rooms[c.rng.IntN(len(c.run.rooms))]
	wants := c.person.wants()
	switch {
	case !slices.Contains(wants, room):
		if !c.leaving[room] {
			c.person.want(room, true)
		}
	case l.muted[room]:
		delete(l.muted, room)
	case !l.joined[room] || c.speaks(room):
	case len(wants) > 1 && c.person.devices == 1 && c.rng.IntN(2) == 0:
		c.person.want(room, false)
		c.leaving[room] = true
	case !l.waits("unsubscribe", room):
		return c.ask(ctx, l, packet{Type: "unsubscribe", ReceiverID: room}, request{conversation: room})
	}
	return nil
}
