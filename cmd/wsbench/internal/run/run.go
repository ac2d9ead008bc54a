package run

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/buildinfo"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/host"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/latency"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/worker"
)

// running is a run as it goes on.
type running struct {
	o      *Options
	crew   *crew
	shares []load.Share
	res    *result.Result
	ready  int

	reached bool // every worker has made a first connection

	watched *host.Usage // what the server had used when it was last asked

	phase   Phase
	began   time.Time     // when connecting did
	from    int64         // of our clock: when measuring begins
	lost    []atomic.Bool // by worker: it is not asked any more
	unwatch bool          // the worker that watches the server is lost

	before samples // when the first connection was not yet made
	start  samples // when measuring began
	last   samples
	carry  load.Tally // what was measured before start was taken
}

// samples are what all workers said at about one time.
type samples struct {
	at     int64 // of our clock
	own    []host.Own
	server *host.Usage
	here   host.Own // this machine's
}

// TargetError is the error of a run that failed because of the server, not because of
// the workers.
type TargetError struct {
	Reached bool // first connections had been made
	Err     error
}

func (e *TargetError) Error() string { return e.Err.Error() }
func (e *TargetError) Unwrap() error { return e.Err }

// target says that an error is the server's, unless a worker is lost.
func (r *running) target(err error) error {
	var lost *worker.LostError
	if err == nil || errors.As(err, &lost) {
		return err
	}
	return &TargetError{r.reached, err}
}

// Run carries out a plan. A result may still be one of failure. If the run is cut
// short, by the end of ctx or the loss of a worker, the result is what was measured
// until then, and comes with the error; it is nil if nothing was. Any other error
// means that there is no result.
func Run(ctx context.Context, o Options) (*result.Result, error) {
	if err := o.Plan.Check(); err != nil {
		return nil, err
	}
	if o.Interval <= 0 {
		o.Interval = time.Second
	}
	c, err := hire(ctx, &o)
	if ctx.Err() != nil && err != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	defer c.close()
	r := &running{o: &o, crew: c, lost: make([]atomic.Bool, len(c.workers)), res: &result.Result{
		Format: result.Format, Version: buildinfo.Version(), Began: time.Now().Round(time.Second), Command: o.Command,
		Plan: o.Plan, Deflate: o.Plan.Deflate, Machine: host.Describe(),
	}}
	if recorded := o.Plan.Recording; recorded != nil {
		r.res.Plan.Recording = recorded.Summary() // what people said is not kept
	}
	steps := []func(context.Context) error{r.prepare, r.connect, r.meet, r.load, r.finish}
	if o.Plan.Scenario == load.Login {
		steps = []func(context.Context) error{r.prepare, r.meet, r.logins, r.finish}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return r.cut(ctx, err)
		}
	}
	r.release(context.Background(), releaseTime)
	r.audit()
	return r.res, nil
}

// meet waits for the runs that begin together with this one.
func (r *running) meet(ctx context.Context) error {
	if r.o.Meet == nil {
		return nil
	}
	return r.o.Meet(ctx)
}

// each asks all workers at a time that are not lost.
func (r *running) each(f func(i int, w worker.Worker) error) error {
	errs := make([]error, len(r.crew.workers))
	var wg sync.WaitGroup
	for i, w := range r.crew.workers {
		if r.lost[i].Load() {
			continue
		}
		wg.Go(func() {
			errs[i] = f(i, w)
			if errors.As(errs[i], new(*worker.LostError)) {
				r.lost[i].Store(true)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (r *running) prepare(ctx context.Context) error {
	o := r.o
	n := len(r.crew.workers)
	var mu sync.Mutex // over res.Warnings
	r.shares = o.Plan.Shares(n)
	if n > 1 && o.spread() {
		r.res.Warnings = append(r.res.Warnings, "the last receiver is not known across processes: its latency is left out")
	}
	if r.crew.watcher != nil {
		if err := r.crew.watcher.Prepare(ctx, worker.Job{Server: o.Server}); err != nil {
			return err
		}
	}
	err := r.each(func(i int, w worker.Worker) error {
		size := r.shares[i].To - r.shares[i].From
		if fit, err := w.Fit(ctx, size); err != nil {
			return err
		} else if fit < size {
			return fmt.Errorf("%s may open %d connections, its share is %d: raise its hard limit of open files (ulimit -Hn), or use more processes or agents", r.crew.names[i], fit, size)
		}
		mine, first := r.crew.offsets[i], r.crew.offsets[0]
		job := worker.Job{Plan: o.Plan, Target: o.Target, Share: r.shares[i], Threads: o.Threads, Index: i, Workers: n,
			Foreign: mine.Ahead - first.Ahead, OneWay: i == 0 || mine.Error+first.Error <= o.MaxClockError}
		if !job.OneWay && o.Plan.Grouped() {
			mu.Lock()
			defer mu.Unlock()
			r.res.Warnings = append(r.res.Warnings, fmt.Sprintf("%s: its clock is known to ±%v only: the one-way latencies it saw are left out", r.crew.names[i], mine.Error+first.Error))
		}
		if err := w.Prepare(ctx, job); err != nil {
			return err
		}
		return r.target(w.Probe(ctx))
	})
	if err != nil {
		return err
	}
	r.before, err = r.sample(ctx, &r.res.Ramp.Tally)
	r.reached = err == nil
	return err
}

// sample asks all workers what has happened, and adds their counts to a tally:
// workers forget them.
func (r *running) sample(ctx context.Context, to *load.Tally) (s samples, err error) {
	ctx, cancel := outlive(ctx, cutTime/2)
	defer cancel()
	s.own = make([]host.Own, len(r.crew.workers))
	parts := make([]worker.Sample, len(r.crew.workers))
	var server worker.Sample
	var wg sync.WaitGroup
	var watchErr error
	if r.crew.watcher != nil && !r.unwatch {
		wg.Go(func() { server, watchErr = r.crew.watcher.Sample(ctx) })
	}
	err = r.each(func(i int, w worker.Worker) (err error) {
		parts[i], err = w.Sample(ctx)
		return err
	})
	wg.Wait()
	s.at, s.here = drive.Now(), host.Self()
	r.ready = 0
	for i := range parts { // also those beside a worker that failed
		r.count(to, &parts[i].Tally)
		s.own[i] = parts[i].Own
		r.ready += parts[i].Ready
		if r.lost[i].Load() && r.last.own != nil {
			s.own[i] = r.last.own[i]
		}
	}
	r.unwatch = r.unwatch || errors.As(watchErr, new(*worker.LostError))
	if err = errors.Join(err, watchErr); err != nil {
		return s, err
	}
	if r.unwatch {
		server.Server = r.watched
	}
	if server.Error != "" {
		if r.watched == nil {
			return s, r.target(fmt.Errorf("the server's processes: %s", server.Error))
		}
		// A server that ends amid the load is a result, too: what it had used stands.
		r.res.ServerGone, server.Server = server.Error, r.watched
	}
	s.server, r.watched = server.Server, server.Server
	return s, nil
}

// count adds what one worker counted.
func (r *running) count(to, part *load.Tally) {
	if len(r.crew.workers) > 1 && r.o.spread() {
		part.Last = latency.Histogram{} // it is the last of the worker's own receivers
	}
	to.Add(part)
}

// leadTime is how far ahead workers are told when to begin.
const leadTime = 100 * time.Millisecond

// load has the load begin, and takes the samples.
func (r *running) load(ctx context.Context) error {
	p := &r.o.Plan
	at := drive.Now() + int64(leadTime)
	if err := r.each(func(i int, w worker.Worker) error {
		return w.Begin(ctx, at+r.crew.offsets[i].Ahead)
	}); err != nil {
		return err
	}
	from := at + int64(p.Warmup)
	to := from + int64(p.Duration)
	r.from, r.phase = from, Warming
	r.o.notify(Progress{Phase: Warming, Total: p.Warmup, Ready: r.ready, Of: p.Members()})
	if err := until(ctx, from); err != nil {
		return err
	}
	s, err := r.sample(ctx, &r.carry)
	if err != nil {
		return err
	}
	r.start, r.last, r.phase = s, s, Measuring
	defer r.act(ctx, from)()
	for k := int64(1); ; k++ {
		end := min(from+k*int64(r.o.Interval), to)
		if to-end < int64(r.o.Interval)/2 {
			end = to
		}
		if err := until(ctx, end); err != nil {
			return err
		}
		v, err := r.interval(ctx, from)
		if err != nil {
			return err
		}
		r.o.notify(Progress{Phase: Measuring, Done: time.Duration(end - from), Total: p.Duration, Ready: r.ready, Of: p.Members(), Interval: v, SoFar: r.res})
		if end == to {
			r.res.Seconds = p.Duration.Seconds()
			return nil
		}
	}
}

// interval takes one sample and adds it to the result.
func (r *running) interval(ctx context.Context, from int64) (*result.Interval, error) {
	s, err := r.sample(ctx, &r.carry)
	if err != nil {
		return nil, err
	}
	var t load.Tally
	t, r.carry = r.carry, load.Tally{}
	v := result.Interval{From: float64(r.last.at-from) / 1e9, To: float64(s.at-from) / 1e9, Tally: t, Ready: r.ready}
	v.From = max(v.From, 0)
	seconds := float64(s.at-r.last.at) / 1e9
	for i := range s.own {
		v.ClientCPU += (s.own[i].CPU - r.last.own[i].CPU).Seconds() / seconds
		v.ClientRSS += s.own[i].RSS
	}
	if s.server != nil {
		v.ServerCPU = (s.server.CPU - r.last.server.CPU).Seconds() / seconds
		v.ServerRSS = s.server.RSS
	}
	r.last = s
	r.res.Seconds = v.To
	r.res.Total.Add(&t)
	v.Tally.Pack()
	r.res.Intervals = append(r.res.Intervals, v)
	return &r.res.Intervals[len(r.res.Intervals)-1], nil
}

// until sleeps to a moment of our clock.
func until(ctx context.Context, at int64) error {
	select {
	case <-time.After(time.Duration(at - drive.Now())):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
