package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hawser-ws/hawser/autobahn"
)

// verdicts in the order in which they are counted.
var verdicts = []autobahn.Verdict{autobahn.OK, autobahn.Informational, autobahn.NonStrict, autobahn.Unimplemented,
	autobahn.Failed, autobahn.WrongCode, autobahn.Unclean, autobahn.FailedByClient}

// Tally is how many cases have a verdict.
type Tally struct {
	Verdict autobahn.Verdict
	N       int
}

// overall is the worse of a result's two verdicts.
func overall(r *autobahn.Result) autobahn.Verdict {
	if r.BehaviorClose.Rank() > r.Behavior.Rank() {
		return r.BehaviorClose
	}
	return r.Behavior
}

// Count counts results by the worse of their two verdicts.
func Count(results []*autobahn.Result) (list []Tally) {
	n := map[autobahn.Verdict]int{}
	for _, r := range results {
		n[overall(r)]++
	}
	for _, v := range verdicts {
		if n[v] > 0 {
			list = append(list, Tally{v, n[v]})
		}
	}
	return list
}

// TableOptions say what Table prints.
type TableOptions struct {
	Strict  bool // NON-STRICT and UNIMPLEMENTED did not pass
	Verbose bool // the log of each case that did not pass
}

// Table prints a line for each group of cases and one for each case that did not
// pass.
func Table(w io.Writer, agent string, results []*autobahn.Result, o TableOptions) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\tcases\tOK\tINFORMATIONAL\tNON-STRICT\tUNIMPLEMENTED\tfailed\n", agent)
	line := func(name string, list []*autobahn.Result) {
		var n [5]int
		for _, r := range list {
			n[overall(r).Rank()]++
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", name, len(list), n[0], n[1], n[2], n[3], n[4])
	}
	for _, g := range groups(results) {
		line(g.Name, g.Results)
	}
	line("all", results)
	t.Flush()
	for _, r := range results {
		if r.Passes(o.Strict) {
			continue
		}
		fmt.Fprintf(w, "%s: %s / %s: %s\n", r.Case.ID, r.Behavior, r.BehaviorClose, reason(r, o.Strict))
		if o.Verbose {
			fmt.Fprintf(w, "    sent: %s\n    expected: %s\n%s", r.Case.Title, r.Case.Expectation, indented(logText(r)))
		}
	}
	told := ""
	for _, r := range results {
		if r.Varies != "" && r.Varies != told { // what several cases have in common is printed once
			told = r.Varies
			fmt.Fprintf(w, "%s varies: %s\n", r.Case.ID, r.Varies)
		}
	}
	if r := gone(results); r != nil {
		fmt.Fprintf(w, "the server was gone from case %s on\n", r.Case.ID)
	}
}

// reason says in one line why a result is what it is.
func reason(r *autobahn.Result, strict bool) string {
	why := r.Reason
	if r.Behavior.Passes(strict) {
		why = r.ReasonClose
	}
	if r.TimeAlone {
		why += " (by time alone)"
	}
	return strings.TrimSpace(why)
}

func indented(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// gone is the first of several cases at the run's end that could not connect to the
// server; nil if there are none.
func gone(results []*autobahn.Result) (first *autobahn.Result) {
	var reached time.Time
	for _, r := range results {
		if !r.Unreachable && r.Started.After(reached) {
			reached = r.Started
		}
	}
	n := 0
	for _, r := range results {
		if !r.Unreachable || r.Started.Before(reached) {
			continue
		}
		if n++; first == nil || r.Started.Before(first.Started) {
			first = r
		}
	}
	if n < 2 {
		return nil
	}
	return first
}
