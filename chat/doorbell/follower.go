package doorbell

import (
	"context"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// follower is a conversation whose changes the receiver is given.
type follower struct {
	task
	node *Node
	c    chat.Conversation

	// Guarded by Node.mu.
	subscribed bool
	active     time.Duration // when a hint pointed to it or it had a change, on the monotonic clock; for private ones

	// Of the goroutine that reads; while none does, guarded by Node.mu.
	epoch   string
	last    uint64 // the position: the number of the last change that was given
	tag     uint32 // of that change
	suspect bool   // its history may be another one

	known chat.Tail // Guarded by Node.mu. The position, or the one that is about to be told
}

// follower finds or makes the one of a conversation, with mu held if there is no error. If
// an earlier one is still being read, it waits for its end: what that one gives the
// receiver must not mix with what the new one does.
func (n *Node) follower(ctx context.Context, c chat.Conversation) (*follower, error) {
	n.mu.Lock()
	for {
		old := n.ending[c]
		if old == nil {
			break
		}
		if old.over == nil {
			old.over = make(chan struct{})
		}
		over := old.over
		n.mu.Unlock()
		select {
		case <-over:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		n.mu.Lock()
	}
	f := n.followers[c]
	if f == nil {
		f = &follower{node: n, c: c}
		n.followers[c] = f
		if _, _, private := c.Users(); private {
			n.talks[c] = f
		}
	}
	return f, nil
}

// place gives a follower its first position. Called with mu held.
func (n *Node) place(f *follower, t chat.Tail) {
	if f.ready {
		return
	}
	f.ready, f.epoch, f.last, f.tag = true, t.Epoch, t.Change, t.Tag
	f.know()
	if f.rung {
		n.ring(f)
	}
}

// know makes the position known to Node.Position. Called with mu held.
func (f *follower) know() { f.known = chat.Tail{Change: f.last, Tag: f.tag, Epoch: f.epoch} }

// wanted reports whether the receiver is to be given a conversation's changes. Called with mu
// held.
func (n *Node) wanted(f *follower) bool {
	if f.subscribed {
		return true
	}
	one, other, private := f.c.Users()
	return private && (n.inboxes[one] != nil || n.inboxes[other] != nil)
}

// drop ends a follower. Called with mu held.
func (n *Node) drop(f *follower) {
	if f.gone {
		return
	}
	f.gone = true
	delete(n.followers, f.c)
	delete(n.talks, f.c)
	if f.state == beingRead {
		n.ending[f.c] = f
	}
	n.forget(&f.task)
}

// read implements reading. It reads the change at the position again: one with another tag there
// is of another history, which has as many changes or more.
func (f *follower) read(ctx context.Context) (more bool, err error) {
	n := f.node
	if f.suspect {
		t, err := n.tail(ctx, f.c)
		if err != nil {
			return false, err
		}
		if !f.continues(t) {
			return f.lose(ctx, false)
		}
		f.suspect = false
	}
	after, limit := f.last, n.cfg.Page
	if after > 0 {
		after, limit = after-1, limit+1
	}
	changes, more, err := n.source.Changes(ctx, f.c, after, limit)
	if err != nil {
		return false, err
	}
	if len(changes) == 0 && after < f.last { // not even the one at the position is there
		t, err := n.tail(ctx, f.c)
		if err != nil || f.continues(t) {
			return false, err
		}
		return f.lose(ctx, false)
	}
	for i := range changes {
		ch := &changes[i]
		if i == 0 && ch.Number == f.last && ch.Epoch == f.epoch && sameTag(ch.Tag, f.tag) {
			continue
		}
		if ch.Epoch != f.epoch || ch.Number != f.last+1 {
			return f.lose(ctx, ch.Epoch == f.epoch && ch.Number > f.last+1)
		}
		f.last, f.tag = ch.Number, ch.Tag
		if !f.wantsMore() {
			return false, nil
		}
		n.receiver.Deliver(f.c, ch)
	}
	return more, nil
}

// continues reports whether a tail may be of the history that the position is in.
func (f *follower) continues(t chat.Tail) bool {
	return t.Epoch == f.epoch && (t.Change > f.last || t.Change == f.last && sameTag(t.Tag, f.tag))
}

// sameTag compares tags. That of a damaged change is not known.
func sameTag(a, b uint32) bool { return a == b || a == 0 || b == 0 }

// lose goes on from another position, and says so; the source says from which. There is a gap if
// changes that were not read yet have been dropped. Otherwise the source may find that nothing
// was lost: what was read came from an earlier time than what was read before it.
func (f *follower) lose(ctx context.Context, gap bool) (more bool, err error) {
	t, err := f.node.source.Check(ctx, f.c, chat.Tail{Change: f.last, Tag: f.tag, Epoch: f.epoch})
	if err != nil {
		return false, err
	}
	f.suspect = false
	if !gap && f.continues(t) {
		return t.Change > f.last, nil
	}
	f.epoch, f.last, f.tag = t.Epoch, t.Change, t.Tag
	if !f.wantsMore() {
		return false, nil
	}
	f.node.receiver.Lost(f.c, t)
	return true, nil
}

// wantsMore reports whether the receiver may be given what leads to the position.
func (f *follower) wantsMore() bool {
	n := f.node
	n.mu.Lock()
	defer n.mu.Unlock()
	f.active = n.cfg.Clock.Monotonic()
	f.know()
	return !f.gone && !n.detached
}
