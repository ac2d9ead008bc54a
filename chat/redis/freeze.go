package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hawser-ws/hawser/chat/doorbell"
)

// This file and inherit.go let another process go on as the node that this one is, under the same ids: nobody is
// seen to leave or to come, and sessions stay where they are.
//
//	old process                              new process
//	                                         Open with Config.Inherit: connects, reads the bans
//	Freeze: all pending writes; after
//	  that, only heartbeats
//	State -------- ids, positions ---------> Inherit: changes nothing
//	                                         Ready: Redis has the last heartbeat of Freeze,
//	                                           and takes the node for alive
//	       <------ the commit -------------- Start: a heartbeat; subscribes; reads
//	Retire: no more heartbeats                 what neither has heard meanwhile
//	ends, without Close
//
// If the new process does not start, Thaw of the old one goes on in the same way as Start does. Who may
// write under the ids is not decided here, but by the commit: before it the new process has nothing to write, as its gate is
// shut, and after it the old one's gate stays shut. So it does not matter when either of them is stopped,
// wakes up or is killed.
//
// Others take a node for dead that is silent for Config.silence. So the old process sends heartbeats until it has heard
// of the commit, however long the new one takes, and the new process begins with one. The last of the old ones
// may come after the first of the new ones. That does no harm, as keepAlive only keeps a node alive that is: if the
// new process has given the node up, it stays as it is. Should the new process be stopped between the commit and its
// first heartbeat, it finds out that it was thought dead, and registers under another id, as any slow node does.
//
// The new process may be connected to another server than the old one: to a replica that has just been promoted, while
// the old one still talks to the former primary. Then what was told there last is lost, and the new process would not
// know. But a replica that has the last heartbeat of Freeze has everything that was told before it.

// takeover is the chat.Takeover.
type takeover struct{ *Engine }

// frozen is what Freeze finds out.
type frozen struct {
	deaf time.Time // since when something may not have been heard
	beat int64     // when the last heartbeat before State was, by Redis's time in ms
}

var (
	errNodes   = errors.New("chat/redis: an engine with several nodes, or none, cannot be handed over")
	errRemoval = errors.New("chat/redis: another node has died, and what it had is being removed: try again")
	errRevived = errors.New("chat/redis: this node was thought dead, and what it had under its earlier id is being removed: try again")
)

// Freeze implements chat.Takeover.
func (t takeover) Freeze(ctx context.Context) error {
	b := t.broker
	nodes := b.all()
	switch {
	case len(nodes) != 1:
		return errNodes
	case !t.store.ready.Load():
		return errNotReady
	}
	n := nodes[0]
	if err := t.finish(ctx); err != nil {
		return fmt.Errorf("chat/redis: freeze: %w", err)
	}
	t.frozen.deaf, _ = b.listener.sure()
	err := t.stop(ctx, n)
	if err != nil {
		t.Thaw() // what was not heard meanwhile is looked at
	}
	return err
}

// stop shuts the gate, and returns when nothing is under way.
func (t takeover) stop(ctx context.Context, n *node) error {
	b := t.broker
	err := b.gate.close(ctx)
	if err == nil {
		err = n.bell.Freeze(ctx)
	}
	if err == nil {
		err = b.gate.close(ctx) // doorbells of what the bell has read last are sent
	}
	if err != nil {
		return fmt.Errorf("chat/redis: freeze: %w", err)
	}
	if t.frozen.beat, err = b.keepAlive(ctx); err != nil {
		return fmt.Errorf("chat/redis: freeze: the last heartbeat: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case len(b.registry.hidden) > 0 || b.finding > 0:
		return errRemoval
	case b.removing > 0:
		return errRevived
	}
	return nil
}

// finish sends a heartbeat and all pending writes. Little of that is left when the gate is shut.
func (t takeover) finish(ctx context.Context) error {
	if err := t.broker.pulse(ctx); err != nil {
		return err
	}
	if err := t.sessions.flush(ctx, func(string, string) bool { return true }); err != nil {
		return err
	}
	if err := t.broker.ready(ctx); err != nil {
		return err
	}
	return t.store.flushRooms(ctx)
}

// sure returns the time up to which the listener has certainly heard everything, and whether a connection is broken:
// then gap will be called.
func (l *listener) sure() (until time.Time, broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until = time.Now()
	for _, k := range l.links {
		broken = broken || k.interrupted.Load()
		if at := *k.sure.Load(); at.Before(until) {
			until = at
		}
		if !k.missed.IsZero() && k.missed.Before(until) {
			until = k.missed
		}
	}
	for _, s := range l.subs {
		broken = broken || s.again
		if s.again && s.since.Before(until) {
			until = s.since
		}
	}
	return until, broken
}

// Thaw implements chat.Takeover.
func (t takeover) Thaw() error {
	n := t.broker.all()[0]
	b := t.broker
	n.bell.Thaw() // first: what is heard and noted must be told
	once := b.openGate(n)
	select {
	case b.beatNow <- struct{}{}:
	default:
	}
	if b.gate.try() {
		defer b.gate.leave()
		b.lookAround(n, look{t.frozen.deaf, once})
	}
	return nil
}

// State implements chat.Takeover.
func (t takeover) State() (state []byte, files []*os.File, err error) {
	n := t.broker.all()[0]
	l := t.broker.unfinished(look{t.frozen.deaf, true})
	h := &handedOver{epoch: t.store.knownEpoch(), deaf: t.store.Now() - time.Since(l.since).Milliseconds(), beat: t.frozen.beat, known: n.moves.known()}
	t.broker.handOver(h)
	// The rest will only turn out when this process cannot tell any more.
	_, broken := t.broker.listener.sure()
	h.gapped = h.gapped || !l.once || broken || t.store.hasFew()
	bell := n.bell.Standing()
	h.places = bell.Conversations
	n.roster.handOver(h, bell.Inboxes)
	t.sessions.handOver(h)
	return h.append(nil), nil, nil
}

// Retire implements chat.Takeover.
func (t takeover) Retire() {
	t.cancel()
	t.broker.cancel()
}

// handOver writes what is true of all nodes here.
func (b *broker) handOver(h *handedOver) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h.process, h.control, h.gapped = b.registry.self, b.control, b.gapped
}

// handOver writes who is connected.
func (r *roster) handOver(h *handedOver, inboxes []doorbell.InboxPlace) {
	places := make(map[string]doorbell.InboxPlace, len(inboxes))
	for _, p := range inboxes {
		places[p.User] = p
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h.node, h.registered = r.id, r.registered
	for id, p := range r.people {
		one := handedPerson{user: p.user, known: p.known, rev: p.rev, inbox: places[id]}
		for room := range p.rooms {
			one.rooms = append(one.rooms, room)
		}
		h.people = append(h.people, one)
	}
	for _, c := range r.queue {
		h.untold = append(h.untold, handedMove{move{c.room, c.user}, c.again, c.doubted})
	}
	for key := range r.unsure { // as tellUnsure does
		h.untold = append(h.untold, handedMove{move: move{key[0], key[1]}})
	}
	for _, some := range r.recent {
		for key := range some {
			h.recent = append(h.recent, move{key[0], key[1]})
		}
	}
}

// handOver writes the sessions that have, or had, connections here.
func (ss *sessions) handOver(h *handedOver) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	h.refreshed = time.Since(ss.refreshed)
	for id, s := range ss.held {
		h.sessions = append(h.sessions, handedSession{id: id, user: s.user, released: s.released, seen: s.seen, record: s.record, sure: time.Since(s.sure)})
	}
}
