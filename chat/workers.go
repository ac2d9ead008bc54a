package chat

import "sync"

// workers run what may block and needs no order: tokens and queries.
type workers struct {
	wg sync.WaitGroup

	mu      sync.Mutex // guards sending to and closing of jobs
	jobs    chan func()
	stopped bool
}

func newWorkers(n, queue int) *workers {
	w := &workers{jobs: make(chan func(), queue)}
	for range n {
		w.wg.Go(func() {
			for job := range w.jobs {
				job()
			}
		})
	}
	return w
}

// submit queues a job. It does not block.
func (w *workers) submit(job func()) *Failure {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return failShuttingDown
	}
	select {
	case w.jobs <- job:
		return nil
	default:
		return failOverloaded
	}
}

// stop waits until every job has run.
func (w *workers) stop() {
	w.mu.Lock()
	if !w.stopped {
		w.stopped = true
		close(w.jobs)
	}
	w.mu.Unlock()
	w.wg.Wait()
}
