package consistency

import (
	"slices"
	"time"
)

// lineage is the epochs of a conversation in the order in which they were first seen.
type lineage struct{ epochs []firstSeen }

type firstSeen struct {
	epoch string
	event *Event
}

func (l *lineage) index(epoch string) int {
	if l == nil {
		return -1
	}
	return slices.IndexFunc(l.epochs, func(f firstSeen) bool { return f.epoch == epoch })
}

// epochOf returns the epoch that an event names for its conversation, or "".
func epochOf(e *Event) string {
	switch e.Kind {
	case Delivered, Acked, Subscribed, Reload:
		return e.Epoch
	case Read:
		if len(e.Messages) > 0 {
			return e.Messages[0].Epoch
		}
	}
	return ""
}

// checkEpochs: each epoch except the first needs a loss of its own; and a request made after
// a new epoch was seen is not answered from an older one.
func (c *checker) checkEpochs() {
	sent := map[sendKey]*Event{} // by connection's user: the newest attempt
	type talk struct {
		conn         int
		conversation string
	}
	newest := map[talk]*Event{}
	for i := range c.history {
		e := &c.history[i]
		if e.Kind == Sent {
			sent[sendKey{c.user(e), e.Conversation, e.Ref}] = e
		}
		epoch := epochOf(e)
		if epoch == "" {
			continue
		}
		l := c.epochs[e.Conversation]
		if l == nil {
			l = &lineage{}
			c.epochs[e.Conversation] = l
		}
		at := l.index(epoch)
		if at < 0 {
			at = len(l.epochs)
			l.epochs = append(l.epochs, firstSeen{epoch, e})
			if at > c.lossesBefore(e.At) {
				c.report(EpochRule, []*Event{l.epochs[at-1].event, e}, "%s has the new epoch %s after %s, and nothing was lost", e.Conversation, epoch, l.epochs[at-1].epoch)
			}
		}
		// The same connection never goes back, whatever it asks for.
		key := talk{e.Conn, e.Conversation}
		if e.Kind == Subscribed {
			continue // the node may not know yet what the store has answered: a reload follows
		}
		if old := newest[key]; old == nil || l.index(epochOf(old)) <= at {
			newest[key] = e
		} else {
			c.report(EpochRule, []*Event{old, e}, "a connection is told the epoch %s of %s after it was told %s", epoch, e.Conversation, epochOf(old))
			continue
		}
		var asked time.Duration
		switch e.Kind {
		case Read:
			asked = e.Began
		case Acked:
			if s := sent[sendKey{c.user(e), e.Conversation, e.Ref}]; s != nil && s.Conn == e.Conn {
				asked = s.At
			}
		}
		if last := l.epochs[len(l.epochs)-1]; at < len(l.epochs)-1 && l.epochs[at+1].event.At < asked {
			c.report(EpochRule, []*Event{last.event, e}, "%s was in epoch %s, and what was asked for later is answered from epoch %s", e.Conversation, last.epoch, epoch)
		}
	}
}

func (c *checker) lossesBefore(at time.Duration) (n int) {
	for _, l := range c.losses {
		if l.Began <= at {
			n++
		}
	}
	return n
}
