package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// job is what one caller asks to write. It is done together with the other waiting jobs, in
// one transaction, so that one sync serves all of them.
type job struct {
	mu sync.Mutex
	// Guarded by mu until the job has begun, then the committer's. They are nil if the job
	// was abandoned before.
	entries []chat.Entry
	done    func(int, chat.Result)   // for entries
	change  func(tx *bbolt.Tx) error // anything else
	then    func()                   // what to do when the change is durable; may be nil

	// The committer's.
	results []chat.Result
	err     error // for change

	over chan struct{} // closed when it is done

	// Guarded by mu.
	told      int  // entries whose results were delivered
	begun     bool // it is in a transaction
	abandoned bool // its caller waits no longer
}

// maxBatch is the maximum number of entries and other changes in one transaction, so that the
// first of them need not wait long for the last.
const maxBatch = 1024

// gatherFor is how long jobs wait for others that are about to arrive. On a busy machine it is
// one round of all runnable goroutines.
const gatherFor = 2 * time.Millisecond

// flushAfter is how long changes that are not urgent wait for a transaction that has another
// purpose.
const flushAfter = 500 * time.Millisecond

// committer does the jobs. One goroutine writes them, and answers in the order in which it
// wrote.
type committer struct {
	clock chat.Clock

	mu   sync.Mutex
	wake sync.Cond
	// Guarded by mu.
	waiting []*job
	due     bool // changes that are not urgent must be written now
	closed  bool // no more jobs are accepted
	working bool // jobs were taken and are not answered yet

	armed atomic.Bool // due will be set

	// halted is set when Close has no time left: jobs that have not begun are refused.
	halted atomic.Bool

	over chan struct{} // closed when the goroutine has ended
}

// errClosed is the answer to jobs after Close, and to those that Close left no time for. None
// of them was stored.
var errClosed = errors.New("chat/bolt: the store is closed")

func (s *Store) startCommitter() {
	s.commits.clock = s.clock
	s.commits.wake.L = &s.commits.mu
	s.commits.over = make(chan struct{})
	go s.commit()
}

// Append implements chat.Log.
func (s *Store) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	if len(entries) == 0 {
		return
	}
	// The caller may use its slice again when it stops waiting, and the committer may
	// need the entries after that.
	j := &job{entries: slices.Clone(entries), done: done}
	s.run(ctx, j, len(entries))
}

// run submits a job with n entries, waits until it is done or ctx ends, and returns the result
// of its change.
func (s *Store) run(ctx context.Context, j *job, n int) error {
	j.over = make(chan struct{})
	err := ctx.Err()
	if err == nil {
		err = s.queue(j)
	}
	if err != nil {
		j.refuse(err)
		return err
	}
	select {
	case <-j.over:
		return j.err
	case <-ctx.Done():
		return j.abandon(ctx.Err(), n)
	}
}

// abandon ends the wait of a job's caller. It answers those of n entries that have no answer
// yet, and returns the answer for a change: err if the job has not begun, because then nothing
// is stored; otherwise an error that says that the outcome is unknown.
func (j *job) abandon(err error, n int) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	select {
	case <-j.over:
		return j.err // it was done a moment ago
	default:
	}
	j.abandoned = true
	done := j.done
	if j.begun {
		err = fmt.Errorf("%w: %w", chat.ErrOutcomeUnknown, err)
	} else {
		j.entries, j.change, j.then, j.done = nil, nil, nil, nil // it may stay in the queue for long
	}
	for ; j.told < n; j.told++ {
		done(j.told, chat.Result{Err: err})
	}
	return err
}

func (s *Store) queue(j *job) error {
	c := &s.commits
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	c.waiting = append(c.waiting, j)
	c.wake.Signal()
	return nil
}

// close lets the committer end when it has done the waiting jobs.
func (c *committer) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	c.wake.Broadcast()
}

// halt refuses the waiting jobs.
func (c *committer) halt() {
	c.halted.Store(true)
	c.mu.Lock()
	waiting := c.waiting
	c.waiting = nil
	c.mu.Unlock()
	for _, j := range waiting {
		j.refuse(errClosed)
	}
}

// refuse ends a job that has not begun.
func (j *job) refuse(err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.abandoned {
		j.err = err
		for ; j.told < len(j.entries); j.told++ {
			j.done(j.told, chat.Result{Err: err})
		}
	}
	close(j.over)
}

// soon makes the committer write what is not urgent within flushAfter.
func (s *Store) soon() {
	if !s.commits.armed.Swap(true) {
		s.clock.AfterFunc(flushAfter, s.commits.flush)
	}
}

// flush makes the committer write what is not urgent now.
func (c *committer) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.due = true
	c.wake.Signal()
}

// take returns jobs, and waits for some if it may. due says that changes that are not urgent
// must be written, too; last says that nothing follows.
func (c *committer) take(wait bool) (batch []*job, due, last bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for wait && len(c.waiting) == 0 && !c.due && !c.closed {
		c.wake.Wait()
	}
	// Those whose jobs were done together bring their next ones one after the other, and
	// the first of them must not get a transaction of its own while the others are about
	// to come. If others keep bringing jobs, that would have no end.
	until := c.clock.Monotonic() + gatherFor
	for found := 0; found < len(c.waiting) && len(c.waiting) < maxBatch; {
		found = len(c.waiting)
		c.mu.Unlock()
		runtime.Gosched()
		c.mu.Lock()
		if c.clock.Monotonic() >= until {
			break
		}
	}
	n, size := 0, 0
	for n < len(c.waiting) && n < maxBatch {
		size += c.waiting[n].size()
		if n > 0 && size > maxBatch {
			break
		}
		n++
	}
	batch = c.waiting[:n:n]
	if c.waiting = c.waiting[n:]; len(c.waiting) == 0 {
		c.waiting = nil
	}
	last = c.closed && n == 0
	if due = c.due || last; due {
		c.due = false
		c.armed.Store(false)
	}
	c.working = n > 0 || due
	return batch, due, last
}

func (j *job) size() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.entries)
}

// begin marks a job as begun, and reports whether its caller still waits.
func (j *job) begin() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.begun = !j.abandoned
	if j.begun {
		j.results = make([]chat.Result, len(j.entries))
	}
	return j.begun
}

// commit does jobs until the store is closed.
func (s *Store) commit() {
	defer close(s.commits.over)
	for last, more := false, false; !last; more = s.advancing() {
		var jobs []*job
		var due bool
		if jobs, due, last = s.commits.take(!more); last {
			s.members.close()
		}
		jobs = slices.DeleteFunc(jobs, func(j *job) bool { return !j.begin() })
		if len(jobs) > 0 || due && s.hasUnsaved() {
			s.write(jobs, due)
		}
		for _, j := range jobs {
			s.tell(j)
		}
		s.commits.told()
		s.advance()
	}
}

// told notes that the jobs that were taken are done.
func (c *committer) told() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.working = false
}

// hasUnsaved reports whether changes that are not urgent are waiting.
func (s *Store) hasUnsaved() bool {
	_, dirty := s.members.fresh()
	return dirty > 0 || s.unsaved.any()
}

// write does jobs in one transaction, and notes their results. It also writes earlier changes
// of memberships, and changes that are not urgent if they are due.
func (s *Store) write(jobs []*job, due bool) {
	var w *writer
	err := s.update(func(tx *bbolt.Tx) error {
		w = newWriter(s, tx)
		if s.commits.halted.Load() {
			return errClosed
		}
		for _, j := range jobs {
			if s.commits.halted.Load() {
				return errClosed
			}
			if err := w.do(j); err != nil {
				return err
			}
		}
		if due {
			if err := w.putSessions(); err != nil {
				return err
			}
		}
		return w.finish()
	})
	if err == nil {
		s.figures.stored(jobs, w)
		s.publish(w)
		return
	}
	if w != nil {
		s.putBack(w)
	}
	for _, j := range jobs {
		j.err = err
		for i := range j.results {
			j.results[i] = chat.Result{Err: err}
		}
	}
}

// putBack keeps the changes that a failed transaction should have included for the next one.
func (s *Store) putBack(w *writer) {
	if s.Broken() == nil {
		s.members.putBack(w.members)
		s.unsaved.putBack(w.sessions)
		s.soon()
	}
}

// tell answers a job's caller, and then gives each change to the broker.
func (s *Store) tell(j *job) {
	for i := range j.results {
		r := &j.results[i]
		j.mu.Lock()
		if !j.abandoned {
			j.told = i + 1
			j.done(i, *r)
		}
		j.mu.Unlock()
		if r.Err == nil && !r.Duplicate {
			s.broker.Publish(j.entries[i].Conversation, &r.Change)
		}
	}
	if j.then != nil && j.err == nil {
		j.then()
	}
	j.mu.Lock() // so that it is not half abandoned
	defer j.mu.Unlock()
	close(j.over)
}

// update runs one transaction, and closes the store for writing if it fails in a way that
// leaves the content of the disk in doubt.
func (s *Store) update(change func(*bbolt.Tx) error) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.Broken(); err != nil {
		return err
	}
	if s.inherited.Load() {
		return errInherited
	}
	changed := false
	err := s.guard(func() error {
		return s.db.Update(func(tx *bbolt.Tx) error {
			if err := change(tx); err != nil {
				return err
			}
			changed = true
			return nil
		})
	})
	var page *pageError
	switch {
	case err == nil:
		s.room.wrote(nil)
	case changed && nothingWritten(err):
		err = fmt.Errorf("chat/bolt: %w", err)
		s.room.wrote(err)
	case changed:
		broken := fmt.Errorf("chat/bolt: closed for writing, as a write failed and it is not known what is on disk: %w", err)
		s.broken.CompareAndSwap(nil, &broken)
		err = fmt.Errorf("%w: %w", chat.ErrOutcomeUnknown, s.Broken())
	case errors.As(err, &page): // where it had to write
		broken := fmt.Errorf("chat/bolt: closed for writing: %w", err)
		s.broken.CompareAndSwap(nil, &broken)
		err = s.Broken()
	}
	return err
}

// nothingWritten reports whether a failed transaction has certainly left the file as it was:
// there was no room for it. A failed sync is never such a case, whatever its error: its data
// may be lost or not, and the next sync would not tell.
func nothingWritten(err error) bool {
	if strings.HasPrefix(err.Error(), "file resize error:") {
		return true // bbolt's own, for a file that cannot grow
	}
	var path *fs.PathError
	return errors.As(err, &path) && path.Op == "write" &&
		(errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EFBIG) || errors.Is(err, syscall.EDQUOT))
}
