package drive

import (
	"sync/atomic"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
)

const (
	// tickEvery is the interval in ns at which a loop is called when nothing is due: for
	// timeouts, and to measure how promptly it runs.
	tickEvery = 10_000_000
	// minGap is the minimum time in ns between two calls. Messages that are due in
	// between are sent late, and are counted as late.
	minGap = 50_000
)

// pacer calls a shard's loop when something is due.
type pacer struct {
	call    func() error // makes the loop run tick
	alarm   *alarm
	pending atomic.Int64 // when the unanswered call was made; 0: there is none
	started atomic.Bool
	stopped atomic.Bool
	ended   chan struct{}
}

func newPacer(call func() error) (*pacer, error) {
	a, err := newAlarm()
	return &pacer{call: call, alarm: a, ended: make(chan struct{})}, err
}

// run is the pacer's goroutine.
func (p *pacer) run(schedule load.Times) {
	defer close(p.ended)
	for last := Now(); !p.stopped.Load(); {
		next := last + tickEvery
		if schedule != nil {
			for schedule.Due() <= last {
				schedule.Pass() // the previous call includes this one
			}
			next = min(next, max(schedule.Due(), last+minGap))
		}
		p.alarm.sleepUntil(next)
		last = Now()
		p.poke()
	}
}

// poke calls the loop unless it has been called already.
func (p *pacer) poke() {
	if p.pending.CompareAndSwap(0, Now()) && p.call() != nil {
		p.pending.Store(0) // the loop cannot take it: the next one may succeed
	}
}

// answered is called by the loop when it runs. It returns how long that took since the
// call, in nanoseconds.
func (p *pacer) answered() (lag int64) {
	if at := p.pending.Swap(0); at > 0 {
		return Now() - at
	}
	return 0
}

// start begins to call the loop by a schedule, which may be nil.
func (p *pacer) start(schedule load.Times) {
	p.started.Store(true)
	go p.run(schedule)
}

func (p *pacer) stop() {
	p.stopped.Store(true)
	if p.started.Load() {
		<-p.ended
	}
	p.alarm.close()
}
