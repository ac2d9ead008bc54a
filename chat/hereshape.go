package chat

import "time"

// lateEvents are presence events of a room that wait, as the room sends out too much: of each user
// the last one, which is what is true then. Guarded by shard.mu.
type lateEvents struct {
	events map[string]*PresenceEvent // by user id
	order  []string                  // of events, those that came first first
}

// What presence events leave of a room's bucket is for messages, which would be held back and refused
// otherwise: they are sent when at least half of the bucket is free.
const hereReserve = time.Second / 2

// lateEvery is how often late events are tried again.
const lateEvery = 100 * time.Millisecond

// tellWatchers sends an event to a room's watchers, or does so later, if the room may not send out so
// much, or others wait already. Called with mu held.
func (s *shard) tellWatchers(r *room, ev PresenceEvent) {
	if len(r.late.order) == 0 && s.hub.shaping.takeSpare(&r.out, s.hub.cfg.Clock.Monotonic(), r.watching) {
		s.sendHere(r, &ev)
		return
	}
	if len(r.late.order) == 0 {
		s.hub.cfg.Observer.HeldBack(RoomDeliveriesLimit)
		s.hub.clock.AfterFunc(lateEvery, func() { s.sendLate(r) })
	}
	r.late.add(ev)
}

// add has an event take the place of an earlier one of its user.
func (l *lateEvents) add(ev PresenceEvent) {
	before := l.events[ev.User.ID]
	switch {
	case before == nil:
		if l.events == nil {
			l.events = make(map[string]*PresenceEvent)
		}
		l.events[ev.User.ID] = &ev
		l.order = append(l.order, ev.User.ID)
	case ev.Kind == Renamed: // nobody has heard of the name in between
		before.User = ev.User
	default:
		*before = ev
	}
}

// sendLate sends what may be sent by now.
func (s *shard) sendLate(r *room) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms[r.name] != r || r.watchers == nil {
		r.late = lateEvents{}
		return
	}
	now := s.hub.cfg.Clock.Monotonic()
	n := 0
	for n < len(r.late.order) && s.hub.shaping.takeSpare(&r.out, now, r.watching) {
		id := r.late.order[n]
		s.sendHere(r, r.late.events[id])
		delete(r.late.events, id)
		n++
	}
	if r.late.order = r.late.order[n:]; len(r.late.order) == 0 {
		r.late = lateEvents{}
		return
	}
	s.hub.clock.AfterFunc(lateEvery, func() { s.sendLate(r) })
}

// takeSpare counts an event to so many watchers, if messages still find hereReserve of the bucket
// free after that.
func (p *shaping) takeSpare(o *outflow, now time.Duration, watchers int) bool {
	cost := max(p.message, p.delivery*float64(watchers))
	if cost == 0 {
		return true
	}
	for {
		full := o.full.Load()
		if _, wait := second.Take(time.Duration(full), now, min(cost, float64(hereReserve))+float64(hereReserve), 0); wait > 0 {
			return false
		}
		next, _ := second.Take(time.Duration(full), now, cost, maxThrottle)
		if o.full.CompareAndSwap(full, int64(next)) {
			return true
		}
	}
}
