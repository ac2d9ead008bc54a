package report

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/hawser-ws/hawser/autobahn"
)

// jsonRun is what JSON writes.
type jsonRun struct {
	Suite   int         `json:"suite"`
	Seed    uint64      `json:"seed"`
	Date    string      `json:"date"`
	Partial string      `json:"partial,omitempty"`
	Agents  []jsonAgent `json:"agents"`
}

type jsonAgent struct {
	Agent  string         `json:"agent"`
	Counts map[string]int `json:"counts"` // by the worse of a case's two verdicts
	Cases  []jsonCase     `json:"cases"`  // in the order of the suite
}

type jsonCase struct {
	ID           string           `json:"id"`
	Title        string           `json:"title"`
	Reference    string           `json:"reference"`
	Behavior     autobahn.Verdict `json:"behavior"`
	Close        autobahn.Verdict `json:"behaviorClose"`
	Reason       string           `json:"result"`
	ReasonClose  string           `json:"resultClose"`
	Part         string           `json:"part,omitempty"`
	Milliseconds int64            `json:"duration"`
	RemoteCode   *int             `json:"remoteCloseCode"`
	TimeAlone    bool             `json:"failedByTimeAlone,omitempty"`
	Crashed      bool             `json:"crashed,omitempty"`
	Varies       string           `json:"varies,omitempty"`
	Before       []string         `json:"baseline,omitempty"` // its verdicts in the baseline, if they differ
}

// JSON writes a run as one JSON object.
func JSON(w io.Writer, names []string, agents map[string][]*autobahn.Result, about About) error {
	run := jsonRun{Suite: about.Suite, Seed: about.Seed, Date: about.Date, Partial: about.Partial, Agents: []jsonAgent{}}
	for _, name := range names {
		a := jsonAgent{Agent: name, Counts: map[string]int{}, Cases: []jsonCase{}}
		for _, t := range Count(agents[name]) {
			a.Counts[string(t.Verdict)] = t.N
		}
		for _, r := range agents[name] {
			c := jsonCase{ID: r.Case.ID, Title: r.Case.Title, Behavior: r.Behavior, Close: r.BehaviorClose, Reason: r.Reason, ReasonClose: r.ReasonClose, Part: r.Part,
				Milliseconds: r.Duration.Milliseconds(), RemoteCode: r.Ending.RemoteCode, TimeAlone: r.TimeAlone, Crashed: r.Crashed, Varies: r.Varies, Before: about.Before.changed(r)}
			if r.Case.Rule != nil {
				c.Reference = r.Case.Rule.Ref
			}
			a.Cases = append(a.Cases, c)
		}
		run.Agents = append(run.Agents, a)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(run)
}

// TAP writes results in the Test Anything Protocol, version 14. UNIMPLEMENTED is skipped,
// unless strict. partial says why this is not the whole run; "": it is.
func TAP(w io.Writer, names []string, agents map[string][]*autobahn.Result, strict bool, partial string) error {
	var b strings.Builder
	n := 0
	for _, name := range names {
		for _, r := range agents[name] {
			n++
			line := fmt.Sprintf("ok %d - %s", n, tapText(name+" "+r.Case.ID+" "+r.Case.Title))
			switch {
			case !r.Passes(strict):
				message, _ := json.Marshal(reason(r, strict)) // a JSON string is a YAML one
				line = fmt.Sprintf("not %s\n  ---\n  verdict: %q\n  message: %s\n  ...", line, r.Behavior+" / "+r.BehaviorClose, message)
			case r.Behavior == autobahn.Unimplemented:
				line += " # SKIP " + tapText(r.Reason)
			}
			b.WriteString(line + "\n")
		}
	}
	end := ""
	if partial != "" {
		end = "Bail out! " + tapText(partial) + "\n"
	}
	_, err := fmt.Fprintf(w, "TAP version 14\n1..%d\n%s%s", n, b.String(), end)
	return err
}

// tapText is text in a line of TAP.
func tapText(s string) string {
	return strings.NewReplacer("\\", "\\\\", "#", "\\#", "\r", " ", "\n", " ").Replace(s)
}

// GitHub writes an annotation for each case that did not pass, as a workflow on GitHub
// shows them.
func GitHub(w io.Writer, agent string, results []*autobahn.Result, strict bool) {
	text := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, r := range results {
		if r.Passes(strict) {
			continue
		}
		level := "error"
		if r.Passes(false) {
			level = "warning"
		}
		fmt.Fprintf(w, "::%s title=%s::%s\n", level, property.Replace(fmt.Sprintf("%s: %s: %s / %s", agent, r.Case.ID, r.Behavior, r.BehaviorClose)),
			text.Replace(fmt.Sprintf("%s (%s)", reason(r, strict), r.Case.Title)))
	}
}
