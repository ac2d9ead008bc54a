package worker

import (
	"context"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/host"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
)

// Job is a worker's task.
type Job struct {
	Plan    load.Plan    `json:"plan"`
	Target  drive.Target `json:"target"`
	Share   load.Share   `json:"share"`
	Threads int          `json:"threads"` // 0: one for each core

	// Index is the worker's number among Workers.
	Index   int `json:"index"`
	Workers int `json:"workers"`

	// Foreign is what to add to the due times of other workers' messages to have
	// them in this worker's clock, in nanoseconds. If OneWay is false they are
	// not to be subtracted at all: the clocks are not known well enough.
	Foreign int64 `json:"foreign"`
	OneWay  bool  `json:"one_way"`

	// Server is what to watch beside the load.
	Server host.Processes `json:"server"`
}

// Sample is what has happened since the last one.
type Sample struct {
	Tally  load.Tally  `json:"tally"`
	Ready  int         `json:"ready"`
	Gone   int         `json:"gone"`
	Own    host.Own    `json:"own"`
	Server *host.Usage `json:"server,omitempty"`
	Error  string      `json:"error,omitempty"` // why there is no Server
	At     int64       `json:"at"`              // of the worker's clock
}

// Final is what a worker knows in the end.
type Final struct {
	Tally        load.Tally     `json:"tally"` // since the last sample
	Faults       load.Faults    `json:"faults"`
	Ends         map[string]int `json:"ends"`
	Threads      int            `json:"threads"`
	Uncompressed int            `json:"uncompressed"`
	Pending      uint64         `json:"pending,omitempty"` // messages unanswered when the run was cut short
	Machine      host.Machine   `json:"machine"`
}

// Ending is what a worker is told in the end.
type Ending struct {
	// Sent is how many messages the streams of all workers have.
	Sent map[uint32]uint32 `json:"sent"`
	// Cut ends a run at once, whatever the worker is doing: unanswered messages do not
	// count as lost.
	Cut bool `json:"cut,omitempty"`
}

// Worker is a process that carries out one Job after another. Its methods are
// called one at a time, in the order in which they stand here; but a run that is cut
// short goes on with Sample, Stop and Finish from anywhere, even while an earlier call
// is still being carried out.
type Worker interface {
	// Clock is the worker's monotonic clock, in nanoseconds.
	Clock(ctx context.Context) (int64, error)
	// Fit is how many of the given number of connections the process can hold.
	Fit(ctx context.Context, conns int) (int, error)
	// Prepare gives it a job.
	Prepare(ctx context.Context, j Job) error
	// Probe makes one connection and drops it: a first look at the target.
	Probe(ctx context.Context) error
	// Connect brings connections to a stage. It returns when all of them have reached
	// it, or failed.
	Connect(ctx context.Context, r drive.Ramp) error
	// Sample may be called at any time after Prepare, also during Connect.
	Sample(ctx context.Context) (Sample, error)
	// Begin starts the load at a moment of the worker's clock.
	Begin(ctx context.Context, at int64) error
	// Stop ends it and returns how many messages each stream has that others
	// receive.
	Stop(ctx context.Context) (map[uint32]uint32, error)
	// Finish waits for answers and says what was wrong.
	Finish(ctx context.Context, e Ending) (Final, error)
	// Release closes the connections.
	Release(ctx context.Context) error
	// Close ends the worker, or the connection to it.
	Close() error
}

// Local is the worker in this process.
type Local struct {
	mu     sync.Mutex
	job    Job           // Guarded by mu.
	engine *drive.Engine // Guarded by mu.
	final  *Final        // Guarded by mu. Once Finish has come to its end.
	cut    bool          // Guarded by mu. Finish was called with Cut.
}

func (w *Local) running() (*drive.Engine, Job) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.engine, w.job
}

// Clock is Worker's.
func (w *Local) Clock(context.Context) (int64, error) { return drive.Now(), nil }

// Fit is Worker's.
func (w *Local) Fit(_ context.Context, conns int) (int, error) {
	return drive.RaiseDescriptors(conns), nil
}

// Prepare is Worker's.
func (w *Local) Prepare(_ context.Context, j Job) error {
	var e *drive.Engine
	if j.Share.To > j.Share.From {
		var err error
		if e, err = drive.New(&j.Plan, j.Share, j.Target, j.Threads); err != nil {
			return err
		}
		e.Load.SetForeignClock(j.Foreign, j.OneWay)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine, w.job, w.final, w.cut = e, j, nil, false
	return nil
}

// Probe is Worker's.
func (w *Local) Probe(ctx context.Context) error {
	e, _ := w.running()
	if e == nil {
		return nil
	}
	_, err := e.Probe(ctx)
	return err
}

// Connect is Worker's.
func (w *Local) Connect(ctx context.Context, r drive.Ramp) error {
	e, _ := w.running()
	if e == nil {
		return nil
	}
	return e.Connect(ctx, r)
}

// Sample is Worker's.
func (w *Local) Sample(context.Context) (s Sample, err error) {
	e, j := w.running()
	if e != nil {
		s.Tally = e.Load.Take()
		s.Ready, s.Gone = e.Load.Ready()
	}
	s.Own = host.Self()
	s.At = drive.Now()
	if j.Server.Any() {
		if u, err := j.Server.Usage(); err != nil {
			s.Error = err.Error()
		} else {
			s.Server = &u
		}
	}
	return s, nil
}

// Begin is Worker's.
func (w *Local) Begin(_ context.Context, at int64) error {
	if e, j := w.running(); e != nil {
		e.Start(at, j.Index, j.Workers)
	}
	return nil
}

// Stop is Worker's.
func (w *Local) Stop(context.Context) (map[uint32]uint32, error) {
	e, _ := w.running()
	if e == nil {
		return map[uint32]uint32{}, nil
	}
	e.Load.Stop()
	return e.Load.Sent(), nil
}

// Finish is Worker's. If one of two concurrent calls cuts the other short, both return
// the same.
func (w *Local) Finish(ctx context.Context, end Ending) (f Final, err error) {
	e, _ := w.running()
	if e == nil {
		return Final{Machine: host.Describe()}, nil
	}
	if end.Cut {
		w.mu.Lock()
		w.cut = true
		w.mu.Unlock()
		e.Halt()
	}
	e.Drain(ctx, end.Sent)
	if err := ctx.Err(); err != nil {
		return f, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.final != nil {
		return *w.final, nil
	}
	f.Machine = host.Describe()
	f.Tally = e.Load.Take()
	if w.cut {
		f.Faults, f.Ends, f.Pending = e.Load.FinishCut(end.Sent)
	} else {
		f.Faults, f.Ends = e.Load.Finish(end.Sent)
	}
	f.Threads, f.Uncompressed = len(e.Load.Shards), e.Uncompressed()
	w.final = &f
	return f, nil
}

// closeTime bounds how long connections are closed in order.
const closeTime = 3 * time.Second

// Release is Worker's.
func (w *Local) Release(ctx context.Context) error {
	w.mu.Lock()
	e := w.engine
	w.engine = nil
	w.mu.Unlock()
	if e == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, closeTime)
	defer cancel()
	e.Close(ctx)
	return nil
}

// Close is Worker's.
func (w *Local) Close() error { return w.Release(context.Background()) }
