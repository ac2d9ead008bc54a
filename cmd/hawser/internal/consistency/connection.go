package consistency

import (
	"slices"
	"time"
)

// stream is what a connection is told about one conversation.
type stream struct {
	on     bool // heard; without a notice, from its first message on
	left   bool // it was on, and ended
	ending bool // it ends at some time: the client has asked for that
	epoch  string
	pos    uint64 // of the last message, or of the subscription
	last   *Event
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
	members map[memberKey]*Event
	pending map[attempt]int // how many there are without an answer
}

// checkConnections: a connection gets every message after its position once, in order, or a
// reload; and when the service is well it has got everything.
func (c *checker) checkConnections() {
	f := &streams{checker: c, all: map[streamKey]*stream{}, members: map[memberKey]*Event{}, pending: map[attempt]int{}}
	for i := range c.history {
		e := &c.history[i]
		switch e.Kind {
		case Sent:
			f.pending[attempt{streamKey{e.Conn, e.Conversation}, e.Ref}]++
			if s := f.at(e); s.left {
				s.left = false // sending to a room joins it
			}
		case Acked, Refused:
			if s := f.at(e); e.Kind == Acked {
				s.left = false // messages sent before it left may have arrived after that
			}
			f.pending[attempt{streamKey{e.Conn, e.Conversation}, e.Ref}]--
		case Ready:
			f.ready(e)
		case Subscribed, Resumed:
			f.subscribed(e)
		case Joining:
			f.at(e).left = false // a join with an unknown outcome may have had its effect
		case Leaving:
			delete(f.members, memberKey{f.user(e), e.Conversation})
			f.at(e).ending = true
		case Left:
			f.left(e)
			delete(f.members, memberKey{f.user(e), e.Conversation})
		case Unsubscribed:
			f.left(e)
		case Gone:
			f.gone(e)
		case Reload:
			f.reload(e)
		case Delivered:
			f.delivered(e)
		case Lossy:
			f.lossy(e)
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
	if s.left || s.epoch != e.Epoch || s.pos < e.Seq { // a client that has left begins where it is told
		s.pos = e.Seq
	}
	s.on, s.left, s.ending, s.epoch, s.last = true, false, false, e.Epoch, e
	if e.Kind == Subscribed {
		f.joined(e)
	}
}

func (f *streams) left(e *Event) {
	s := f.at(e)
	s.on, s.left, s.ending, s.last = false, true, false, e
}

// losing reports whether data may have been lost just now. A node notices that messages it has
// sent no longer exist before a new epoch begins.
func (c *checker) losing(e *Event) bool {
	return slices.ContainsFunc(c.losses, func(l *Event) bool { return l.near(e) })
}

// near reports whether an event may be a consequence of a loss.
func (e *Event) near(other *Event) bool { return e.Began <= other.At && other.At <= e.At+time.Minute }

// maxBehind is how many messages of a conversation a client may have missed without being told
// to read them.
const maxBehind = 1000

func (f *streams) reload(e *Event) {
	s := f.at(e)
	if s.on && s.epoch == e.Epoch && e.Seq <= s.pos+maxBehind && !f.losing(e) {
		f.report(ReloadRule, []*Event{s.last, e}, "a connection is told to reload %s, whose epoch is still %s", e.Conversation, e.Epoch)
	}
	if !s.on && f.forgotten(e) {
		s.ending = true
	}
	s.on, s.left, s.epoch, s.pos, s.last = true, false, e.Epoch, e.Seq, e
}

// forgotten reports whether the membership behind a connection that has heard nothing of a room so
// far may be lost.
func (f *streams) forgotten(e *Event) bool {
	_, _, private := people(e.Conversation)
	return !private && slices.ContainsFunc(f.losses, func(l *Event) bool { return l.Window < 0 && l.near(e) })
}

// lossy: with everything else the memberships may be lost, and then connections hear their rooms
// only until that is noticed.
func (f *streams) lossy(e *Event) {
	if e.Window >= 0 {
		return
	}
	for key, s := range f.all {
		if _, _, private := people(key.conversation); !private {
			s.ending = s.on
		}
	}
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
	case old.ending:
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
	k := f.conns[e.Conn]
	began := k.began
	if _, _, private := people(e.Conversation); !private {
		m := f.member(k.user, e.Conversation)
		if m == nil || k.ready == nil || m.At > began.At {
			return // it is unknown when it began to hear
		}
		began = k.ready
	}
	for seq := e.Seq - 1; seq > 0; seq-- {
		m := f.places[place{branch{e.Conversation, e.Epoch}, seq}]
		if m == nil {
			continue
		}
		s := f.content[m.Content]
		if s == nil || s.first.At < began.At {
			return // older messages may have been stored before the connection began
		}
		f.report(Delivery, []*Event{began, s.first, e}, "the first message of %s that a connection gets is seq %d; seq %d was sent after it had begun",
			e.Conversation, e.Seq, seq)
	}
}
