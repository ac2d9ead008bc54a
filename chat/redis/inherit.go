package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/doorbell"
)

// This file is how a new process goes on as the node of another one: see freeze.go.

// inherited is what a node has until Start.
type inherited struct {
	handed *handedOver
	people map[string]*handedPerson
}

// inherit prepares a node to take over what another process hands over. It reads nothing, and tells Redis
// nothing.
func (n *node) inherit() {
	n.bell.Freeze(n.b.ctx) // at once, as nothing is being read
	n.inherited = &inherited{handed: new(handedOver)}
	n.roster.mu.Lock()
	defer n.roster.mu.Unlock()
	n.roster.silent = true
}

// prepare is getReady for an engine that inherits: it verifies and reads what can be before clients have
// to wait. The other process serves meanwhile.
func (e *Engine) prepare(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, 2*e.cfg.Timeout)
	defer cancel()
	if err := e.permitted(limited); err != nil {
		return err
	}
	if err := e.knowOwners(limited); err != nil {
		return err
	}
	if err := e.tellTime(limited); err != nil {
		return err
	}
	if err := e.store.checkDurability(limited); err != nil && !errors.Is(err, errReplicas) && !errors.Is(err, errRewriting) {
		return err
	}
	if err := e.listen(limited); err != nil {
		return err
	}
	e.broker.listener.watch() // after State, the other process cannot tell any more that one has broken
	if err := e.bans.start(ctx); err != nil {
		return err
	}
	e.store.ready.Store(true)
	return nil
}

var errNothingHanded = errors.New("chat/redis: nothing was handed over: the other process may have its messages elsewhere")

// Inherit implements chat.Takeover.
func (t takeover) Inherit(state []byte, files []*os.File) error {
	nodes := t.broker.all()
	if len(nodes) != 1 || nodes[0].inherited == nil {
		return errNodes
	}
	if len(state) == 0 || len(files) > 0 {
		return errNothingHanded
	}
	h, err := parseHandedOver(state)
	if err != nil {
		return err
	}
	n := nodes[0]
	n.inherited.take(h)
	n.moves.inherit(h.known)
	bell := doorbell.Standing{Conversations: h.places}
	for i := range h.people {
		if p := &h.people[i]; p.inbox.User != "" {
			bell.Inboxes = append(bell.Inboxes, p.inbox)
		}
	}
	n.bell.Inherit(bell)
	n.roster.mu.Lock()
	n.roster.id, n.roster.registered = h.node, h.registered
	n.roster.mu.Unlock()
	t.sessions.inherit(h)
	t.broker.inherit(h)
	t.store.mu.Lock()
	t.store.epoch = h.epoch // if Redis has another one by now, Engine.check notices
	t.store.mu.Unlock()
	return nil
}

// inherit takes what is true of all nodes. This process has found out for itself where the control stream ends, before
// the other one was frozen; that one may have been behind.
func (b *broker) inherit(h *handedOver) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.registry.self = h.process
	b.gapped = b.gapped || h.gapped
	if h.control != "" && laterEntry(b.control, h.control) == b.control {
		b.control = h.control
	}
}

func (in *inherited) take(h *handedOver) {
	in.handed = h
	in.people = make(map[string]*handedPerson, len(h.people))
	for i := range h.people {
		in.people[h.people[i].user.ID] = &h.people[i]
	}
}

// connect is Connect for a person who was connected to the other process.
func (in *inherited) connect(n *node, userID string) (chat.User, error) {
	p := in.people[userID]
	if p == nil {
		return chat.User{}, fmt.Errorf("%w: user %s was not connected", errHandover, userID)
	}
	n.roster.connect(p.user.ID)
	if err := n.bell.Follow(n.b.ctx, p.user.ID); err != nil {
		return chat.User{}, err
	}
	if !p.known {
		return chat.User{}, chat.ErrNotFound
	}
	return n.roster.is(p.user, p.rev), nil
}

// inherit takes the sessions that have, or had, connections at the other process. Rejoin counts those that have.
func (ss *sessions) inherit(h *handedOver) {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	now := time.Now()
	ss.self, ss.refreshed = h.process, now.Add(-h.refreshed)
	for _, s := range h.sessions {
		ss.held[s.id] = &heldSession{user: s.user, released: s.released, seen: s.seen, record: s.record, sure: now.Add(-s.sure)}
	}
}

// Rejoin implements chat.Takeover. That a session has ended meanwhile is told by the control stream.
func (t takeover) Rejoin(ids []string) (known []bool) {
	ss := t.sessions
	ss.mu.Lock()
	defer ss.mu.Unlock()
	known = make([]bool, len(ids))
	for i, id := range ids {
		if h := ss.held[id]; h != nil {
			h.open++
			known[i] = true
		}
	}
	return known
}

// begin writes what the other process could not write about its sessions.
func (ss *sessions) begin() {
	ss.mu.Lock()
	defer ss.mu.Unlock()
	for id, h := range ss.held {
		switch {
		case h.released > 0:
			h.queued = true
			ss.released = append(ss.released, id)
		case h.open == 0:
			delete(ss.held, id)
		}
	}
	ss.wake.Signal()
}

// Ready implements chat.Takeover. Redis itself says whether the node is there.
func (t takeover) Ready(ctx context.Context) error {
	b := t.broker
	h := b.all()[0].inherited.handed
	score := func(id string) rueidis.Completed {
		return b.heart.B().Zscore().Key(b.keys.nodes()).Member(id).Build()
	}
	scores := rueidis.Commands{score(h.process)}
	if h.registered {
		scores = append(scores, score(h.node))
	}
	for _, r := range b.heart.DoMulti(ctx, scores...) {
		text, err := r.ToString()
		if err != nil && !rueidis.IsRedisNil(err) {
			return fmt.Errorf("chat/redis: %w", err)
		}
		at, _ := strconv.ParseFloat(text, 64)
		switch {
		case at <= 0:
			return errors.New("chat/redis: this Redis does not know the other process's node, or takes it for dead")
		case int64(at) < h.beat:
			return errors.New("chat/redis: this Redis has not had the node's last heartbeat: another server has just taken over, or the clock was set back")
		}
	}
	return nil
}

// Start implements chat.Takeover.
func (t takeover) Start() {
	b := t.broker
	n := b.all()[0]
	in := n.inherited
	rooms, people := n.adopt()
	t.sessions.begin()
	n.roster.begin(in)
	n.inherited = nil
	deaf := time.Now().Add(-time.Duration(t.store.Now()-in.handed.deaf) * time.Millisecond)
	n.bell.Thaw()
	l := &look{deaf, b.openGate(n)}
	b.begin(l)
	t.repeat()
	for _, now := range []chan struct{}{b.beatNow, t.checkNow} {
		now <- struct{}{} // it has room for one
	}
	time.AfterFunc(max(0, t.refreshEvery()-in.handed.refreshed), t.refreshSoon)
	b.wg.Go(func() {
		defer b.finished(l)
		if b.listener.heard(b.ctx, rooms) == nil {
			n.bell.Probe()
		}
		if b.listener.heard(b.ctx, people) == nil && b.gate.enter(b.ctx) == nil {
			defer b.gate.leave()
			b.lookAround(n, *l)
		}
	})
}

// adopt begins to listen to the node's channels.
func (n *node) adopt() (rooms, people []string) {
	n.mu.Lock()
	for c := range n.subscribed {
		rooms = append(rooms, n.b.keys.channel(c))
	}
	n.mu.Unlock()
	connections := make(map[string]int)
	n.roster.mu.Lock()
	for id, p := range n.roster.people {
		channel := n.b.keys.userChannel(id)
		people = append(people, channel)
		connections[channel] = p.connections
	}
	n.roster.mu.Unlock()
	n.b.listener.want(rooms, func(string) int { return 1 })
	n.b.listener.want(people, func(channel string) int { return connections[channel] })
	return rooms, people
}

// begin has Redis told what it does not know yet: where the connections that are here now are not what the other
// process has told, and what that process could not tell.
func (r *roster) begin(in *inherited) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = false
	differ := make(map[[2]string]bool)
	for id, was := range in.people {
		p := r.people[id]
		if p == nil {
			differ[[2]string{"", id}] = true
			p = &person{}
		}
		told := make(map[string]bool, len(was.rooms))
		for _, room := range was.rooms {
			told[room] = true
			if p.rooms[room] == 0 {
				differ[[2]string{room, id}] = true
			}
		}
		for room := range p.rooms {
			if !told[room] {
				differ[[2]string{room, id}] = true
			}
		}
	}
	r.tellAgain(differ, false)
	for _, m := range in.handed.untold {
		before := len(r.queue)
		r.tellAgain(map[[2]string]bool{{m.room, m.user}: true}, m.doubted)
		for i := before; i < len(r.queue); i++ {
			r.queue[i].again = m.again
		}
	}
	r.recent[0], r.turned = make(map[[2]string]bool), time.Now()
	for _, m := range in.handed.recent {
		r.recent[0][[2]string{m.room, m.user}] = true
	}
}
