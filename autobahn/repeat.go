package autobahn

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A verdict may depend on a race: of a message's echo with the failure that follows it,
// or of a busy machine with a deadline. A verdict that only such a race can have made worse
// is tried again, among a few others only and with more time, and the best one counts:
// what an endpoint does is what it does when it has the time.

const (
	// raceRepeats is how often a case is played again that another order of events, or a
	// cleaner end, would make better, and lateRepeats how often one that a deadline decided.
	raceRepeats = 6
	lateRepeats = 2
	// repeatScale is how much more time there is for each case then.
	repeatScale = 3
	// repeatParallel is how many cases are repeated at once.
	repeatParallel = 6
	// repeatTime is what repeats may take in all, before scaling, unless the run took longer.
	repeatTime = 30 * time.Second
)

// races reports whether a result may be better another time.
func (r *Result) races() bool {
	if r.Passes(true) || r.Behavior == Unimplemented || r.Crashed || r.Skipped || r.Unreachable {
		return false
	}
	return r.late || r.Behavior == NonStrict || r.Behavior == OK && r.BehaviorClose != WrongCode
}

// repeat plays again what may have lost a race, the shortest cases first, until the time
// is over.
func (run *serverRun) repeat(limit time.Duration) {
	var todo []int
	for i, r := range run.results {
		if r != nil && r.races() {
			todo = append(todo, i)
		}
	}
	slices.SortFunc(todo, func(a, b int) int { return cmp.Compare(run.results[a].Duration, run.results[b].Duration) })
	until := time.Now().Add(limit)
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, min(repeatParallel, run.opt.parallel()))
	for _, i := range todo {
		slots <- struct{}{}
		if run.dead || run.ctx.Err() != nil || time.Now().After(until) {
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			run.again(i, until)
		})
	}
}

// again plays a case until its verdict is OK, but not too often, and keeps the best.
func (run *serverRun) again(i int, until time.Time) {
	best := run.results[i]
	seen := []string{best.verdicts()}
	repeats := raceRepeats
	if best.late {
		repeats = lateRepeats
	}
	patient := *run.opt
	patient.TimeScale = repeatScale * cmp.Or(patient.TimeScale, 1)
	for range repeats {
		r := testServer(run.ctx, run.t, run.cases[i], &patient)
		if r == nil || r.Unreachable {
			break
		}
		seen = append(seen, r.verdicts())
		if r.rank() < best.rank() {
			r.Index = i + 1
			best = r
		}
		if best.Passes(true) || time.Now().After(until) {
			break
		}
	}
	if unlike := slices.Compact(slices.Sorted(slices.Values(seen))); len(unlike) > 1 {
		best.Varies = fmt.Sprintf("not the same each time: %s", strings.Join(seen, "; "))
	}
	run.results[i] = best
}

func (r *Result) verdicts() string { return fmt.Sprintf("%s / %s", r.Behavior, r.BehaviorClose) }

func (r *Result) rank() int {
	return 10*max(r.Behavior.Rank(), r.BehaviorClose.Rank()) + r.Behavior.Rank()
}
