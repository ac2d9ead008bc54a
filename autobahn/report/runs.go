package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/hawser-ws/hawser/autobahn"
)

// Run is what runs.json says about an agent's run, in addition to its verdicts in
// index.json.
type Run struct {
	Testee string `json:"testee,omitempty"` // see About
	Date   string `json:"date"`
	Suite  int    `json:"suite"`
	Seed   uint64 `json:"seed"`
}

// Reports are the verdicts of several agents. The zero value has none.
type Reports struct {
	Index Index
	Runs  map[string]Run // by agent
}

// Read reads index.json and runs.json of a directory. If they do not exist, the
// reports are empty.
func Read(dir string) (*Reports, error) {
	x, err := ReadIndex(dir)
	if err != nil {
		return nil, err
	}
	r := &Reports{Index: x, Runs: map[string]Run{}}
	path := filepath.Join(dir, "runs.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &r.Runs); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// Add adds an agent's results, in place of those of an earlier run.
func (r *Reports) Add(agent string, results []*autobahn.Result, about About) {
	if r.Index == nil {
		r.Index, r.Runs = Index{}, map[string]Run{}
	}
	base := r.Index.fileName(agent)
	entries := map[string]Entry{}
	for _, one := range results {
		id := one.Case.ID
		entries[id] = Entry{string(one.Behavior), string(one.BehaviorClose), one.Duration.Milliseconds(), one.Ending.RemoteCode, caseFile(base, id), about.Partial}
	}
	r.Index[agent] = entries
	r.Runs[agent] = Run{about.Testee, about.Date, about.Suite, about.Seed}
}

// Agents are the agents' names in their order.
func (r *Reports) Agents() []string { return slices.Sorted(maps.Keys(r.Index)) }

// Page is the name of the file with an agent's page.
func (r *Reports) Page(agent string) string {
	name := r.Index.written(agent)
	if name == "" {
		name = r.Index.fileName(agent)
	}
	return name + ".html"
}
