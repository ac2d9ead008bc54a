package report

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/hawser-ws/hawser/autobahn"
)

// About is what a page says about the run.
type About struct {
	// Testee says what was tested: its version, how it is set up. "": only its name.
	Testee string

	Date  string
	Seed  uint64
	Suite int
	// Partial says why the results are not those of a whole run; "": they are.
	Partial string
	// Before is the run to compare with; nil for none.
	Before *Baseline
	// Note says what kept cases from being played as intended; "": nothing.
	Note string
}

//go:embed agent.html
var agentSource string

//go:embed style.css
var style string

var functions = template.FuncMap{
	"class": func(v autobahn.Verdict) string {
		return "v" + strings.ReplaceAll(strings.ToLower(string(v)), " ", "-")
	},
	"dump":  dump,
	"css":   func() template.CSS { return template.CSS(style) },
	"ms":    func(f float64) string { return fmt.Sprintf("%.3f", f) },
	"lines": logLines,
	"was":   func(*autobahn.Result) []string { return nil }, // agentPageOf has the baseline's

	"overall": overall,
}

var agentPage = template.Must(template.New("agent").Funcs(functions).Parse(agentSource))

// dump is bytes in hex and as text, sixteen in a line.
func dump(digits string) string {
	p, err := hex.DecodeString(digits)
	if err != nil {
		return digits
	}
	return strings.TrimRight(hex.Dump(p), "\n")
}

func agentPageOf(agent string, results []*autobahn.Result, about About) func(io.Writer) error {
	return func(w io.Writer) error {
		page, err := agentPage.Clone()
		if err != nil {
			return err
		}
		page.Funcs(template.FuncMap{"was": about.Before.changed})
		changed := 0
		for _, r := range results {
			if about.Before.changed(r) != nil {
				changed++
			}
		}
		return page.Execute(w, map[string]any{"Agent": agent, "About": about, "Groups": failuresFirst(results), "Counts": Count(results), "Changed": changed})
	}
}

// group is the results of the cases with one first part in their ids.
type group struct {
	Name    string
	Results []*autobahn.Result
}

func groups(results []*autobahn.Result) (list []group) {
	for _, r := range results {
		name, _, _ := strings.Cut(r.Case.ID, ".")
		if len(list) == 0 || list[len(list)-1].Name != name {
			list = append(list, group{Name: name})
		}
		g := &list[len(list)-1]
		g.Results = append(g.Results, r)
	}
	return list
}

// failuresFirst are the groups of a page: what did not pass, and then the rest in the
// order of the suite.
func failuresFirst(results []*autobahn.Result) []group {
	failed := group{Name: "Did not pass"}
	var rest []*autobahn.Result
	for _, r := range results {
		if r.Passes(false) {
			rest = append(rest, r)
		} else {
			failed.Results = append(failed.Results, r)
		}
	}
	if len(failed.Results) == 0 {
		return groups(results)
	}
	return append([]group{failed}, groups(rest)...)
}
