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
// or of a busy machine with a deadline. A case whose verdict only such a race can have made
// worse is repeated, with fewer others at once and with more time, and the best verdict
// counts: an endpoint is judged by what it does when it has the time.

const (
	// raceRepeats is how often a case is repeated if another order of events, or a cleaner
	// end, would give a better verdict; lateRepeats is the same if a deadline decided it.
	raceRepeats = 6
	lateRepeats = 2
	// repeatScale is how much more time each repeated case gets.
	repeatScale = 3
	// repeatShare divides the number of cases that a run plays at once; the result is how
	// many are repeated at once.
	repeatShare = 2
	// maxLateAgain is how many repeats in a row may be late again. After that, the machine is
	// not what is slow, and no other late case is repeated.
	maxLateAgain = 30
	// repeatTime is the total time for repeats, before scaling, unless the run took longer.
	repeatTime = 30 * time.Second
)

// races reports whether a result may be better another time.
func (r *Result) races() bool {
	if r.Passes(true) || r.Behavior == Unimplemented || r.Crashed || r.Skipped || r.Unreachable {
		return false
	}
	return r.late || r.Behavior == NonStrict || r.Behavior == OK && r.BehaviorClose != WrongCode
}

// rerun is a case that is played again.
type rerun struct {
	i       int // in the run
	repeats int // how many are allowed
	late    bool

	// Guarded by the run's mu.
	seen []string // the verdicts so far
}

// repeat plays the cases again that may have lost a race, until the time is over.
func (run *serverRun) repeat(limit time.Duration) {
	until := time.Now().Add(limit)
	run.repeatThese(run.racing(false), run.opt.parallel(), until)
	run.repeatThese(run.racing(true), run.opt.heavyParallel(), until)
}

// racing returns the cases that are worth a repeat, the shortest first.
func (run *serverRun) racing(heavy bool) (list []*rerun) {
	for i, r := range run.results {
		if r == nil || run.cases[i].heavy != heavy || !r.races() {
			continue
		}
		c := &rerun{i: i, repeats: raceRepeats, late: r.late, seen: []string{r.verdicts()}}
		if r.late {
			c.repeats = lateRepeats
		}
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *rerun) int {
		return cmp.Compare(run.results[a.i].Duration, run.results[b.i].Duration)
	})
	return list
}

// repeatThese plays each case once, and then those that are no better as often as is allowed,
// in parallel: a testee that always does the same does not cost six waits.
func (run *serverRun) repeatThese(list []*rerun, parallel int, until time.Time) {
	parallel = max(1, parallel/repeatShare)
	run.again(list, parallel, until)
	var more []*rerun
	for n := 1; n < raceRepeats; n++ {
		for _, c := range list {
			if n < c.repeats {
				more = append(more, c)
			}
		}
	}
	run.again(more, parallel, until)
	for _, c := range list {
		if unlike := slices.Compact(slices.Sorted(slices.Values(c.seen))); len(unlike) > 1 {
			run.results[c.i].Varies = fmt.Sprintf("not the same each time: %s", strings.Join(c.seen, "; "))
		}
	}
}

// again plays the cases in a list that do not pass yet, and keeps each one's best result.
func (run *serverRun) again(list []*rerun, parallel int, until time.Time) {
	patient := *run.opt
	patient.TimeScale = repeatScale * cmp.Or(patient.TimeScale, 1)
	var wg sync.WaitGroup
	defer wg.Wait()
	slots := make(chan struct{}, parallel)
	for _, c := range list {
		slots <- struct{}{}
		if run.dead || run.ctx.Err() != nil || time.Now().After(until) {
			return
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if !run.worthwhile(c) {
				return
			}
			if r := testServer(run.ctx, run.t, run.cases[c.i], &patient); r != nil && !r.Unreachable {
				run.improve(c, r)
			}
		})
	}
}

// worthwhile reports whether a case does not pass yet and a repeat may help.
func (run *serverRun) worthwhile(c *rerun) bool {
	run.mu.Lock()
	defer run.mu.Unlock()
	return !run.results[c.i].Passes(true) && !(c.late && run.lateAgain >= maxLateAgain)
}

// improve keeps the result of a repeat if it is better.
func (run *serverRun) improve(c *rerun, r *Result) {
	run.mu.Lock()
	defer run.mu.Unlock()
	c.seen = append(c.seen, r.verdicts())
	better := r.rank() < run.results[c.i].rank()
	if better {
		r.Index = c.i + 1
		run.results[c.i] = r
	}
	if run.lateAgain++; better || !r.late {
		run.lateAgain = 0
	}
}

func (r *Result) verdicts() string { return fmt.Sprintf("%s / %s", r.Behavior, r.BehaviorClose) }

func (r *Result) rank() int {
	return 10*max(r.Behavior.Rank(), r.BehaviorClose.Rank()) + r.Behavior.Rank()
}
