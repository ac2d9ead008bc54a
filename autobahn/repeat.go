package autobahn

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A verdict may depend on a race: of a message's echo with the failure that follows it,
// or of a busy machine with a deadline. A verdict that only such a race can have made worse
// is tried again, alone, and the best one counts: what an endpoint does is what it does
// when it has the time.

const (
	// maxRepeats is how often a case is played again.
	maxRepeats = 4
	// maxAlike is how many cases may have such a verdict: more are no race, but how the
	// server is.
	maxAlike = 24
	// repeatTime bounds what repeats take, before scaling, and the case that is repeated.
	repeatTime     = 30 * time.Second
	repeatCaseTime = 6 * time.Second
)

// races reports whether a result may be better another time.
func (r *Result) races() bool {
	if r.Passes(true) || r.Behavior == Unimplemented || r.Crashed || r.Skipped || r.Unreachable {
		return false
	}
	return r.TimeAlone || r.Behavior == NonStrict || r.Behavior == OK && r.BehaviorClose != WrongCode
}

// repeat plays again what may have lost a race.
func (run *serverRun) repeat() {
	alike := map[string]int{}
	for _, r := range run.results {
		if r != nil && r.races() {
			alike[r.verdicts()]++
		}
	}
	begun := time.Now()
	for i, r := range run.results {
		if run.dead || run.ctx.Err() != nil || time.Since(begun) > run.opt.scale(repeatTime) {
			return
		}
		if r != nil && r.races() && alike[r.verdicts()] <= maxAlike && r.Duration <= run.opt.scale(repeatCaseTime) {
			run.again(i)
		}
	}
}

// again plays a case until its verdict is OK, but not too often, and keeps the best.
func (run *serverRun) again(i int) {
	best := run.results[i]
	seen := []string{best.verdicts()}
	repeats := maxRepeats
	if run.cases[i].parts != nil || best.TimeAlone {
		repeats = 2
	}
	for range repeats {
		r := testServer(run.ctx, run.t, run.cases[i], run.opt)
		if r == nil || r.Unreachable {
			break
		}
		seen = append(seen, r.verdicts())
		if r.rank() < best.rank() {
			r.Index = i + 1
			best = r
		}
		if best.Passes(true) {
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
