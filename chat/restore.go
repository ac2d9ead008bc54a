package chat

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// This file makes a frozen hub, which has no connections, what that of another process was.

// ErrBadState is returned for what no hub has written.
var ErrBadState = errors.New("chat: the other process's state makes no sense")

// maxExpected bounds for how many connections room is made at once.
const maxExpected = 1 << 20

// Restore takes what State has returned.
func (f *Frozen) Restore(state []byte) error {
	f.h.restoring.Store(true)
	var s frozenHub
	if err := decode(snapshot.NewReader(state), s.fields); err != nil {
		return fmt.Errorf("%w: %w", ErrBadState, err)
	}
	now := f.h.clock.Monotonic()
	f.h.mu.Lock()
	f.h.connections = make(map[*Connection]struct{}, min(s.connections, maxExpected))
	f.h.mu.Unlock()
	f.rooms = make(map[string]time.Duration, len(s.rooms))
	for _, r := range s.rooms {
		f.rooms[r.name] = now + r.used
	}
	if l, ok := f.h.limits.(interface {
		restoreState(state []byte, now time.Duration) error
	}); ok && len(s.limits) > 0 {
		if err := l.restoreState(s.limits, now); err != nil {
			return fmt.Errorf("%w: limits: %w", ErrBadState, err)
		}
	}
	return nil
}

// Open adds a connection that Connection.Freeze has described. It may wait for the engine. It is safe for
// concurrent use. remote is asked for the address if an older program has not written it.
func (f *Frozen) Open(ctx context.Context, socket Socket, remote func() netip.AddrPort, state []byte) (*Connection, error) {
	var s frozenConnection
	if err := decode(snapshot.NewReader(state), s.fields); err != nil {
		return nil, fmt.Errorf("%w: a connection: %w", ErrBadState, err)
	}
	if s.state > connectionEnded || (s.closing != nil) != (s.state == connectionClosing) || s.throttled && s.timer == 0 ||
		s.state == authExpected && (s.user != "" || s.timer == 0) {
		return nil, fmt.Errorf("%w: a connection in state %d", ErrBadState, s.state)
	}
	info := ConnectionInfo{UserID: s.certified}
	if s.remote == "" {
		info.RemoteAddr = remote()
	} else if info.RemoteAddr.UnmarshalBinary([]byte(s.remote)) != nil {
		return nil, fmt.Errorf("%w: the address of a connection", ErrBadState)
	}
	h := f.h
	c := h.add(socket, info)
	c.mu.Lock()
	c.restore(&s)
	c.mu.Unlock()
	if s.user == "" {
		return c, nil
	}
	h.cfg.Observer.ConnectionAuthenticated()
	return c, f.logIn(ctx, c, &s)
}

// restore restores what has nothing to do with the engine. Called with mu held.
func (c *Connection) restore(s *frozenConnection) {
	now := c.hub.clock.Monotonic()
	c.state, c.paused, c.admitted, c.throttled, c.refusal = s.state, s.paused, s.admitted, s.throttled, s.refusal
	c.userID, c.muted = s.user, s.muted
	c.pace = now + s.pace
	if s.fast != 0 {
		c.fast = now - s.fast
	}
	for _, age := range s.errors {
		c.errors = append(c.errors, now-age)
	}
	if s.closing != nil {
		c.closing = &closing{code: s.closing.code, reason: s.closing.reason}
		c.cutAfter(s.closing.left)
	}
	switch {
	case s.state == authExpected:
		c.startTimer(s.timer, c.authTimedOut)
	case s.throttled:
		c.startTimer(s.timer, c.unthrottle)
	}
	for _, text := range s.queue {
		if text == "" {
			c.queue = append(c.queue, &Operation{kind: &opMembership})
			continue
		}
		op, fail := c.hub.Parse([]byte(text))
		if fail != nil { // the limits are others now
			c.refuse(fail, op.ref)
			continue
		}
		op.text = []byte(text)
		c.queue = append(c.queue, op)
	}
}

// logIn makes a connection that of its user, in its session and its rooms.
func (f *Frozen) logIn(ctx context.Context, c *Connection, s *frozenConnection) error {
	h := f.h
	p, err := f.connect(ctx, s.user)
	if err != nil {
		return err
	}
	h.mu.Lock()
	p.connections = append(p.connections, c)
	c.person, c.session, c.role, c.features = p, s.session, s.role, s.features
	if s.expires > 0 {
		h.expiries.restore(c, s.expires, s.warned)
	}
	h.mu.Unlock()
	for _, name := range s.rooms {
		r, err := f.room(ctx, name)
		if err != nil {
			return err
		}
		h.node.Enter(name, s.user)
		c.rooms = append(c.rooms, r)
		f.enter(c, r, s)
	}
	for _, b := range s.ahead {
		if !ValidRoom(b.receiver) {
			c.ahead = append(c.ahead, f.register(b.behind(c, nil)))
		}
	}
	if s.catchUp != nil {
		f.catchUp(c, s.catchUp)
	}
	return nil
}

// connect says that a user has a connection.
func (f *Frozen) connect(ctx context.Context, userID string) (*person, error) {
	h := f.h
	u, err := h.node.Connect(ctx, userID)
	if err != nil && !errors.Is(err, ErrNotFound) { // which was deleted, and is about to hear it
		return nil, fmt.Errorf("chat: a user who is connected cannot be read: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.people[userID]
	if p == nil {
		p = &person{id: userID}
		h.people[userID] = p
	}
	if p.profile.Load() == nil {
		u.ID = userID
		p.profile.Store(&u)
	}
	return p, nil
}

// room subscribes to a room, if that has not been done.
func (f *Frozen) room(ctx context.Context, name string) (*room, error) {
	s := f.h.shard(RoomConversation(name))
	s.mu.Lock()
	r := s.rooms[name]
	s.mu.Unlock()
	if r != nil {
		return r, nil
	}
	f.making.Lock()
	defer f.making.Unlock()
	s.mu.Lock()
	r = s.rooms[name]
	s.mu.Unlock()
	if r != nil { // another connection's meanwhile
		return r, nil
	}
	tail, err := f.h.node.Subscribe(ctx, RoomConversation(name))
	if err != nil {
		return nil, fmt.Errorf("chat: a room that somebody is in cannot be read: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r = &room{name: name, tail: tail, members: f.h.cfg.NewFanout()}
	r.fresh.Store(tail.Seq == 0)
	r.out.full.Store(int64(f.rooms[name]))
	s.rooms[name] = r
	return r, nil
}

// enter has a connection hear a room, unless it is behind or ahead there.
func (f *Frozen) enter(c *Connection, r *room, s *frozenConnection) {
	sh := f.h.shard(RoomConversation(r.name))
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if u := s.catchUp; u != nil {
		for _, b := range u.behind {
			if b.receiver == r.name {
				sh.watch(c, r) // catchUp registers it
				return
			}
		}
	}
	for _, b := range s.ahead {
		if b.receiver == r.name {
			sh.watch(c, r)
			sh.register(b.behind(c, r))
			return
		}
	}
	sh.add(c, r)
}

// behind makes a behind of a connection. It is not registered.
func (f *frozenBehind) behind(c *Connection, r *room) *behind {
	b := &behind{
		c: c, receiver: f.receiver, held: f.held, valid: f.valid, epoch: f.epoch, at: f.at, last: f.last, until: f.until,
		begun: f.begun, stale: f.stale, missed: int(min(f.missed, math.MaxInt32)), ahead: f.ahead, cut: f.cut, lost: f.lost,
		room: r, index: -1,
	}
	b.in = RoomConversation(f.receiver)
	if !ValidRoom(f.receiver) {
		b.in = PrivateConversation(c.person.id, f.receiver)
	}
	return b
}

func (f *Frozen) register(b *behind) *behind {
	s := f.h.shard(b.in)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.register(b)
	return b
}

// catchUp has a connection catch up, from where it was.
func (f *Frozen) catchUp(c *Connection, s *frozenCatchUp) {
	u := &catchUp{
		hub: f.h, c: c, op: &Operation{kind: &opAuth, ref: s.ref}, resume: new(resumeFields), missed: int(min(s.missed, math.MaxInt32)),
	}
	for _, one := range s.behind {
		b := one.behind(c, c.in(one.receiver))
		u.behind = append(u.behind, b)
		if b.room != nil || !ValidRoom(b.receiver) {
			f.register(b)
		}
	}
	if t := s.talks; t != nil {
		u.talks = &talkList{since: t.since, after: t.after, told: int(min(t.told, math.MaxInt32)), listed: t.listed,
			known: conversationSet(t.known), missed: conversationSet(t.missed)}
		f.h.mu.Lock()
		c.listing = u.talks
		f.h.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running, c.catching, c.parked = 1, u, true
}

func conversationSet(names []string) conversations {
	set := make(conversations, len(names))
	for _, name := range names {
		set[Conversation(name)] = true
	}
	return set
}

// RestoreLeft takes what Left has returned. It must be called after the last Open has returned.
func (f *Frozen) RestoreLeft(ctx context.Context, state []byte) error {
	r := snapshot.NewReader(state)
	for r.Len() > 0 {
		var one frozenLeft
		if err := decode(snapshot.NewReader(r.Bytes(r.Len())), one.fields); err != nil || one.user == "" {
			return fmt.Errorf("%w: a connection that was left", ErrBadState)
		}
		p, err := f.connect(ctx, one.user)
		if err != nil {
			return err
		}
		c := &Connection{hub: f.h, person: p, session: one.session, state: connectionEnded}
		for _, name := range one.rooms {
			room, err := f.room(ctx, name)
			if err != nil {
				return err
			}
			s := f.h.shard(RoomConversation(name))
			s.mu.Lock()
			s.enter(room)
			s.register(&behind{c: c, receiver: name, in: RoomConversation(name), room: room, ahead: true, at: never, index: -1}) // it hears nothing
			s.mu.Unlock()
			f.h.node.Enter(name, one.user)
			c.rooms = append(c.rooms, room)
		}
		f.h.mu.Lock()
		p.connections = append(p.connections, c)
		f.h.mu.Unlock()
		f.left = append(f.left, c)
	}
	f.rejoin()
	f.h.restoring.Store(false)
	return r.End()
}

// rejoin counts the connections of all sessions.
func (f *Frozen) rejoin() {
	all := slices.DeleteFunc(f.h.all(), func(c *Connection) bool { return c.person == nil })
	open := len(all)
	all = append(all, f.left...)
	sessions := make([]string, len(all))
	for i, c := range all {
		sessions[i] = c.session
	}
	for i, known := range f.h.engine.Takeover.Rejoin(sessions)[:open] {
		if !known {
			f.doubtful = append(f.doubtful, all[i])
		}
	}
}
