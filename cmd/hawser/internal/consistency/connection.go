package consistency

import (
	"maps"
	"slices"
	"strings"
)

// stream is what a connection is told of one conversation.
type stream struct {
	on    bool // subscribed; a private conversation is from its first message on
	left  bool // it was on, and ended
	epoch string
	pos   uint64 // of the last message, or of the subscription
	last  *Event
}

type streamKey struct {
	conn         int
	conversation string
}

// attempt is an attempt to send a message.
type attempt struct {
	streamKey
	ref string
}

// streams follows all connections through a history.
type streams struct {
	*checker
	all     map[streamKey]*stream
	pending map[attempt]int // how many there are without an answer
}

// checkConnections: a connection gets every message after its position once, in order, or a
// reload; and when all is well it has got everything.
func (c *checker) checkConnections() {
	f := &streams{checker: c, all: map[streamKey]*stream{}, pending: map[attempt]int{}}
	for i := range c.history {
		e := &c.history[i]
		switch e.Kind {
		case Sent:
			f.pending[attempt{streamKey{e.Conn, e.Conversation}, e.Ref}]++
			if s := f.at(e); s.left {
				s.left = false // whoever speaks in a room has joined it
			}
		case Acked, Refused:
			f.pending[attempt{streamKey{e.Conn, e.Conversation}, e.Ref}]--
		case Subscribed:
			f.subscribed(e)
		case Unsubscribed:
			s := f.at(e)
			s.on, s.left, s.last = false, true, e
		case Reload:
			f.reload(e)
		case Delivered:
			f.delivered(e)
		case Settled:
			f.settled(e)
		}
	}
}

func (f *streams) at(e *Event) *stream {
	key := streamKey{e.Conn, e.Conversation}
	s := f.all[key]
	if s == nil {
		s = &stream{}
		f.all[key] = s
	}
	return s
}

func (f *streams) subscribed(e *Event) {
	s := f.at(e)
	if s.epoch != e.Epoch || s.pos < e.Seq {
		s.pos = e.Seq
	}
	s.on, s.left, s.epoch, s.last = true, false, e.Epoch, e
}

func (f *streams) reload(e *Event) {
	s := f.at(e)
	if s.on && s.epoch == e.Epoch {
		f.report(ReloadRule, []*Event{s.last, e}, "a connection is told to reload %s, whose epoch is still %s", e.Conversation, e.Epoch)
	}
	s.on, s.left, s.epoch, s.pos, s.last = true, false, e.Epoch, e.Seq, e
}

func (f *streams) delivered(e *Event) {
	s := f.at(e)
	old := *s
	s.on, s.epoch, s.pos, s.last = true, e.Epoch, e.Seq, e
	a, b, private := people(e.Conversation)
	evidence := []*Event{old.last, e}
	switch user := f.user(e); {
	case private && user != a && user != b:
		f.report(Delivery, evidence, "%s gets a message of %s", user, e.Conversation)
	case old.left:
		f.report(Delivery, evidence, "a connection gets seq %d of %s after it has left", e.Seq, e.Conversation)
	case !old.on, private && old.epoch != e.Epoch: // nothing else tells of a new epoch in private
		f.checkStart(e)
	case old.epoch != e.Epoch:
		f.report(Delivery, evidence, "a connection gets a message of epoch %s of %s, and was told of %s", e.Epoch, e.Conversation, old.epoch)
	case e.Seq <= old.pos:
		f.report(Delivery, evidence, "a connection gets seq %d of %s after seq %d", e.Seq, e.Conversation, old.pos)
		s.pos = old.pos
	case e.Seq > old.pos+1:
		f.report(Delivery, evidence, "a connection gets seq %d of %s after seq %d: a gap", e.Seq, e.Conversation, old.pos)
	}
	if m := f.content[e.Content]; m != nil && m.first.Conn == e.Conn && f.pending[attempt{streamKey{e.Conn, e.Conversation}, m.ref}] == m.attempts {
		f.report(Early, []*Event{m.first, e}, "a connection gets %q back before it was acknowledged", e.Content)
	}
}

// checkStart: the first message that a connection gets without having subscribed is the first
// that was sent after it began.
func (f *streams) checkStart(e *Event) {
	began := f.conns[e.Conn].began
	for seq := e.Seq - 1; seq > 0; seq-- {
		m := f.places[place{branch{e.Conversation, e.Epoch}, seq}]
		if m == nil {
			continue
		}
		s := f.content[m.Content]
		if s == nil || s.first.At < began.At {
			return // what is older may have been stored before the connection began
		}
		f.report(Delivery, []*Event{began, s.first, e}, "the first message of %s that a connection gets is seq %d; seq %d was sent after it had begun",
			e.Conversation, e.Seq, seq)
	}
}

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
		if read == nil || !s.on || !f.conns[key.conn].openDuring(w) {
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
	for conversation, read := range now {
		if a, b, private := people(conversation); private {
			f.settledPrivate(w, read, a, b)
		}
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

// settledPrivate: the connections that have got nothing of a private conversation have not
// missed what was sent after they began.
func (f *streams) settledPrivate(w, read *Event, a, b string) {
	newest := f.content[read.Messages[len(read.Messages)-1].Content]
	if newest == nil {
		return
	}
	for id, k := range f.conns {
		if k.user != a && k.user != b || !k.openDuring(w) || newest.first.At < k.began.At {
			continue
		}
		if s := f.all[streamKey{id, read.Conversation}]; s == nil || !s.on {
			f.report(Undelivered, []*Event{k.began, newest.first, read}, "connection %d has got nothing of %s", id, read.Conversation)
		}
	}
}

// settledPresence: the users in a room are those with an open connection that is subscribed.
// If somebody came or went meanwhile, nothing can be said.
func (f *streams) settledPresence(w *Event) {
	for i := range f.history {
		e := &f.history[i]
		if e.At >= w.Began && e.At <= w.At && slices.Contains([]Kind{Connected, Disconnected, Subscribed, Unsubscribed}, e.Kind) {
			return
		}
	}
	here := map[string]map[string]bool{}
	for key, s := range f.all {
		if _, _, private := people(key.conversation); private || !s.on || !f.conns[key.conn].openDuring(w) {
			continue
		}
		if here[key.conversation] == nil {
			here[key.conversation] = map[string]bool{}
		}
		here[key.conversation][f.conns[key.conn].user] = true
	}
	for i := range f.history {
		e := &f.history[i]
		if e.Kind != Present || e.Began < w.Began || e.At > w.At {
			continue
		}
		want := slices.Sorted(maps.Keys(here[e.Conversation]))
		got := slices.Sorted(slices.Values(e.Users))
		if !slices.Equal(want, got) {
			f.report(Presence, []*Event{e}, "%s says that in %s there are %v; there are %v", f.nodeOf(e), e.Conversation, got, want)
		}
	}
}

func (c *checker) nodeOf(e *Event) string {
	if k := c.conns[e.Conn]; k != nil {
		return k.began.Node
	}
	return "a node"
}
