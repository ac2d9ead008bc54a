package report

import (
	_ "embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/hawser-ws/hawser/autobahn"
)

// About is what a page says of the run.
type About struct {
	Date  string
	Seed  uint64
	Suite int
	Cases []*autobahn.Case // for titles
	// Partial says why the results are not those of a whole run; "": they are.
	Partial string
	// Before is the run to compare with; nil for none.
	Before *Baseline
	// Note says what kept cases from being played as they are meant; "": nothing.
	Note string
}

//go:embed agent.html
var agentSource string

//go:embed matrix.html
var matrixSource string

//go:embed style.css
var style string

var functions = template.FuncMap{
	"class": func(v string) string { return "v" + strings.ReplaceAll(strings.ToLower(v), " ", "-") },
	"dump":  dump,
	"css":   func() template.CSS { return template.CSS(style) },
	"ms":    func(f float64) string { return fmt.Sprintf("%.3f", f) },
	"lines": logLines,
	"was":   func(*autobahn.Result) []string { return nil }, // agentPageOf has the baseline's

	"overall": func(r *autobahn.Result) string { return string(overall(r)) },
}

var (
	agentPage  = template.Must(template.New("agent").Funcs(functions).Parse(agentSource))
	matrixPage = template.Must(template.New("matrix").Funcs(functions).Parse(matrixSource))
)

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

// row is one case in the matrix.
type row struct {
	ID, Title string
	Cells     []Entry // in the order of the agents; zero where there is none
}

func matrixOf(x Index, about About) func(io.Writer) error {
	var agents []string
	var ids []string
	for agent, cases := range x {
		agents = append(agents, agent)
		for id := range cases {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(agents)
	slices.SortFunc(ids, func(a, b string) int {
		if autobahn.Less(a, b) {
			return -1
		}
		return 1
	})
	var rows []row
	for _, id := range ids {
		r := row{ID: id}
		if c := autobahn.Find(about.Cases, id); c != nil {
			r.Title = c.Title
		}
		for _, a := range agents {
			r.Cells = append(r.Cells, x[a][id])
		}
		rows = append(rows, r)
	}
	type column struct{ Name, Page, Partial string }
	var columns []column
	for _, a := range agents {
		name := x.written(a)
		if name == "" {
			name = x.fileName(a)
		}
		c := column{Name: a, Page: name + ".html"}
		for _, e := range x[a] {
			c.Partial = e.Partial
		}
		columns = append(columns, c)
	}
	return func(w io.Writer) error {
		return matrixPage.Execute(w, map[string]any{"Agents": columns, "Rows": rows, "About": about, "Totals": totals(x, agents)})
	}
}

// totals are the agents' counts by verdict, for the matrix's head.
func totals(x Index, agents []string) (list []string) {
	for _, a := range agents {
		n := map[string]int{}
		for _, e := range x[a] {
			v := e.Behavior
			if autobahn.Verdict(e.BehaviorClose).Rank() > autobahn.Verdict(v).Rank() {
				v = e.BehaviorClose
			}
			n[v]++
		}
		var parts []string
		for _, v := range verdicts {
			if n[string(v)] > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", n[string(v)], v))
			}
		}
		list = append(list, strings.Join(parts, ", "))
	}
	return list
}
