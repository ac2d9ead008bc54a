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
	suspect bool   // its history may be another one
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
	}
	return f, nil
}

// place gives a follower its first position. Called with mu held.
func (n *Node) place(f *follower, t chat.Tail) {
	if f.ready {
		return
	}
	f.ready, f.epoch, f.last = true, t.Epoch, t.Change
	if f.rung {
		n.ring(f)
	}
}

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
	if f.state == beingRead {
		n.ending[f.c] = f
	}
	n.forget(&f.task)
}

// read implements reading.
func (f *follower) read(ctx context.Context) (more bool, err error) {
	n := f.node
	if f.suspect {
		t, err := n.tail(ctx, f.c)
		if err != nil {
			return false, err
		}
		if t.Epoch != f.epoch || t.Change < f.last {
			return f.lose(t), nil
		}
		f.suspect = false
	}
	changes, more, err := n.source.Changes(ctx, f.c, f.last, n.cfg.Page)
	if err != nil {
		return false, err
	}
	for i := range changes {
		ch := &changes[i]
		if ch.Epoch != f.epoch || ch.Number != f.last+1 {
			t, err := n.tail(ctx, f.c)
			if err != nil {
				return false, err
			}
			return f.lose(t), nil
		}
		if !f.wantsMore() {
			return false, nil
		}
		f.last = ch.Number
		n.receiver.Deliver(f.c, ch)
	}
	return more, nil
}

// lose goes on from another position, and says so.
func (f *follower) lose(t chat.Tail) (more bool) {
	f.epoch, f.last, f.suspect = t.Epoch, t.Change, false
	if !f.wantsMore() {
		return false
	}
	f.node.receiver.Lost(f.c, t)
	return true
}

// wantsMore reports whether the receiver may be given something.
func (f *follower) wantsMore() bool {
	n := f.node
	n.mu.Lock()
	defer n.mu.Unlock()
	f.active = n.cfg.Clock.Monotonic()
	return !f.gone && !n.detached
}
