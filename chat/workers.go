package chat

import (
	"sync"
	"time"
)

// The pools, which do not wait for each other: log-ins, look-ups that connections need before
// they can go on, queries, and clients that catch up.
const (
	poolLogins  = int(LoginQueue)
	poolLookups = int(LookupQueue)
	poolQueries = int(QueryQueue)
	poolResumes = int(ResumeQueue)
	numPools    = poolResumes + 1
)

// workers is a pool of goroutines for jobs that may wait for the engine and need no order.
type workers struct {
	hub    *Hub
	limit  int                 // maximum length of the queue
	waited func(time.Duration) // called with the time that a job waited in it

	mu   sync.Mutex
	wake sync.Cond
	// Guarded by mu.
	jobs    []job
	busy    int // jobs that run
	stopped bool

	wg sync.WaitGroup
}

// job is an operation of a connection.
type job struct {
	c  *Connection
	op *Operation
}

func newWorkers(h *Hub, n, queue int, waited func(time.Duration)) *workers {
	w := &workers{hub: h, limit: queue, waited: waited}
	w.wake.L = &w.mu
	for range n {
		w.wg.Go(w.run)
	}
	return w
}

func (w *workers) run() {
	for {
		w.mu.Lock()
		for len(w.jobs) == 0 && !w.stopped {
			w.wake.Wait()
		}
		if len(w.jobs) == 0 {
			w.mu.Unlock()
			return
		}
		next := w.jobs[0]
		w.jobs[0] = job{}
		if w.jobs = w.jobs[1:]; len(w.jobs) == 0 {
			w.jobs = nil
		}
		w.busy++
		w.mu.Unlock()
		w.waited(time.Since(next.op.begun))
		w.hub.doQueued(next.c, next.op)
		w.mu.Lock()
		w.busy--
		w.mu.Unlock()
	}
}

// submit queues a job. It does not block.
func (w *workers) submit(j job) *Failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
		return failShuttingDown
	case len(w.jobs) >= w.limit:
		return failOverloaded
	}
	w.jobs = append(w.jobs, j)
	w.wake.Signal()
	return nil
}

// stop waits until every job has run.
func (w *workers) stop() {
	w.mu.Lock()
	w.stopped = true
	w.wake.Broadcast()
	w.mu.Unlock()
	w.wg.Wait()
}
