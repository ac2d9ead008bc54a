package consistency

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// memberTime is the time after which a membership is on disk: a second, plus a margin for
// clocks and processes.
const memberTime = 1200 * time.Millisecond

type memberKey struct{ user, room string }

// joined notes that a user is a member of a room. e is kept as the proof, as long as
// nothing can have undone it.
func (f *streams) joined(e *Event) {
	if _, _, private := people(e.Conversation); private {
		return
	}
	key := memberKey{f.user(e), e.Conversation}
	if old := f.members[key]; old == nil || !f.certain(old) {
		f.members[key] = e
	}
}

// certain reports whether a membership is permanent: nothing was done to the service
// before it was on disk, and no loss has removed it.
func (f *streams) certain(joined *Event) bool {
	for _, fault := range f.faults {
		if fault.At >= joined.At && fault.At < joined.At+memberTime {
			return false
		}
	}
	return !slices.ContainsFunc(f.losses, func(l *Event) bool {
		return l.At >= joined.At && (l.Window < 0 || joined.At >= l.Began-l.Window)
	})
}

// member returns the proof that a user is certainly a member of a room, or nil.
func (f *streams) member(user, room string) *Event {
	if e := f.members[memberKey{user, room}]; e != nil && f.certain(e) {
		return e
	}
	return nil
}

// ready: after auth a connection hears all rooms of its user.
func (f *streams) ready(e *Event) {
	k := f.conns[e.Conn]
	if !e.Told {
		return
	}
	for _, key := range f.roomsOf(k.user) {
		m := f.member(key.user, key.room)
		if m == nil || m.At >= k.began.At {
			continue
		}
		if s := f.all[streamKey{e.Conn, key.room}]; s == nil || !s.on && !s.left {
			f.report(Delivery, []*Event{m, k.began, e}, "%s is a member of %s, and a new connection does not hear it", k.user, key.room)
		}
	}
}

func (f *streams) roomsOf(user string) []memberKey {
	return slices.SortedFunc(func(yield func(memberKey) bool) {
		for key := range maps.Keys(f.members) {
			if key.user == user && !yield(key) {
				return
			}
		}
	}, func(a, b memberKey) int { return strings.Compare(a.room, b.room) })
}

// gone: no user is removed from a room.
func (f *streams) gone(e *Event) {
	user := f.user(e)
	if m := f.member(user, e.Conversation); m != nil {
		f.report(Delivery, []*Event{m, e}, "%s is told to be no member of %s", user, e.Conversation)
	}
	delete(f.members, memberKey{user, e.Conversation})
	f.at(e).on = false
}

// hears reports whether a connection hears a room.
func (f *streams) hears(id int, room string) bool {
	k := f.conns[id]
	if s := f.all[streamKey{id, room}]; s != nil && (s.on || s.left) {
		return s.on
	}
	return k.ready != nil && f.member(k.user, room) != nil
}
