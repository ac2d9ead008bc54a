package report

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hawser-ws/hawser/autobahn"
)

// Baseline is the verdicts of an earlier run: behaviour and close of each case.
type Baseline map[string][2]autobahn.Verdict

// ReadBaseline reads a baseline from a file.
func ReadBaseline(path string) (Baseline, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b := Baseline{}
	if err := json.Unmarshal(raw, &b); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}

// NewBaseline is the baseline that results make.
func NewBaseline(results []*autobahn.Result) Baseline {
	b := Baseline{}
	for _, r := range results {
		b[r.Case.ID] = [2]autobahn.Verdict{r.Behavior, r.BehaviorClose}
	}
	return b
}

// Write writes the baseline to a file, a line for each case.
func (b Baseline) Write(path string) error {
	ids := make([]string, 0, len(b))
	for id := range b {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y string) int {
		if autobahn.Less(x, y) {
			return -1
		}
		return 1
	})
	lines := make([]string, len(ids))
	for i, id := range ids {
		lines[i] = fmt.Sprintf("%q: [%q, %q]", id, b[id][0], b[id][1])
	}
	return os.WriteFile(path, []byte("{\n"+strings.Join(lines, ",\n")+"\n}\n"), 0o644)
}

// Compare says what changed for the worse and for the better. A case that the
// baseline does not have is worse if it does not pass.
func (b Baseline) Compare(results []*autobahn.Result, strict bool) (worse, better []string) {
	for _, r := range results {
		was, known := b[r.Case.ID]
		now := [2]autobahn.Verdict{r.Behavior, r.BehaviorClose}
		switch {
		case !known && !r.Passes(strict):
			worse = append(worse, fmt.Sprintf("%s: %s / %s, which is new: %s", r.Case.ID, now[0], now[1], r.Reason))
		case !known:
		case now[0].Rank() > was[0].Rank() || now[1].Rank() > was[1].Rank():
			why := r.Reason
			if now[0].Rank() <= was[0].Rank() {
				why = r.ReasonClose
			}
			worse = append(worse, fmt.Sprintf("%s: %s / %s, was %s / %s: %s", r.Case.ID, now[0], now[1], was[0], was[1], why))
		case now[0].Rank() < was[0].Rank() || now[1].Rank() < was[1].Rank():
			better = append(better, fmt.Sprintf("%s: %s / %s, was %s / %s", r.Case.ID, now[0], now[1], was[0], was[1]))
		}
	}
	return worse, better
}
