package report

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hawser-ws/hawser/autobahn"
)

// Entry is a case's entry in index.json.
type Entry struct {
	Behavior        string `json:"behavior"`
	BehaviorClose   string `json:"behaviorClose"`
	Duration        int64  `json:"duration"` // milliseconds
	RemoteCloseCode *int   `json:"remoteCloseCode"`
	ReportFile      string `json:"reportfile"`
	Partial         string `json:"partial,omitempty"` // see About
}

// Index is index.json: by agent and by case.
type Index map[string]map[string]Entry

// ReadIndex reads DIR/index.json. Where there is none, the index is empty.
func ReadIndex(dir string) (Index, error) {
	b, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Index{}, nil
	}
	if err != nil {
		return nil, err
	}
	x := Index{}
	if err := json.Unmarshal(b, &x); err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "index.json"), err)
	}
	return x, nil
}

// detail is a case's own JSON file. The names are the original's where it has
// them.
type detail struct {
	Case        int                 `json:"case"`
	ID          string              `json:"id"`
	Agent       string              `json:"agent"`
	Description string              `json:"description"`
	Expectation string              `json:"expectation"`
	Reference   string              `json:"reference,omitempty"`
	Started     string              `json:"started"`
	Duration    int64               `json:"duration"`
	Behavior    autobahn.Verdict    `json:"behavior"`
	Close       autobahn.Verdict    `json:"behaviorClose"`
	Result      string              `json:"result"`
	ResultClose string              `json:"resultClose"`
	TimeAlone   bool                `json:"failedByTimeAlone"`
	Crashed     bool                `json:"crashed,omitempty"`
	Varies      string              `json:"varies,omitempty"`
	Part        string              `json:"part,omitempty"`
	Ending      autobahn.Ending     `json:"ending"`
	Request     string              `json:"httpRequest"`
	Response    string              `json:"httpResponse"`
	WireLog     []autobahn.LogEntry `json:"wirelog"`
}

// FileWriter writes a file as fill does.
type FileWriter func(path string, fill func(io.Writer) error) error

// Write writes an agent's results to dir: index.json, runs.json, a JSON file for each
// case, a page for the agent and the page of the matrix. Files of other agents' runs
// in dir stay.
func Write(dir string, write FileWriter, agent string, results []*autobahn.Result, about About) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	all, err := Read(dir)
	if err != nil {
		return err
	}
	all.Add(agent, results, about)
	for _, r := range results {
		if err := write(filepath.Join(dir, all.Index[agent][r.Case.ID].ReportFile), asJSON(newDetail(r))); err != nil {
			return err
		}
	}
	matrix := func(w io.Writer) error { return all.Matrix(w, "WebSocket conformance", "") }
	for _, f := range []struct {
		name string
		fill func(io.Writer) error
	}{
		{"index.json", asJSON(all.Index)},
		{"runs.json", asJSON(all.Runs)},
		{all.Page(agent), agentPageOf(agent, results, about)},
		{"index.html", matrix},
	} {
		if err := write(filepath.Join(dir, f.name), f.fill); err != nil {
			return err
		}
	}
	return nil
}

func newDetail(r *autobahn.Result) detail {
	d := detail{Case: r.Index, ID: r.Case.ID, Agent: r.Agent, Description: r.Case.Title, Expectation: r.Case.Expectation,
		Started: r.Started.UTC().Format("2006-01-02T15:04:05.000Z"), Duration: r.Duration.Milliseconds(), Behavior: r.Behavior, Close: r.BehaviorClose,
		Result: r.Reason, ResultClose: r.ReasonClose, TimeAlone: r.TimeAlone, Crashed: r.Crashed, Varies: r.Varies, Part: r.Part, Ending: r.Ending, Request: r.Request, Response: r.Response, WireLog: r.Log.Entries}
	if r.Case.Rule != nil {
		d.Reference = r.Case.Rule.Ref
	}
	return d
}

func asJSON(v any) func(io.Writer) error {
	return func(w io.Writer) error {
		b, err := json.MarshalIndent(v, "", "   ")
		if err != nil {
			return err
		}
		_, err = w.Write(append(b, '\n'))
		return err
	}
}

// nameBytes is the maximum length in bytes of an agent's name within a file name:
// file systems allow 255.
const nameBytes = 80

// fileName is an agent's name as part of a file name, for an index that the agent may
// not be in yet: in the original's form if that is unique, and otherwise with a hash.
func (x Index) fileName(agent string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, agent)
	plain := name == lower(agent)
	if name = strings.Trim(name, "_"); name == "" {
		name = "agent"
	}
	if plain && len(name) <= nameBytes && name != "index" && !x.taken(agent, name) {
		return name
	}
	sum := sha256.Sum256([]byte(agent))
	return fmt.Sprintf("%s_%x", name[:min(len(name), nameBytes)], sum[:4])
}

// lower changes ASCII letters only.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// taken reports whether another agent's files have the name.
func (x Index) taken(agent, name string) bool {
	for other := range x {
		if other != agent && x.written(other) == name {
			return true
		}
	}
	return false
}

// written is the name of an agent's files in the index.
func (x Index) written(agent string) string {
	for id, e := range x[agent] {
		if name, found := strings.CutSuffix(e.ReportFile, caseFile("", id)); found {
			return name
		}
	}
	return "" // no cases, or another program's index
}

// caseFile is the name of a case's own file.
func caseFile(name, id string) string {
	return fmt.Sprintf("%s_case_%s.json", name, strings.ReplaceAll(id, ".", "_"))
}
