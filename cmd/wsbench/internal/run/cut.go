package run

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/worker"
)

// How long a run that is cut short takes at most: to ask its workers for what they
// have, and to close the connections in order.
const (
	cutTime        = 2 * time.Second
	cutReleaseTime = 500 * time.Millisecond
)

// cut ends a run before its time. It returns what was measured, which is nothing
// unless the run was interrupted or a worker was lost, and something had begun.
func (r *running) cut(ctx context.Context, err error) (*result.Result, error) {
	var lost *worker.LostError
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case !errors.As(err, &lost):
		r.release(ctx, releaseTime)
		return nil, err
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cutTime)
	defer cancel()
	defer r.release(context.WithoutCancel(ctx), cutReleaseTime)
	phase := r.phase
	switch phase {
	case "":
		return nil, err
	case Connecting:
		r.sample(late, &r.res.Ramp.Tally)
		r.res.Ramp.Seconds = time.Since(r.began).Seconds()
	case Measuring:
		if _, failed := r.interval(late, r.from); errors.As(failed, &lost) {
			r.interval(late, r.from) // without the worker that is lost
		}
		r.res.Seconds = float64(r.last.at-r.from) / 1e9
		if r.o.Plan.Scenario != load.Login {
			r.res.Seconds = min(r.res.Seconds, r.o.Plan.Duration.Seconds())
		}
	}
	r.collect(late, true)
	if r.res.Seconds <= 0 && r.res.Ramp.Tally.Opened == 0 {
		return nil, err
	}
	r.res.Partial = r.partial(err)
	if r.res.Seconds > 0 {
		r.audit()
	}
	return r.res, err
}

// outlive returns a context that ends so long after ctx: an answer that is on its way
// when the run is interrupted must not be lost.
func outlive(ctx context.Context, after time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(after):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() {
		stop()
		cancel()
	}
}

// partial says how far the run came, and why no further.
func (r *running) partial(err error) string {
	switch r.phase {
	case Connecting:
		return fmt.Sprintf("%v while connecting, %d of %d connections having been opened: nothing was measured", err, r.res.Ramp.Tally.Opened, r.o.Plan.Members())
	case Warming:
		return fmt.Sprintf("%v while warming up: nothing was measured", err)
	case Measuring:
		if r.o.Plan.Scenario == load.Login {
			return fmt.Sprintf("%v after %d of %d log-ins", err, r.res.Total.Latency.Count(), r.o.Plan.Conns)
		}
		return fmt.Sprintf("%v after %.1f s of %v", err, r.res.Seconds, r.o.Plan.Duration)
	}
	return fmt.Sprintf("%v while waiting for the last answers: all of %v was measured", err, r.o.Plan.Duration)
}
