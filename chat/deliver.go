package chat

import "github.com/hawser-ws/hawser/wsproto"

// receiver is the hub as its engine sees it: changes made on any node arrive here, and are
// sent to the connections of this node that they concern.
type receiver struct{ h *Hub }

// Deliver is the only fan-out: every durable change is sent to connections from here.
func (r receiver) Deliver(c Conversation, ch *Change) {
	s := r.h.shard(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[c]; f != nil && (len(f.held) > 0 || !f.has(ch)) {
		f.held = append(f.held, ch)
		return
	}
	s.emit(c, ch)
}

// emit sends a change to the connections here that it concerns. Called with mu held.
func (s *shard) emit(c Conversation, ch *Change) {
	name, isRoom := c.Room()
	if !isRoom {
		m := s.encode(c, ch)
		s.before(c, ch, m)
		one, other, _ := c.Users()
		n := s.hub.sendToUser(one, c, m, s.behind[c])
		if other != one {
			n += s.hub.sendToUser(other, c, m, s.behind[c])
		}
		s.after(c, ch)
		s.hub.cfg.Observer.Delivered(PrivateDelivery, n)
		return
	}
	r := s.rooms[name]
	switch {
	case r == nil:
	case r.subscribing:
		r.pending = append(r.pending, ch)
	case ch.Epoch != r.tail.Epoch: // of the history before a Lost
	case ch.Number <= r.tail.Change: // before the position of the subscription
	case r.count.Load() == 0:
		s.move(r, tailAt(ch))
	default:
		s.move(r, tailAt(ch))
		m := s.encode(c, ch)
		s.before(c, ch, m)
		s.countSent(r, ch.Number)
		r.members.Send(m, Urgency{})
		s.after(c, ch)
		s.hub.cfg.Observer.Delivered(RoomDelivery, int(r.count.Load()))
	}
}

// maxScratch is the maximum capacity of what a shard keeps to encode the next change in.
const maxScratch = 64 << 10

// encode makes the message that tells of a change. Called with mu held.
func (s *shard) encode(c Conversation, ch *Change) *wsproto.Prepared {
	p := appendChange(s.scratch[:0], c, ch)
	if s.scratch = p; cap(p) > maxScratch {
		s.scratch = nil
	}
	return text(p) // a copy
}

// move sets a room's position. Called with mu held.
func (s *shard) move(r *room, tail Tail) {
	if used := tail.Seq > 0; used != (r.tail.Seq > 0) {
		r.fresh.Store(!used)
		switch {
		case used:
			s.hub.unused.remove(r.name)
		case r.count.Load() > 0:
			s.hub.unused.add(r.name)
		}
	}
	r.tail = tail
}

// Lost makes those who hear a conversation read its history again.
func (r receiver) Lost(c Conversation, now Tail) {
	s := r.h.shard(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[c]; f != nil {
		f.held, f.epoch, f.upTo = nil, now.Epoch, 0
	}
	name, ok := c.Room()
	room := s.rooms[name]
	if room == nil || now.Epoch != room.tail.Epoch || now.Change > room.tail.Change {
		s.lose(c)
	}
	switch {
	case !ok:
		s.reloadPrivate(c, &now)
	case room == nil:
	case room.subscribing:
		room.pending, room.lost = nil, &now
	case now.Epoch == room.tail.Epoch && now.Change <= room.tail.Change: // nothing was missed
	default:
		s.move(room, now)
		room.out.admitted = nil
		room.members.Send(text(appendReload(nil, name, &now, r.h.now())), Urgency{})
	}
}

// reloadPrivate makes the two users of a private conversation read it again: no message may
// follow that tells of another epoch. Called with mu held.
func (s *shard) reloadPrivate(c Conversation, now *Tail) {
	one, other, _ := c.Users()
	s.hub.sendToUser(one, c, text(appendReload(nil, other, now, s.hub.now())), s.behind[c])
	if other != one {
		s.hub.sendToUser(other, c, text(appendReload(nil, one, now, s.hub.now())), s.behind[c])
	}
}

// Here tells a room's watchers about somebody in it.
func (r receiver) Here(name string, ev PresenceEvent) {
	if r.h.restoring.Load() {
		return
	}
	s := r.h.shard(RoomConversation(name))
	s.mu.Lock()
	defer s.mu.Unlock()
	if room := s.rooms[name]; room != nil && room.watchers != nil {
		s.tellWatchers(room, ev)
	}
}

// sendHere sends an event to a room's watchers. Called with mu held.
func (s *shard) sendHere(room *room, ev *PresenceEvent) {
	words := ev.User.Name + " " + ev.Kind.String()
	if ev.Kind == Renamed {
		words = ev.Before + " is now called " + ev.User.Name
	}
	m := text(appendSystem(nil, ev.Kind.String(), room.name, words, &ev.User, s.hub.now()))
	room.watchers.Send(m, Urgency{})
	s.hub.cfg.Observer.Delivered(ev.Kind.delivery(), room.watching)
	for _, q := range room.asking {
		if len(q.missed) <= maxMissed {
			q.missed = append(q.missed, m)
		}
	}
}

// asking is a watcher's question of who is in a room, while the engine is being asked. Events
// that the watcher gets in the meantime may be newer than the answer, so they are sent again
// after it.
type asking struct {
	missed []*wsproto.Prepared
}

// Renamed gives a user's connections the user's new name.
func (r receiver) Renamed(u User) {
	r.h.mu.Lock()
	defer r.h.mu.Unlock()
	if p := r.h.people[u.ID]; p != nil {
		p.renamed++
		p.profile.Store(&u)
	}
}
