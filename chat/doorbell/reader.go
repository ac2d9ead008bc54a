package doorbell

import "context"

// reading is what readers read: a follower or an inbox.
type reading interface {
	standing() *task

	// read reads one page. Only one goroutine does so at a time. more says that there is more
	// to be read at once.
	read(ctx context.Context) (more bool, err error)
}

// task is the state of a follower or inbox with the readers. Guarded by Node.mu.
//
//	atRest --ring--> queued --a reader--> beingRead --nothing rang, no more--> atRest
//	                                                --otherwise-------------> queued
//	                                                --error-----------------> atRest, until some probes have passed
type task struct {
	state    state
	ready    bool // it may be read
	rung     bool // there may be something to read
	gone     bool // it is no longer wanted
	failures uint8
	pause    uint8         // probes that must pass before it is read again
	over     chan struct{} // closed when a reader has finished; nil: nothing waits for that
}

func (t *task) standing() *task { return t }

type state uint8

const (
	atRest state = iota
	queued
	beingRead
)

// ring schedules something for reading. Called with mu held.
func (n *Node) ring(r reading) {
	t := r.standing()
	t.rung = true
	if t.ready && t.state == atRest && t.pause == 0 {
		t.state = queued
		n.queue = append(n.queue, r)
		n.wake.Signal()
	}
}

// read is one of the goroutines that read.
func (n *Node) read() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		for (len(n.queue) == 0 || n.frozen) && !n.detached {
			n.wake.Wait()
		}
		if n.detached {
			return
		}
		r := n.queue[0]
		n.queue[0] = nil
		if n.queue = n.queue[1:]; len(n.queue) == 0 {
			n.queue = nil
		}
		if t := r.standing(); t.state == queued && !t.gone {
			n.readOne(n.ctx, r)
		}
	}
}

// readOne reads a page of something that no other reader reads, and schedules what comes next.
// Called with mu held, which it releases while it reads.
func (n *Node) readOne(ctx context.Context, r reading) error {
	t := r.standing()
	t.state, t.rung = beingRead, false
	n.busy++
	n.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, n.cfg.Timeout)
	more, err := r.read(ctx)
	cancel()
	n.mu.Lock()
	n.finished(r)
	switch {
	case n.detached:
	case t.gone:
	case err == nil:
		n.retry = n.retry || t.failures > 0 // the others can be read, too, perhaps
		n.forget(t)
		if more || t.rung {
			n.ring(r)
		}
	default:
		if t.failures == 0 {
			n.troubled(err)
		}
		t.failures = min(t.failures+1, 6)
		t.pause = 1 << (t.failures - 1) // then the probe finds again what there is to be read
	}
	return err
}

// finished ends a turn of reading. Called with mu held.
func (n *Node) finished(r reading) {
	t := r.standing()
	t.state = atRest
	if n.busy--; n.busy == 0 && n.idle != nil {
		close(n.idle)
		n.idle = nil
	}
	if t.over != nil {
		close(t.over)
		t.over = nil
	}
	if f, ok := r.(*follower); ok && t.gone {
		delete(n.ending, f.c)
	}
}

// troubled counts something that cannot be read, and logs the first. Called with mu held.
func (n *Node) troubled(err error) {
	if n.troubles++; n.troubles == 1 {
		n.cfg.Log.Warn("chat/doorbell: changes cannot be read, and come late", "error", err)
	}
}

// forget clears the trouble of something that can be read again, or need not be read any more.
// Called with mu held.
func (n *Node) forget(t *task) {
	if t.failures > 0 {
		t.failures, t.pause = 0, 0
		n.mended()
	}
}

// mended uncounts something that could not be read. Called with mu held.
func (n *Node) mended() {
	if n.troubles--; n.troubles == 0 {
		n.cfg.Log.Info("chat/doorbell: changes can be read again")
	}
}
