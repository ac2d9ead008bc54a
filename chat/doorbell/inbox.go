package doorbell

import (
	"context"
	"slices"

	"github.com/hawser-ws/hawser/chat"
)

// inbox is the inbox of a followed user. Reading it finds the private conversations that may have
// changes, whose followers then read them.
//
//	new --read: the recent hints--> started --read: one hint after the other--> started
//	                                        --a hint is missing---------------> new
type inbox struct {
	task
	node *Node
	user string

	// Guarded by Node.mu.
	follows int
	started bool
	hinted  []*follower // of this person's conversations

	// Of the goroutine that reads; while none does, guarded by Node.mu.
	last  uint64 // the number of the last hint that was read
	again bool   // it was started before
}

func newInbox(n *Node, user string) *inbox {
	return &inbox{task: task{ready: true}, node: n, user: user}
}

// read implements reading.
func (b *inbox) read(ctx context.Context) (more bool, err error) {
	n := b.node
	if !b.isStarted() {
		return false, b.start(ctx)
	}
	hints, more, err := n.source.Hints(ctx, b.user, b.last, n.cfg.Page)
	if err != nil {
		return false, err
	}
	for _, h := range hints {
		if h.Before != b.last {
			// Either this node could not read for longer than hints live, and the changes that
			// they pointed to are stored: the user finds them in the history. Or the store has
			// lost hints.
			b.restart()
			return true, nil
		}
		if err := b.point(ctx, h, h.Tail); err != nil {
			return false, err
		}
		b.last = h.Number
	}
	return more, nil
}

// start finds the place from which hints are read. Earlier changes are not for the receiver; but
// if a conversation has a recent hint, its change may still be coming. If the user was followed
// before, and hints were missed, the changes after the recent hints are for the receiver.
func (b *inbox) start(ctx context.Context) error {
	n := b.node
	recent, last, err := n.source.Recent(ctx, b.user)
	if err != nil {
		return err
	}
	recent = oldest(recent)
	cs := make([]chat.Conversation, len(recent))
	for i, h := range recent {
		cs[i] = h.Conversation
	}
	tails := make([]chat.Tail, len(cs))
	n.source.Tails(ctx, cs, func(i int, t chat.Tail, e error) {
		if tails[i] = t; e != nil {
			err = e
		}
	})
	if err != nil {
		return err
	}
	for i, h := range recent {
		from := tails[i]
		if b.again {
			from = h.Tail
		}
		if err := b.point(ctx, h, from); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	b.last, b.started, b.again = last, true, true
	return nil
}

// oldest keeps the oldest hint of each conversation.
func oldest(hints []Hint) (first []Hint) {
	seen := make(map[chat.Conversation]bool)
	for _, h := range hints {
		if !seen[h.Conversation] {
			seen[h.Conversation] = true
			first = append(first, h)
		}
	}
	return first
}

// point schedules the conversation of a hint for reading. If it is not followed yet, reading
// begins at a position that is right for this user; or at the hint's, if the other user is
// followed, too: then their inbox may not have been read up to this hint.
func (b *inbox) point(ctx context.Context, h Hint, from chat.Tail) error {
	n := b.node
	f, err := n.follower(ctx, h.Conversation)
	if err != nil {
		return err
	}
	defer n.mu.Unlock()
	if b.gone {
		if !n.wanted(f) {
			n.drop(f)
		}
		return nil
	}
	if other := h.Conversation.Receiver(b.user); other != b.user && n.inboxes[other] != nil {
		from = h.Tail
	}
	f.active = n.cfg.Clock.Monotonic()
	b.keep(f)
	n.place(f, from)
	n.ring(f)
	return nil
}

func (b *inbox) isStarted() bool {
	b.node.mu.Lock()
	defer b.node.mu.Unlock()
	return b.started
}

func (b *inbox) restart() {
	b.node.mu.Lock()
	defer b.node.mu.Unlock()
	b.started = false
}

// settled reports whether every hint was read. Called with mu held.
func (b *inbox) settled() bool { return b.started && b.state == atRest && !b.rung }

// keep notes that a follower exists for the sake of this user. Called with mu held.
func (b *inbox) keep(f *follower) {
	if !slices.Contains(b.hinted, f) {
		b.hinted = append(b.hinted, f)
	}
}
