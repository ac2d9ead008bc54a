package run

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/worker"
)

// finish stops the load and collects the remaining results.
func (r *running) finish(ctx context.Context) error {
	r.phase = Draining
	r.o.notify(Progress{Phase: Draining, Ready: r.ready, Of: r.o.Plan.Members()})
	return r.collect(ctx, false)
}

// collect asks for the remaining results: after the last answers or, if the run
// is cut short, at once.
func (r *running) collect(ctx context.Context, cut bool) error {
	sent := map[uint32]uint32{}
	var mu sync.Mutex
	if err := r.each(func(i int, w worker.Worker) error {
		part, err := w.Stop(ctx)
		mu.Lock()
		defer mu.Unlock()
		for id, n := range part {
			sent[id] = n
		}
		return err
	}); err != nil && !cut {
		return err
	}
	finals := make([]worker.Final, len(r.crew.workers))
	if err := r.each(func(i int, w worker.Worker) (err error) {
		finals[i], err = w.Finish(ctx, worker.Ending{Sent: sent, Cut: cut})
		return err
	}); err != nil && !cut {
		return err
	}
	rest := result.Interval{From: r.res.Seconds, To: r.res.Seconds, Ready: r.ready}
	r.res.Ends = map[string]int{}
	flat := 0
	for i, f := range finals {
		r.count(&rest.Tally, &f.Tally)
		r.res.Faults.Add(f.Faults)
		flat += f.Uncompressed
		r.res.Unanswered += f.Pending
		for text, n := range f.Ends {
			r.res.Ends[terminal.Escape(text)] += n
		}
		r.res.Workers = append(r.res.Workers, result.WorkerNote{
			Name: r.crew.names[i], Threads: f.Threads, Conns: r.shares[i].To - r.shares[i].From,
			ClockError: r.crew.offsets[i].Error, Machine: f.Machine,
		})
	}
	if r.phase == Connecting || r.phase == Warming {
		r.res.Ramp.Tally.Add(&rest.Tally) // nothing was measured yet
	} else {
		r.res.Total.Add(&rest.Tally)
		r.res.Intervals = append(r.res.Intervals, rest)
	}
	if flat > 0 {
		r.res.Deflate = false
		r.res.Warnings = append(r.res.Warnings, fmt.Sprintf("the server did not agree to permessage-deflate on %d connections: what they sent was not compressed", flat))
	}
	slices.Sort(r.res.Warnings)
	return nil
}

// releaseTime bounds how long connections are closed in order.
const releaseTime = 10 * time.Second

func (r *running) release(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r.each(func(_ int, w worker.Worker) error { return w.Release(ctx) })
}
