package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/hawser-ws/hawser/autobahn"
)

// Baseline is the verdicts of an earlier run.
type Baseline struct {
	Agent string // "" where the file does not say
	Suite int    // the suite version; 0 if the file does not say
	Seed  uint64 // determines what random cases sent; 0 if the file does not say
	// Verdicts are behaviour and close of each case.
	Verdicts map[string][2]autobahn.Verdict
}

// ReadBaseline reads a baseline from a file: an object with a member for each case,
// and with "agent", "suite" and "seed".
func ReadBaseline(path string) (*Baseline, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b := &Baseline{Verdicts: map[string][2]autobahn.Verdict{}}
	for name, value := range members {
		switch name {
		case "agent":
			err = json.Unmarshal(value, &b.Agent)
		case "suite":
			err = json.Unmarshal(value, &b.Suite)
		case "seed":
			err = json.Unmarshal(value, &b.Seed)
		default:
			b.Verdicts[name], err = readVerdicts(value)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", path, name, err)
		}
	}
	return b, nil
}

func readVerdicts(raw json.RawMessage) (v [2]autobahn.Verdict, err error) {
	var list []autobahn.Verdict
	if err := json.Unmarshal(raw, &list); err != nil {
		return v, err
	}
	if len(list) != 2 {
		return v, fmt.Errorf("%d verdicts, want behaviour and close", len(list))
	}
	for _, w := range list {
		if !slices.Contains(verdicts, w) {
			return v, fmt.Errorf("%q is no verdict", w)
		}
	}
	return [2]autobahn.Verdict(list), nil
}

// NewBaseline makes a baseline of an agent's results.
func NewBaseline(agent string, suite int, seed uint64, results []*autobahn.Result) *Baseline {
	b := &Baseline{Agent: agent, Suite: suite, Seed: seed, Verdicts: map[string][2]autobahn.Verdict{}}
	for _, r := range results {
		b.Verdicts[r.Case.ID] = [2]autobahn.Verdict{r.Behavior, r.BehaviorClose}
	}
	return b
}

// Write writes the baseline, a line for each case.
func (b *Baseline) Write(w io.Writer) error {
	ids := make([]string, 0, len(b.Verdicts))
	for id := range b.Verdicts {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(x, y string) int {
		if autobahn.Less(x, y) {
			return -1
		}
		return 1
	})
	agent, err := json.Marshal(b.Agent)
	if err != nil {
		return err
	}
	lines := []string{fmt.Sprintf(`"agent": %s`, agent), fmt.Sprintf(`"suite": %d`, b.Suite)}
	if b.Seed != 0 {
		lines = append(lines, fmt.Sprintf(`"seed": %d`, b.Seed))
	}
	for _, id := range ids {
		lines = append(lines, fmt.Sprintf("%q: [%q, %q]", id, b.Verdicts[id][0], b.Verdicts[id][1]))
	}
	_, err = io.WriteString(w, "{\n"+strings.Join(lines, ",\n")+"\n}\n")
	return err
}

// Missing is how many cases of the baseline have no result.
func (b *Baseline) Missing(results []*autobahn.Result) int {
	n := len(b.Verdicts)
	for _, r := range results {
		if _, known := b.Verdicts[r.Case.ID]; known {
			n--
		}
	}
	return n
}

// Compare says what changed for the worse and for the better. A case that the baseline
// does not have is worse if it does not pass. If the behaviour of a case has failed, its
// close is not compared.
func (b *Baseline) Compare(results []*autobahn.Result, strict bool) (worse, better []string) {
	for _, r := range results {
		was, known := b.Verdicts[r.Case.ID]
		now := [2]autobahn.Verdict{r.Behavior, r.BehaviorClose}
		switch {
		case !known && !r.Passes(strict):
			worse = append(worse, fmt.Sprintf("%s: %s / %s, which is new: %s", r.Case.ID, now[0], now[1], r.Reason))
		case !known, was[0].Rank() == autobahn.Failed.Rank() && now[0].Rank() == was[0].Rank():
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

// changed are a case's verdicts in the baseline if they differ from the result's; nil if
// they do not, and without a baseline.
func (b *Baseline) changed(r *autobahn.Result) []string {
	if b == nil {
		return nil
	}
	was, known := b.Verdicts[r.Case.ID]
	if !known || was[0] == r.Behavior && was[1] == r.BehaviorClose {
		return nil
	}
	return []string{string(was[0]), string(was[1])}
}
