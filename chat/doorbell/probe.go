package doorbell

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// maxRarer bounds how rare probes get while the source fails: one in two to this power.
const maxRarer = 5

// probes checks everything at intervals, until the node is detached.
func (n *Node) probes() {
	failures := 0
	for {
		due := make(chan struct{})
		stop := n.cfg.Clock.AfterFunc(n.cfg.ProbeEvery<<min(failures, maxRarer), func() { close(due) })
		select {
		case <-n.ctx.Done():
			stop()
			return
		case <-n.probeNow:
			stop()
		case <-due:
		}
		err := n.probe()
		n.mu.Lock()
		switch {
		case n.detached:
		case err != nil:
			if failures == 0 {
				n.troubled(err)
			}
			failures++
		case failures > 0:
			failures = 0
			n.mended()
		}
		n.mu.Unlock()
	}
}

// probe rings everything with unread changes, and schedules retries of what could not be
// read when they are due. An error says that the source does not answer.
func (n *Node) probe() error {
	n.mu.Lock()
	var followers []*follower
	for _, f := range n.followers {
		if f.ready {
			followers = append(followers, f)
		}
	}
	inboxes := make([]*inbox, 0, len(n.inboxes))
	for _, b := range n.inboxes {
		inboxes = append(inboxes, b)
	}
	n.mu.Unlock()
	for batch := range slices.Chunk(followers, n.cfg.Batch) {
		if err := n.probeTails(batch); err != nil {
			return err
		}
	}
	all := true
	for batch := range slices.Chunk(inboxes, n.cfg.Batch) {
		answered, err := n.probeInboxes(batch)
		if err != nil {
			return err
		}
		all = all && answered == len(batch)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.resume()
	if all {
		n.expire()
	}
	return nil
}

// errSilent says that nothing of a batch could be read.
var errSilent = errors.New("chat/doorbell: the source answers nothing")

func (n *Node) probeTails(batch []*follower) error {
	cs := make([]chat.Conversation, len(batch))
	for i, f := range batch {
		cs[i] = f.c
	}
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timeout)
	defer cancel()
	answered, failed := 0, errSilent
	n.source.Tails(ctx, cs, func(i int, t chat.Tail, err error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if err != nil {
			failed = err
			return
		}
		answered++
		n.compare(batch[i], t)
	})
	if answered == 0 {
		return failed
	}
	return nil
}

// compare schedules a conversation for reading if its tail is not at the position. Called
// with mu held.
func (n *Node) compare(f *follower, t chat.Tail) {
	switch {
	case f.state != atRest || f.gone: // it is being read anyway
	case !f.continues(t):
		f.suspect = true // or the tail is older than the last read: a reader finds out
		n.ring(f)
	case t.Change > f.last:
		n.ring(f)
	}
}

func (n *Node) probeInboxes(batch []*inbox) (answered int, err error) {
	users := make([]string, len(batch))
	for i, b := range batch {
		users[i] = b.user
	}
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.Timeout)
	defer cancel()
	failed := errSilent
	n.source.LastHints(ctx, users, func(i int, last uint64, err error) {
		n.mu.Lock()
		defer n.mu.Unlock()
		b := batch[i]
		if err != nil {
			failed = err
			return
		}
		answered++
		if b.state != atRest || b.gone {
			return
		}
		if last < b.last {
			b.started = false // the inbox has begun anew
		}
		if last != b.last || !b.started {
			n.ring(b)
		}
	})
	if answered == 0 {
		return 0, failed
	}
	return answered, nil
}

// resume counts a probe for everything that could not be read, or ends all pauses. Called
// with mu held.
func (n *Node) resume() {
	all := n.retry
	n.retry = false
	if n.troubles == 0 { // nothing pauses
		return
	}
	for _, f := range n.followers {
		n.resumeOne(f, all)
	}
	for _, b := range n.inboxes {
		n.resumeOne(b, all)
	}
}

func (n *Node) resumeOne(r reading, atOnce bool) {
	t := r.standing()
	if t.pause == 0 {
		return
	}
	if t.pause--; atOnce {
		t.pause = 0
	}
	if t.pause == 0 && t.rung {
		n.ring(r)
	}
}

// expire ends the followers of private conversations that no append can be under way to: a
// later append is preceded by a hint. Called with mu held, after every inbox was asked.
func (n *Node) expire() {
	now := n.cfg.Clock.Monotonic()
	for _, f := range n.talks {
		one, other, _ := f.c.Users()
		if f.subscribed || f.state != atRest || f.rung || now-f.active < 2*n.cfg.HintLife+time.Nanosecond {
			continue
		}
		inboxes := [2]*inbox{n.inboxes[one], n.inboxes[other]}
		if !slices.ContainsFunc(inboxes[:], func(b *inbox) bool { return b != nil && !b.settled() }) {
			n.drop(f)
			for _, b := range inboxes {
				if b != nil {
					b.hinted = slices.DeleteFunc(b.hinted, func(o *follower) bool { return o == f })
				}
			}
		}
	}
}
