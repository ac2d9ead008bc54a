package chat

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"time"
)

// This file is a shard's sequencer: one goroutine that appends this node's messages to the
// shard's conversations, and answers them.

// appending is a message on its way through a sequencer.
type appending struct {
	actor Actor
	op    *Operation
	entry Entry
	told  bool // it has its result
}

// flight describes the messages that this node is appending to a conversation. A change that
// arrives in the meantime may be one of them. It is held until their results are there, so
// that each message is acknowledged before it is delivered.
type flight struct {
	n    int // appended, no result yet
	held []*Change

	// The last change in a result, and its epoch.
	epoch string
	upTo  uint64
}

// told takes note of a result.
func (f *flight) told(ch *Change) {
	if ch.Epoch != f.epoch {
		f.epoch, f.upTo = ch.Epoch, 0
	}
	f.upTo = max(f.upTo, ch.Number)
}

// has reports whether every result up to a change is there.
func (f *flight) has(ch *Change) bool { return ch.Epoch == f.epoch && ch.Number <= f.upTo }

// maxBatch is the maximum number of messages that are appended at a time, so that the first
// of them does not wait long for the last.
const maxBatch = 1024

// append queues a message. It does not block.
func (s *shard) append(a Actor, op *Operation, c Conversation, m *Message) *Failure {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.stopped:
		return failShuttingDown
	case len(s.waiting) >= s.hub.cfg.Queue:
		return failOverloaded
	}
	if name, ok := c.Room(); ok {
		// The first message creates the room, if the limits allow that.
		if r := s.rooms[name]; r != nil && r.count.Load() > 0 && r.fresh.Load() {
			if fail := s.hub.admitRoom(a, op); fail != nil {
				return fail
			}
			r.fresh.Store(false)
		}
	}
	s.waiting = append(s.waiting, appending{actor: a, op: op, entry: Entry{c, m}})
	if len(s.waiting) == 1 {
		s.wake.Signal()
	}
	return nil
}

// stop waits until everything that was queued has its result.
func (s *shard) stop() {
	s.mu.Lock()
	s.stopped = true
	s.wake.Signal()
	s.mu.Unlock()
	<-s.done
}

// run is the sequencer's goroutine: it takes the queued messages, has them stored, and
// answers them.
func (s *shard) run() {
	defer close(s.done)
	var batch []appending
	var entries []Entry
	for {
		var late int
		batch, late = s.take(batch)
		if len(batch) == 0 {
			return
		}
		begin := time.Now()
		for i := range batch {
			s.hub.cfg.Observer.Waited(SequencerQueue, begin.Sub(batch[i].op.begun))
		}
		for i := range batch[:late] {
			s.hub.refuse(batch[i].actor, batch[i].op, failStore)
		}
		if stored := batch[late:]; len(stored) > 0 {
			entries = entries[:0]
			for i := range stored {
				entries = append(entries, stored[i].entry)
			}
			// The oldest of them sets the time: it is answered within the limit.
			ctx, cancel := context.WithDeadline(context.Background(), s.hub.deadline(stored[0].op))
			done := Batch{Size: len(stored)}
			s.hub.engine.Log.Append(ctx, entries, func(i int, r Result) { s.result(&stored[i], &r, &done) })
			cancel()
			for i := range stored {
				if !stored[i].told {
					s.result(&stored[i], &Result{Err: errNoResult}, &done)
				}
			}
			clear(entries)
			done.Took = time.Since(begin)
			s.hub.cfg.Observer.Appended(done)
		}
		// Only now may a connection's next operation begin. By then an engine in this
		// process has delivered the connection's own messages, which it would otherwise
		// miss if that operation is to leave the room.
		for i := range batch {
			s.hub.finish(batch[i].actor)
		}
		clear(batch)
	}
}

// take waits for messages, and registers what will be appended. The first late ones have
// waited for too long and must not be appended. batch is empty when the sequencer is stopped
// and everything is done.
func (s *shard) take(spare []appending) (batch []appending, late int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	for len(s.waiting) == 0 && !s.stopped {
		s.wake.Wait()
	}
	s.busy = true
	var n int
	n, late = s.cut()
	if n == len(s.waiting) {
		batch, s.waiting = s.waiting, spare[:0]
	} else {
		batch = append(spare[:0], s.waiting[:n]...)
		s.waiting = slices.Delete(s.waiting, 0, n)
	}
	for i := range batch[late:] {
		c := batch[late+i].entry.Conversation
		f := s.flights[c]
		if f == nil {
			f = &flight{}
			s.flights[c] = f
		}
		f.n++
	}
	return batch, late
}

// cut says how many of those that wait make a batch, and how many of these, the first ones,
// have no time left. Where the oldest has little, only others that have little come with it:
// the time of a batch is that of its oldest. Called with mu held.
func (s *shard) cut() (n, late int) {
	n = min(len(s.waiting), maxBatch)
	limit, now := s.hub.cfg.OperationTimeout, time.Now()
	age := func(a *appending) time.Duration { return now.Sub(a.op.begun) }
	oldest := time.Duration(0)
	for i := range n {
		oldest = max(oldest, age(&s.waiting[i]))
	}
	if oldest < limit/2 {
		return n, 0
	}
	first := s.waiting[:n] // in order of age, those of one connection as they are
	slices.SortStableFunc(first, func(a, b appending) int { return a.op.begun.Compare(b.op.begun) })
	late = sort.Search(n, func(i int) bool { return age(&first[i]) < limit })
	n = sort.Search(n, func(i int) bool { return age(&first[i]) < limit/2 })
	return n, late
}

// errNoResult stands for the result that an engine did not give.
var errNoResult = fmt.Errorf("%w: the engine gave no result", ErrOutcomeUnknown)

// result answers one message. An acknowledgement is sent under the lock, before the changes
// that were held back for it.
func (s *shard) result(a *appending, r *Result, batch *Batch) {
	if a.told {
		return
	}
	a.told = true
	s.hub.note(&s.hub.troubles.append, r.Err)
	c := a.entry.Conversation
	s.mu.Lock()
	batch.count(r)
	f := s.flights[c]
	if r.Err == nil {
		// What is held of another epoch is of an earlier one, and none of what is being appended:
		// nobody must hear it after the acknowledgement, which tells of the new epoch.
		for len(f.held) > 0 && f.held[0].Epoch != r.Change.Epoch {
			s.emitHeld(c, f)
		}
		a.actor.Answer(a.op, a.op.acknowledgement(a.actor, &r.Change), nil)
	}
	if r.Err == nil && !r.Duplicate {
		s.admittedHere(c, &r.Change)
	}
	f.n--
	if r.Err == nil {
		f.told(&r.Change)
	}
	for len(f.held) > 0 && (f.n == 0 || f.has(f.held[0])) {
		s.emitHeld(c, f)
	}
	if f.n == 0 {
		delete(s.flights, c)
	}
	s.mu.Unlock()
	if r.Err != nil {
		s.hub.refuse(a.actor, a.op, appendFailed(r.Err))
	}
}

// emitHeld sends the first change that is held. Called with mu held.
func (s *shard) emitHeld(c Conversation, f *flight) {
	s.emit(c, f.held[0])
	f.held = f.held[1:]
}
