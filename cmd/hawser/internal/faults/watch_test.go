//go:build linux

package faults

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/hawser-ws/hawser/cmd/hawser/internal/consistency"
)

// watching reports whether the client wants presence events.
func (c *client) watching() bool { return slices.Contains(c.features, "presence") }

// watch asks once for the presence in the rooms; from then on the client is
// told.
func (c *client) watch(ctx context.Context, l *link, _ time.Time) error {
	if !c.watching() {
		return nil
	}
	for _, room := range slices.Sorted(maps.Keys(l.joined)) {
		if !l.joined[room] || l.here[room] != nil || l.waits("presence", room) {
			continue
		}
		if err := c.ask(ctx, l, packet{Type: "presence", ReceiverID: room}, request{conversation: room, watching: true}); err != nil {
			return err
		}
	}
	return nil
}

// present processes the answer to a presence request.
func (c *client) present(l *link, r *request, p packet) {
	c.record(l, consistency.Event{Kind: consistency.Present, Began: r.began, Conversation: r.conversation, Users: users(p)})
	if r.verifying && !slices.Contains(users(p), l.ok.UserID) {
		c.run.rec.count("a member is not in the room")
		c.distrust(l, r.conversation)
	}
	if !r.watching || !l.joined[r.conversation] {
		return
	}
	here := map[string]bool{}
	for _, id := range users(p) {
		here[id] = true
	}
	l.here[r.conversation] = here
}

// moved processes a presence event.
func (l *link) moved(p packet) {
	here := l.here[p.ReceiverID]
	switch {
	case here == nil:
	case p.Event == "joined":
		here[p.UserID] = true
	case p.Event == "left":
		delete(here, p.UserID)
	}
}

// watched returns the users that the clients believe to be in the rooms that
// they watch.
func (r *run) watched() (events []consistency.Event) {
	for _, c := range r.clients {
		c.mu.Lock()
		if l := c.link; l != nil {
			for room, here := range l.here {
				events = append(events, consistency.Event{Kind: consistency.Present, Began: r.rec.now(), Conn: l.id, Client: c.name, Node: l.node.name,
					Conversation: room, Users: slices.Sorted(maps.Keys(here))})
			}
		}
		c.mu.Unlock()
	}
	return events
}
