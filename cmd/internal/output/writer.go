package output

import (
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

const (
	// queueBytes is how much waits for a reader before lines are dropped.
	queueBytes = 1 << 20

	// How long after a failed write the next one is tried.
	minRetry = 50 * time.Millisecond
	maxRetry = time.Second
)

// Writer is an io.Writer that never makes its caller wait. What is given to one call
// of Write is a line here, with its newline: it is written whole or not at all. Its
// methods may be called from any goroutine.
type Writer struct {
	// Immutable.
	w     io.Writer
	limit int                         // bytes that may wait
	note  func(dropped uint64) []byte // nil: drops are not written of

	wake    chan struct{} // holds one element if there is something to do
	closing chan struct{} // closed by Close
	done    chan struct{} // closed when nothing is written any more

	mu sync.Mutex
	// Guarded by mu.
	queue    []line
	waiting  int    // bytes in queue and in what is being written
	dropping bool   // until half of the limit is free again
	lost     uint64 // dropped since the last line in queue
	total    uint64 // dropped in all
	closed   bool
}

// line is what one call of Write was given, and how many were dropped just before
// it.
type line struct {
	text []byte
	lost uint64
}

// NewWriter starts a Writer to w, which need not be safe for concurrent use. When
// lines were dropped and there is room again, note makes the line that says how
// many; it is written where they would have stood.
func NewWriter(w io.Writer, note func(dropped uint64) []byte) *Writer {
	o := &Writer{
		w: w, limit: queueBytes, note: note,
		wake: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go o.run()
	return o
}

// Write queues a copy of p, or drops it if too much is waiting or the Writer was
// closed. It always reports success: no caller could do anything about a failure.
func (o *Writer) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.dropping && o.waiting <= o.limit/2 {
		o.dropping = false
	}
	if o.dropping || o.closed || o.waiting+len(p) > o.limit {
		o.dropping = true
		o.lost++
		o.total++
		return len(p), nil
	}
	o.waiting += len(p)
	o.queue = append(o.queue, line{append([]byte(nil), p...), o.lost})
	o.lost = 0
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

// Dropped returns how many lines were dropped so far.
func (o *Writer) Dropped() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total
}

// Close writes the waiting lines, for at most the given time, and returns how many lines
// were dropped in all, including those that could not be written in time.
func (o *Writer) Close(atMost time.Duration) (dropped uint64) {
	o.mu.Lock()
	if !o.closed {
		o.closed = true
		close(o.closing)
	}
	o.mu.Unlock()
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-o.done:
	case <-timer.C:
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	dropped = o.total
	for _, l := range o.queue {
		if l.text != nil {
			dropped++
		}
	}
	return dropped
}

func (o *Writer) run() {
	defer close(o.done)
	for {
		l, ok := o.next()
		if !ok {
			select {
			case <-o.wake:
				continue
			case <-o.closing:
			}
			// Lines that were queued before closing are written, and a last line about
			// those that were not.
			if l, ok = o.next(); !ok {
				return
			}
		}
		if !o.put(l) {
			return
		}
	}
}

// next is the first line in the queue, which stays there. If the queue is empty and
// lines were dropped after the last one, it is a line without a text.
func (o *Writer) next() (l line, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 && o.lost > 0 {
		o.queue = append(o.queue, line{nil, o.lost})
		o.lost = 0
	}
	if len(o.queue) == 0 {
		return l, false
	}
	return o.queue[0], true
}

// put writes a line out and takes it from the queue. It reports false if the Writer
// is closing and the line cannot be written.
func (o *Writer) put(l line) bool {
	if l.lost > 0 && o.note != nil && !o.insist(o.note(l.lost)) {
		return false
	}
	if !o.insist(l.text) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting -= len(l.text)
	o.queue[0] = line{}
	if o.queue = o.queue[1:]; len(o.queue) == 0 {
		o.queue = nil // what the slice grew to is not kept
	}
	return true
}

// insist writes p, again and again until it stands there whole. It gives up only
// when the Writer is closing.
func (o *Writer) insist(p []byte) bool {
	rest, retry := p, minRetry
	for len(rest) > 0 {
		n, err := o.w.Write(rest)
		rest = rest[n:]
		if err == nil {
			continue
		}
		// A full disk holds the first part of the line, and the rest goes after it. A
		// reader that is gone has taken the first part along, and the next one, if
		// this is a pipe with a name, gets a whole line.
		if !isFull(err) {
			rest = p
		}
		if n > 0 {
			retry = minRetry
		}
		select {
		case <-o.closing:
			return false
		case <-time.After(retry):
		}
		retry = min(2*retry, maxRetry)
	}
	return true
}

// isFull reports whether a write failed for want of room, in a file or in a pipe
// that does not block.
func isFull(err error) bool {
	for _, e := range []error{syscall.ENOSPC, syscall.EFBIG, syscall.EDQUOT, syscall.EAGAIN, io.ErrShortWrite} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
