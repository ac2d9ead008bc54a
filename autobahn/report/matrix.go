package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/hawser-ws/hawser/autobahn"
)

//go:embed matrix.html
var matrixSource string

var matrixPage = template.Must(template.New("matrix").Funcs(functions).Parse(matrixSource))

// marks stand for the verdicts in the matrix.
var marks = map[autobahn.Verdict]string{
	autobahn.OK: "✓", autobahn.Informational: "i", autobahn.NonStrict: "~", autobahn.Unimplemented: "–",
	autobahn.Failed: "✗", autobahn.WrongCode: "c", autobahn.Unclean: "u", autobahn.FailedByClient: "t",
}

// legend is a verdict, its mark, and what it says.
type legend struct {
	Verdict autobahn.Verdict
	Mark    string
	Meaning string
}

var legends = []legend{
	{autobahn.OK, "✓", "as the RFC asks for"},
	{autobahn.Informational, "i", "the RFC leaves it open"},
	{autobahn.NonStrict, "~", "allowed, but not what the RFC asks for"},
	{autobahn.Unimplemented, "–", "an optional feature that was declined"},
	{autobahn.Failed, "✗", "forbidden, or not done"},
	{autobahn.WrongCode, "c", "right, but closed with another close code"},
	{autobahn.Unclean, "u", "right, but closed without the closing handshake"},
	{autobahn.FailedByClient, "t", "right, but the server left closing TCP to the client"},
}

// worst is the worse of an entry's two verdicts.
func (e Entry) worst() autobahn.Verdict {
	if b, c := autobahn.Verdict(e.Behavior), autobahn.Verdict(e.BehaviorClose); c.Rank() <= b.Rank() {
		return b
	} else {
		return c
	}
}

// column is an agent in the matrix.
type column struct {
	Name, Page, Partial string
	Run                 Run
	Counts              [2][5]int // of the original's cases and of our own, by rank
}

// cell is an agent's verdict on a case. Without a verdict the case was not played.
type cell struct {
	Verdict     autobahn.Verdict
	Mark, Title string
	Page        string
}

// row is one case in the matrix.
type row struct {
	ID, Title string
	Passed    bool   // by all
	Cells     []cell // in the order of the agents
}

func (r *Reports) columns() (list []column) {
	for _, a := range r.Agents() {
		c := column{Name: a, Page: r.Page(a), Run: r.Runs[a]}
		for id, e := range r.Index[a] {
			which := 0
			if (&autobahn.Case{ID: id}).Own() {
				which = 1
			}
			c.Counts[which][e.worst().Rank()]++
			c.Partial = e.Partial
		}
		list = append(list, c)
	}
	return list
}

func (r *Reports) rows(columns []column) (rows []row) {
	var ids []string
	for _, cases := range r.Index {
		for id := range cases {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case autobahn.Less(a, b):
			return -1
		}
		return 1
	})
	cases, _ := autobahn.Cases(autobahn.Suite) // for titles, which are the same in every version
	for _, id := range slices.Compact(ids) {
		row := row{ID: id, Passed: true}
		if c := autobahn.Find(cases, id); c != nil {
			row.Title = c.Title
		}
		for _, a := range columns {
			row.Cells = append(row.Cells, cellOf(a, id, r.Index[a.Name]))
			if e, played := r.Index[a.Name][id]; played && !e.worst().Passes(false) {
				row.Passed = false
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func cellOf(a column, id string, entries map[string]Entry) cell {
	e, played := entries[id]
	if !played {
		return cell{}
	}
	c := cell{Verdict: e.worst(), Page: a.Page}
	c.Mark = cmp.Or(marks[c.Verdict], "?")
	if c.Verdict != autobahn.OK {
		c.Title = fmt.Sprintf("%s, %s: %s / %s", a.Name, id, e.Behavior, e.BehaviorClose)
	}
	return c
}

// Matrix writes the page with all agents and cases. home is a link to the page above it;
// "" for none.
func (r *Reports) Matrix(w io.Writer, title, home string) error {
	columns := r.columns()
	return matrixPage.Execute(w, map[string]any{"Title": title, "Home": home, "Agents": columns, "Rows": r.rows(columns), "Legends": legends})
}

// Summary prints a Markdown table with a line for each agent: its verdicts on the
// original's cases, and on our own.
func (r *Reports) Summary(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "| | the original's: OK | INFORMATIONAL | NON-STRICT | UNIMPLEMENTED | failed | our own: OK | INFORMATIONAL | NON-STRICT | UNIMPLEMENTED | failed |\n|---|%s\n", strings.Repeat("--:|", 10))
	for _, a := range r.columns() {
		fmt.Fprintf(&b, "| %s |", a.Name)
		for _, counts := range a.Counts {
			for _, n := range counts {
				fmt.Fprintf(&b, " %d |", n)
			}
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
