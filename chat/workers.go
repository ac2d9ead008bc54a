package chat

import (
	"sync"
	"time"
)

// The pools, so that none of them waits for another: log-ins, what connections need to know
// before they go on, and queries. Departures are in a pool of their own, which refuses none.
const (
	poolLogins     = int(LoginQueue)
	poolLookups    = int(LookupQueue)
	poolQueries    = int(QueryQueue)
	poolDepartures = int(DepartureQueue)
	numPools       = poolDepartures + 1
)

// workers do what may wait for the engine and needs no order.
type workers struct {
	limit  int                 // of the queue
	waited func(time.Duration) // is told how long a job stood in it

	mu   sync.Mutex
	wake sync.Cond
	// Guarded by mu.
	jobs    []job
	busy    int // jobs that run
	stopped bool

	wg sync.WaitGroup
}

// job is something to do, which is told since when it waits.
type job struct {
	do    func(queued time.Time)
	since time.Time
}

func newWorkers(n, queue int, waited func(time.Duration)) *workers {
	w := &workers{limit: queue, waited: waited}
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
		w.waited(time.Since(next.since))
		next.do(next.since)
		w.mu.Lock()
		w.busy--
		w.mu.Unlock()
	}
}

// submit queues a job. It does not block.
func (w *workers) submit(do func(queued time.Time)) *Failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.stopped:
		return failShuttingDown
	case len(w.jobs) >= w.limit:
		return failOverloaded
	}
	w.jobs = append(w.jobs, job{do, time.Now()})
	w.wake.Signal()
	return nil
}

// must queues a job whatever waits. Once the pool is stopped it does nothing.
func (w *workers) must(do func(queued time.Time)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.jobs = append(w.jobs, job{do, time.Now()})
		w.wake.Signal()
	}
}

// stop waits until every job has run.
func (w *workers) stop() {
	w.mu.Lock()
	w.stopped = true
	w.wake.Broadcast()
	w.mu.Unlock()
	w.wg.Wait()
}
