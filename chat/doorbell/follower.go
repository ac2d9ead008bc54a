package doorbell

import (
	"context"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// follower is a conversation whose changes go to the receiver.
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
	seq     uint64 // and its seq
	ts      int64  // and its server_ts
	suspect bool   // its history may have been replaced

	// telling is held while the receiver is told anything about the conversation, or a caller on
	// its side gets the result of an append, so that both hear of epochs in the same order. It is
	// taken before Node.mu.
	telling sync.Mutex

	// Guarded by Node.mu.
	known chat.Tail // the position, or the one that is about to be told; if the follower is superseded, that of told
	told  chat.Tail // the last result of a later epoch than the position
}

// follower finds or makes the follower of a conversation, with mu held if there is no error. If
// an earlier one is still being read, it waits for its end: the deliveries of the two must not
// mix.
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
	f.ready = true
	f.move(t)
	if f.rung {
		n.ring(f)
	}
}

// move sets the position. Called with mu held.
func (f *follower) move(t chat.Tail) {
	f.epoch, f.last, f.tag, f.seq, f.ts = t.Epoch, t.Change, t.Tag, t.Seq, t.ServerTS
	f.know()
}

// end is the position.
func (f *follower) end() chat.Tail {
	return chat.Tail{Seq: f.seq, Change: f.last, Tag: f.tag, ServerTS: f.ts, Epoch: f.epoch}
}

// know makes the position known to Node.Position. Called with mu held.
func (f *follower) know() {
	if f.known = f.told; !f.superseded() {
		f.known = chat.Tail{Change: f.last, Tag: f.tag, Epoch: f.epoch}
	}
}

// superseded reports whether a result has announced a later epoch than the follower is in: the
// receiver must get nothing more before it is told of that epoch, too. Called with mu held.
func (f *follower) superseded() bool { return f.node.source.Later(f.told.Epoch, f.epoch) }

// hush waits until the receiver is not being told anything about the conversation, and keeps it
// so until f.telling is unlocked. Called with mu held, which it may release meanwhile.
func (n *Node) hush(f *follower) {
	if !f.telling.TryLock() {
		n.mu.Unlock()
		f.telling.Lock()
		n.mu.Lock()
	}
}

// deliver gives the receiver the change after the position. It reports false, and delivers
// nothing, if the change is no longer wanted or the follower is superseded. Called by the
// goroutine that reads the follower, with mu held, which it releases meanwhile.
func (n *Node) deliver(f *follower, ch *chat.Change) bool {
	n.hush(f)
	defer f.telling.Unlock()
	if f.superseded() || f.gone || n.detached {
		return false
	}
	f.move(chat.Tail{Seq: ch.Seq, Change: ch.Number, Tag: ch.Tag, ServerTS: ch.ServerTS, Epoch: f.epoch})
	n.mu.Unlock()
	n.receiver.Deliver(f.c, ch)
	n.mu.Lock()
	return true
}

// wanted reports whether the receiver must get a conversation's changes. Called with mu held.
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

// read implements reading. It reads the change at the position again: if that has another tag,
// the history is another one with as many changes or more.
func (f *follower) read(ctx context.Context) (more bool, err error) {
	n := f.node
	if f.isSuperseded() {
		return f.lose(ctx, false)
	}
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
	if len(changes) == 0 && after < f.last { // not even the change at the position exists
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
		n.mu.Lock()
		f.active = n.cfg.Clock.Monotonic()
		delivered := n.deliver(f, ch)
		n.mu.Unlock()
		if !delivered {
			return true, nil // if it is still wanted
		}
	}
	return more, nil
}

func (f *follower) isSuperseded() bool {
	f.node.mu.Lock()
	defer f.node.mu.Unlock()
	return f.superseded()
}

// continues reports whether a tail may belong to the history that the position is in.
func (f *follower) continues(t chat.Tail) bool {
	return t.Epoch == f.epoch && (t.Change > f.last || t.Change == f.last && sameTag(t.Tag, f.tag))
}

// sameTag compares tags. The tag of a damaged change is not known.
func sameTag(a, b uint32) bool { return a == b || a == 0 || b == 0 }

// lose continues from another position, which the source determines, and tells the receiver.
// There is a gap if changes that were not read yet have been dropped. Otherwise the source may
// find that nothing was lost: the last read returned an earlier state than the one before.
func (f *follower) lose(ctx context.Context, gap bool) (more bool, err error) {
	n := f.node
	n.mu.Lock()
	at := f.known
	n.mu.Unlock()
	t, err := n.source.Check(ctx, f.c, at)
	if err != nil {
		return false, err
	}
	f.suspect = false
	if !gap && at.Epoch == f.epoch && f.continues(t) {
		return t.Change > f.last, nil
	}
	n.mu.Lock()
	n.hush(f)
	defer f.telling.Unlock()
	f.active = n.cfg.Clock.Monotonic()
	if f.gone || n.detached || n.source.Later(f.told.Epoch, t.Epoch) { // the last: by now
		n.mu.Unlock()
		return true, nil
	}
	f.move(t)
	n.mu.Unlock()
	n.receiver.Lost(f.c, t)
	return true, nil
}
