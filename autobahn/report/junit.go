package report

import (
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hawser-ws/hawser/autobahn"
)

type junitSuites struct {
	XMLName xml.Name     `xml:"testsuites"`
	Suites  []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Skipped  int         `xml:"skipped,attr"`
	Time     string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Time    string        `xml:"time,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
	Error   *junitFailure `xml:"error,omitempty"`
	Skipped *junitSkipped `xml:"skipped,omitempty"`
	Out     string        `xml:"system-out,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

type junitSkipped struct {
	Message string `xml:"message,attr"`
}

// JUnit writes results as JUnit XML, a suite for each agent. UNIMPLEMENTED is
// skipped, unless strict. partial says why this is not the whole run, which is then
// an error in a suite of its own; "": it is.
func JUnit(w io.Writer, agents map[string][]*autobahn.Result, strict bool, partial string) error {
	var doc junitSuites
	if partial != "" {
		whole := junitCase{Class: "wsconform", Name: "the whole run", Time: "0", Error: &junitFailure{Message: partial, Type: "partial"}}
		doc.Suites = append(doc.Suites, junitSuite{Name: "wsconform", Tests: 1, Errors: 1, Time: "0", Cases: []junitCase{whole}})
	}
	for _, agent := range slices.Sorted(maps.Keys(agents)) {
		results := agents[agent]
		s := junitSuite{Name: agent, Tests: len(results)}
		total := 0.0
		for _, r := range results {
			total += r.Duration.Seconds()
			c := junitCase{Class: agent + "." + strings.Split(r.Case.ID, ".")[0], Name: r.Case.ID + " " + r.Case.Title, Time: fmt.Sprintf("%.3f", r.Duration.Seconds())}
			switch {
			case !r.Passes(strict):
				s.Failures++
				c.Failure = &junitFailure{Message: fmt.Sprintf("%s / %s: %s; %s", r.Behavior, r.BehaviorClose, r.Reason, r.ReasonClose), Type: failureType(r), Text: r.Case.Expectation}
				c.Out = logText(r)
			case r.Behavior == autobahn.Unimplemented:
				s.Skipped++
				c.Skipped = &junitSkipped{Message: r.Reason}
			}
			s.Cases = append(s.Cases, c)
		}
		s.Time = fmt.Sprintf("%.3f", total)
		doc.Suites = append(doc.Suites, s)
	}
	io.WriteString(w, xml.Header)
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func failureType(r *autobahn.Result) string {
	if r.TimeAlone {
		return "time alone"
	}
	return string(overall(r))
}

// logText is a wire log as plain text.
func logText(r *autobahn.Result) string {
	var b strings.Builder
	for _, e := range r.Log.Entries {
		if head, is := headLines(e); is {
			for i, line := range head {
				if i == 0 {
					fmt.Fprintf(&b, "%9.3f %s %s\n", e.At, e.Dir, line)
				} else {
					fmt.Fprintf(&b, "%9s %s %s\n", "", e.Dir, line)
				}
			}
			continue
		}
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("%9.3f %s %-40s %s", e.At, e.Dir, e.Text, e.Hex), " "))
	}
	return b.String()
}
