package consistency

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// settled: every open connection has got everything, and presence is right.
func (f *streams) settled(w *Event) {
	now := f.readings(w)
	for _, key := range slices.SortedFunc(maps.Keys(f.all), func(a, b streamKey) int {
		if a.conn != b.conn {
			return a.conn - b.conn
		}
		return strings.Compare(a.conversation, b.conversation)
	}) {
		s, read := f.all[key], now[key.conversation]
		if read == nil || !s.on || s.ending || !f.conns[key.conn].openDuring(w) {
			continue
		}
		newest := read.Messages[len(read.Messages)-1]
		_, _, private := people(key.conversation)
		switch epoch, end := epochOf(read), newest.Seq; {
		case s.epoch != epoch && private && !f.sentAfter(newest.Content, s.last):
		case s.epoch != epoch:
			f.report(Undelivered, []*Event{s.last, read}, "connection %d was not told that %s is of epoch %s now", key.conn, key.conversation, epoch)
		case s.pos < end:
			f.report(Undelivered, []*Event{s.last, read}, "connection %d has got %s up to seq %d; it ends at %d", key.conn, key.conversation, s.pos, end)
		}
	}
	for _, conversation := range slices.Sorted(maps.Keys(now)) {
		f.settledSilent(w, now[conversation])
	}
	f.settledPresence(w)
}

func (c *checker) sentAfter(content string, e *Event) bool {
	s := c.content[content]
	return s != nil && s.first.At > e.At
}

// readings returns, of each conversation, the last reading up to its end in a window.
func (c *checker) readings(w *Event) map[string]*Event {
	now := map[string]*Event{}
	for i := range c.history {
		if e := &c.history[i]; e.Kind == Read && e.Began >= w.Began && e.At <= w.At && !e.More && len(e.Messages) > 0 {
			now[e.Conversation] = e
		}
	}
	return now
}

// settledSilent: connections that should hear a conversation, but have got nothing of it, have
// missed no message since.
func (f *streams) settledSilent(w, read *Event) {
	newest := f.content[read.Messages[len(read.Messages)-1].Content]
	if newest == nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(f.conns)) {
		k := f.conns[id]
		if s := f.all[streamKey{id, read.Conversation}]; s != nil && (s.on || s.left) || !k.openDuring(w) {
			continue
		}
		if since, hears := f.hearsSince(k, read.Conversation); hears && newest.first.At > since {
			f.report(Undelivered, []*Event{k.began, newest.first, read}, "connection %d has got nothing of %s", id, read.Conversation)
		}
	}
}

// hearsSince returns the time since which a connection hears a conversation without having
// been told.
func (f *streams) hearsSince(k *connection, conversation string) (since time.Duration, hears bool) {
	if a, b, private := people(conversation); private {
		return k.began.At, k.user == a || k.user == b
	}
	m := f.member(k.user, conversation)
	if m == nil || k.ready == nil || m.At > k.began.At {
		return 0, false
	}
	return k.ready.At, true
}

// settledPresence: the users in a room are those with an open connection that hears it. If a
// user came or went meanwhile, nothing can be checked.
func (f *streams) settledPresence(w *Event) {
	moves := []Kind{Connected, Disconnected, Ready, Subscribed, Unsubscribed, Joining, Leaving, Left, Gone}
	var lists []*Event
	for i := range f.history {
		e := &f.history[i]
		if e.At < w.Began || e.At > w.At {
			continue
		}
		if slices.Contains(moves, e.Kind) {
			return
		}
		if e.Kind == Present && e.Began >= w.Began {
			lists = append(lists, e)
		}
	}
	for _, e := range lists {
		here, perhaps := f.there(w, e.Conversation)
		want := slices.Sorted(maps.Keys(here))
		got := slices.Sorted(slices.Values(e.Users))
		known := slices.DeleteFunc(slices.Clone(got), func(user string) bool { return perhaps[user] && !here[user] })
		if !slices.Equal(want, known) {
			f.report(Presence, []*Event{e}, "%s says that in %s there are %v; there are %v", f.nodeOf(e), e.Conversation, got, want)
		}
	}
}

// there returns the users who are in a room, and those who may be.
func (f *streams) there(w *Event, room string) (here, perhaps map[string]bool) {
	here, perhaps = map[string]bool{}, map[string]bool{}
	for id, k := range f.conns {
		if !k.openDuring(w) {
			continue
		}
		s := f.all[streamKey{id, room}]
		switch {
		case s != nil && s.on && s.ending, (s == nil || !s.on && !s.left) && f.members[memberKey{k.user, room}] != nil && !f.hears(id, room):
			perhaps[k.user] = true
		case f.hears(id, room):
			here[k.user] = true
		}
	}
	return here, perhaps
}

func (c *checker) nodeOf(e *Event) string {
	if k := c.conns[e.Conn]; k != nil {
		return k.began.Node
	}
	return e.Node
}
