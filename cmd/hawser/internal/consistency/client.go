package consistency

import (
	"maps"
	"slices"
	"strings"
)

// view is what a client holds of one conversation, across all its connections.
type view struct {
	epoch string
	whole uint64          // everything up to here, from the seq where it began
	more  map[uint64]bool // seqs beyond that
	muted int             // the connection on which the client does not want to hear it; 0: none
	last  *Event
}

// viewKey is a client together with its user: as another user it knows nothing.
type viewKey struct{ client, user, conversation string }

func (v *view) add(seq uint64) {
	if seq > v.whole {
		v.more[seq] = true
	}
	for v.more[v.whole+1] {
		v.whole++
		delete(v.more, v.whole)
	}
}

// checkClients: the messages that a client got and those that it read add up to the whole,
// from its first subscription or message on. It forgets what it holds when it leaves, and
// when it is told of another epoch.
func (c *checker) checkClients() {
	views := map[viewKey]*view{}
	for i := range c.history {
		e := &c.history[i]
		k := c.conns[e.Conn]
		if e.Kind == Settled {
			c.settledClients(e, views)
		}
		if e.Kind == Ready { // the new connection hears everything again
			for key, v := range views {
				if key.client == k.client && v.muted != e.Conn {
					v.muted = 0
				}
			}
		}
		if k == nil || e.Conversation == "" {
			continue
		}
		key := viewKey{k.client, k.user, e.Conversation}
		v := views[key]
		switch e.Kind {
		case Subscribed, Reload:
			if v == nil || v.epoch != e.Epoch {
				views[key] = &view{epoch: e.Epoch, whole: e.Seq, more: map[uint64]bool{}, last: e}
			}
			views[key].muted = 0
		case Left, Gone:
			delete(views, key)
		case Unsubscribed:
			if v != nil {
				v.muted = e.Conn
			}
		case Delivered:
			if v == nil || v.epoch != e.Epoch {
				v = &view{epoch: e.Epoch, whole: e.Seq - 1, more: map[uint64]bool{}}
				views[key] = v
			}
			v.add(e.Seq)
			v.last = e
		case Read:
			for _, m := range e.Messages {
				if v != nil && v.epoch == m.Epoch {
					v.add(m.Seq)
					v.last = e
				}
			}
			for _, seq := range e.Damaged {
				if v != nil && v.epoch == epochOf(e) {
					v.add(seq)
				}
			}
		}
	}
}

func (c *checker) settledClients(w *Event, views map[viewKey]*view) {
	open := map[viewKey]bool{}
	for _, k := range c.conns {
		if k.openDuring(w) {
			open[viewKey{client: k.client, user: k.user}] = true
		}
	}
	now := c.readings(w)
	for _, key := range slices.SortedFunc(maps.Keys(views), func(a, b viewKey) int {
		return strings.Compare(a.client+" "+a.conversation, b.client+" "+b.conversation)
	}) {
		v, read := views[key], now[key.conversation]
		if read == nil || v.muted > 0 || !open[viewKey{client: key.client, user: key.user}] || v.epoch != epochOf(read) {
			continue // of another epoch, checkConnections says that it was not told
		}
		if end := read.Messages[len(read.Messages)-1].Seq; v.whole < end {
			c.report(Missed, []*Event{v.last, read}, "%s holds %s without seq %d; it ends at %d", key.client, key.conversation, v.whole+1, end)
		}
	}
}
