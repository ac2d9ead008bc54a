//go:build linux

package faults

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// act does one thing at random. It returns why the connection must end, or "".
func (c *client) act(ctx context.Context, l *link) string {
	var err error
	switch n := c.rng.IntN(100); {
	case n < 50:
		err = c.speak(ctx, l, c.someRoom(), "group")
	case n < 70:
		err = c.speak(ctx, l, c.somebody(), "message")
	case n < 78:
		err = c.look(ctx, l, c.someRoom())
	case n < 83:
		err = c.look(ctx, l, c.somebody())
	case n < 88:
		if room := c.someRoom(); room != "" {
			err = c.ask(ctx, l, packet{Type: "presence", ReceiverID: room}, request{conversation: room})
		}
	case n < 91:
		err = c.ask(ctx, l, packet{Type: "rooms"}, request{})
	case n < 93:
		err = c.ask(ctx, l, packet{Type: "peers", Limit: 500}, request{})
	case n < 97:
		err = c.change(ctx, l)
	default:
		return "it goes away"
	}
	if err != nil {
		return "cannot write"
	}
	return ""
}

// someRoom returns a room that the client wants to hear, or "".
func (c *client) someRoom() string {
	rooms := c.person.wants()
	if len(rooms) == 0 {
		return ""
	}
	return rooms[c.rng.IntN(len(rooms))]
}

// somebody returns another user.
func (c *client) somebody() string {
	p := c.run.people[c.rng.IntN(len(c.run.people))]
	if p == c.person {
		return ""
	}
	return p.get().ID
}

func (c *client) speak(ctx context.Context, l *link, receiver, kind string) error {
	if receiver == "" {
		return nil
	}
	if kind == "message" {
		c.run.talk(c.conversation(l, receiver))
	}
	ref := c.ref()
	content := ref + strings.Repeat(fmt.Sprintf(" %x", c.rng.Uint32()), c.rng.IntN(20)) + " äöü"
	c.outbox = append(c.outbox, &outgoing{conversation: c.conversation(l, receiver), receiver: receiver, ref: ref, content: content, kind: kind})
	return c.send(ctx, l, time.Now())
}

// look reads a page of history: the last one, or one from anywhere.
func (c *client) look(ctx context.Context, l *link, receiver string) error {
	if receiver == "" {
		return nil
	}
	conversation := c.conversation(l, receiver)
	p, r := packet{Type: "history", ReceiverID: receiver, Limit: 1 + c.rng.IntN(30)}, request{conversation: conversation, newest: true}
	if h := c.held[conversation]; h != nil && h.whole > 0 && c.rng.IntN(2) == 0 {
		after := c.rng.Uint64N(h.whole)
		p.AfterSeq, r.after, r.newest = &after, after, false
	}
	return c.ask(ctx, l, p, r)
}
