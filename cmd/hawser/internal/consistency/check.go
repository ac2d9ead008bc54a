package consistency

import (
	"iter"
	"time"
)

// Check lists the violations in a history, whose events must be in the order of At.
func Check(history []Event) []Violation {
	c := &checker{
		history: history,
		count:   map[Rule]int{},
		conns:   map[int]*connection{},
		users:   map[string]*Event{},
		sends:   map[sendKey]*send{},
		content: map[string]*send{},
		places:  map[place]*sight{},
		tails:   map[branch]*tail{},
		epochs:  map[string]*lineage{},
	}
	c.index()
	c.checkOrder()
	c.checkGhosts()
	c.checkEpochs()
	c.checkReads()
	c.checkLosses()
	c.checkConnections()
	c.checkClients()
	c.checkAnswers()
	c.reportRest()
	return c.found
}

type checker struct {
	history []Event
	found   []Violation
	count   map[Rule]int

	// The results of index.
	conns   map[int]*connection
	users   map[string]*Event // when they first connected
	sends   map[sendKey]*send
	sent    []*send // the same, in order
	content map[string]*send
	losses  []*Event
	faults  []*Event
	settled []*Event
	places  map[place]*sight // the first sight of the message at a place
	tails   map[branch]*tail
	epochs  map[string]*lineage // by conversation
}

// branch is the history of a conversation within one epoch.
type branch struct{ conversation, epoch string }

// place is a message's place.
type place struct {
	branch
	seq uint64
}

// connection is one connection of a client.
type connection struct {
	user, client string
	began        *Event
	ready        *Event // nil: never
	ended        *Event // nil: never
}

// openDuring reports whether the connection was open for all of an event's time.
func (k *connection) openDuring(e *Event) bool {
	return k.began.At < e.Began && (k.ended == nil || k.ended.At > e.At)
}

// sendKey names a message, as the server does.
type sendKey struct{ user, conversation, ref string }

// send is a message that was sent, once or more often.
type send struct {
	sendKey
	content     string
	first, last *Event // of kind Sent
	attempts    int
	refusals    int    // definite ones
	acked       *Event // the first time
	conns       map[int]int
	answered    bool // the last attempt was
}

// sight is a message that a client saw. The content and sender of an acknowledgement are
// those of the message that was sent.
type sight struct {
	Message
	conversation string
	event        *Event
}

func (s *sight) branch() branch { return branch{s.conversation, s.Epoch} }
func (s *sight) place() place   { return place{s.branch(), s.Seq} }

// tail is the end of a branch, as far as it was seen.
type tail struct {
	seen []seen // with rising times and seqs
}

type seen struct {
	at    time.Duration
	seq   uint64
	event *Event
}

// before returns the furthest sight before a time, or nil.
func (t *tail) before(at time.Duration) *seen {
	if t == nil {
		return nil
	}
	for i := len(t.seen) - 1; i >= 0; i-- {
		if t.seen[i].at < at {
			return &t.seen[i]
		}
	}
	return nil
}

func (c *checker) index() {
	for i := range c.history {
		e := &c.history[i]
		k := c.conns[e.Conn]
		if k == nil && e.Conn > 0 {
			k = &connection{user: e.User, client: e.Client, began: e}
			c.conns[e.Conn] = k
			if c.users[k.user] == nil {
				c.users[k.user] = e
			}
		}
		switch e.Kind {
		case Ready:
			k.ready = e
		case Disconnected:
			if k.ended == nil {
				k.ended = e
			}
		case Sent, Acked, Refused:
			c.indexSend(e)
		case Lossy:
			c.losses = append(c.losses, e)
		case Fault:
			c.faults = append(c.faults, e)
		case Settled:
			c.settled = append(c.settled, e)
		}
	}
	for s := range c.sights() {
		t := c.tails[s.branch()]
		if t == nil {
			t = &tail{}
			c.tails[s.branch()] = t
		}
		if n := len(t.seen); n == 0 || t.seen[n-1].seq < s.Seq {
			t.seen = append(t.seen, seen{s.event.At, s.Seq, s.event})
		}
	}
}

func (c *checker) indexSend(e *Event) {
	key := sendKey{c.user(e), e.Conversation, e.Ref}
	s := c.sends[key]
	if e.Kind == Sent {
		if s == nil {
			s = &send{sendKey: key, content: e.Content, first: e, conns: map[int]int{}}
			c.sends[key], c.content[e.Content] = s, s
			c.sent = append(c.sent, s)
		}
		s.last, s.answered = e, false
		s.attempts++
		s.conns[e.Conn]++
		return
	}
	if s == nil {
		return // an answer to nothing: checkAnswers says so
	}
	if e.Conn == s.last.Conn {
		s.answered = true
	}
	switch {
	case e.Kind == Acked && s.acked == nil:
		s.acked = e
	case e.Kind == Refused && e.Reason != OutcomeUnknown:
		s.refusals++
	}
}

// sights yields every sight of a message, in order. A sight is valid until the next one.
func (c *checker) sights() iter.Seq[*sight] {
	return func(yield func(*sight) bool) {
		for i := range c.history {
			e := &c.history[i]
			switch e.Kind {
			case Delivered:
				if !yield(&sight{e.Message, e.Conversation, e}) {
					return
				}
			case Acked:
				m := e.Message
				if s := c.sends[sendKey{c.user(e), e.Conversation, e.Ref}]; s != nil {
					m.Content, m.Sender = s.content, s.user
				}
				if !yield(&sight{m, e.Conversation, e}) {
					return
				}
			case Read:
				for _, m := range e.Messages {
					if !yield(&sight{m, e.Conversation, e}) {
						return
					}
				}
			}
		}
	}
}

// user returns the user of an event's connection.
func (c *checker) user(e *Event) string {
	if k := c.conns[e.Conn]; k != nil {
		return k.user
	}
	return ""
}
