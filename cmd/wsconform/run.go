package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/report"
	"github.com/hawser-ws/hawser/cmd/internal/outfile"
	"github.com/hawser-ws/hawser/cmd/internal/terminal"
)

// progress is the line that is shown while cases run.
type progress struct {
	w        io.Writer
	total    int
	terminal bool
	strict   bool
	anyway   bool
	start    time.Time

	most int         // failures after which the run ends; 0: it goes on
	stop func(error) // ends the run

	mu     sync.Mutex
	done   int
	failed int
	silent int // cases that ran out of time, since one did not
	shown  time.Time
}

// mostSilent is how many cases may run out of time one after the other: then the server is
// as good as dead, and each of the others would take as long.
const mostSilent = 30

// tooMany is the reason for ending a run because of its cases' results.
type tooMany struct{ why string }

func (e *tooMany) Error() string { return e.why }

func newProgress(w io.Writer, total int, o *options) *progress {
	p := &progress{w: terminal.Unwrap(w), terminal: terminal.Is(w), total: total, strict: o.strict, anyway: o.anyway, most: o.maxFailures, stop: func(error) {}, start: time.Now()}
	if o.quiet {
		p.w = io.Discard
	}
	return p
}

// add counts a result. On a terminal the line is written over itself, four times
// a second; elsewhere there is one every ten seconds.
func (p *progress) add(r *autobahn.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if !r.Passes(p.strict) {
		p.failed++
		if p.failed == p.most {
			p.stop(&tooMany{fmt.Sprintf("%d cases failed, as many as --max-failures allows", p.most)})
		}
	}
	if p.silent++; !r.TimeAlone {
		p.silent = 0
	}
	if p.silent == mostSilent && !p.anyway {
		p.stop(&tooMany{fmt.Sprintf("%d cases one after the other ran out of time (%s: %s); --anyway plays the others all the same, --time-scale gives them more time", p.silent, r.Case.ID, r.Reason)})
	}
	pause := 10 * time.Second
	if p.terminal {
		pause = time.Second / 4
	}
	if now := time.Now(); now.Sub(p.shown) >= pause && now.Sub(p.start) >= pause || p.done == p.total {
		p.shown = now
		p.print(r.Case.ID)
	}
}

func (p *progress) print(id string) {
	line := fmt.Sprintf("%d of %d cases, %d failed, %.0f s, last %s", p.done, p.total, p.failed, time.Since(p.start).Seconds(), id)
	switch {
	case !p.terminal:
		fmt.Fprintln(p.w, "wsconform:", line)
	case p.done == p.total:
		fmt.Fprintf(p.w, "\rwsconform: %-70s\n", line)
	default:
		fmt.Fprintf(p.w, "\rwsconform: %-70s", line)
	}
}

// note keeps a remark about a server for the reports.
func (o *options) note(agent, text string) {
	if text == "" {
		return
	}
	if o.notes == nil {
		o.notes = map[string]string{}
	}
	o.notes[agent] = text
}

// end ends a terminal's progress line, if the run was cut short.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal && !p.shown.IsZero() && p.done < p.total {
		fmt.Fprintln(p.w)
	}
}

// concludeCut is like conclude, for a run that may have been cut short by the error cut.
// Then the cases that were played are reported and marked as partial, and no baseline is
// written, because it would lack cases.
func (o *options) concludeCut(cut error, stdout io.Writer, agents map[string][]*autobahn.Result, names []string, played, all int) (int, error) {
	if cut == nil {
		return o.conclude(stdout, agents, names, 0)
	}
	if played == 0 {
		return 0, cut
	}
	o.partial = fmt.Sprintf("%v after %d of %d cases", cut, played, all)
	if o.writeBaseline != "" {
		fmt.Fprintf(o.text, "%s is not written: a baseline is of a whole run\n", o.writeBaseline)
		o.writeBaseline = ""
	}
	if len(names) != 1 {
		o.before = nil
	}
	status, err := o.conclude(stdout, agents, names, 0)
	if enough := new(tooMany); errors.As(cut, &enough) {
		return max(status, exitFailed), err
	}
	return 0, errors.Join(cut, err)
}

// aboutRun is what the reports say of this run.
func (o *options) aboutRun() report.About {
	return report.About{Testee: o.about, Date: time.Now().Format("2 January 2006 15:04"), Seed: o.run.Seed, Suite: o.suite, Partial: o.partial, Before: o.before}
}

// conclude prints the results, writes the reports, and returns the exit status. If one
// file cannot be written, the others still are.
func (o *options) conclude(stdout io.Writer, agents map[string][]*autobahn.Result, names []string, missing int) (int, error) {
	about := o.aboutRun()
	var all report.Reports
	status := exitPassed
	var errs []error
	text := o.text
	if o.partial != "" {
		fmt.Fprintf(text, "PARTIAL: %s\n", o.partial)
	}
	for _, name := range names {
		results := agents[name]
		about.Note = o.notes[name]
		all.Add(name, results, about)
		report.Table(text, name, results, report.TableOptions{Strict: o.strict, Verbose: o.verbose})
		if o.format == "github" {
			report.GitHub(stdout, name, results, o.strict)
		}
		if o.out != "" {
			errs = append(errs, report.Write(o.out, outfile.Write, name, results, about))
		}
		failed := 0
		for _, r := range results {
			if !r.Passes(o.strict) {
				failed++
			}
		}
		if failed > 0 && o.before == nil {
			status = exitFailed
		}
	}
	if len(names) > 1 {
		fmt.Fprintln(text)
		errs = append(errs, all.Summary(text))
	}
	if missing > 0 {
		fmt.Fprintf(text, "%d cases were not played\n", missing)
		status = exitFailed
	}
	switch o.format {
	case "json":
		errs = append(errs, report.JSON(stdout, names, agents, about))
	case "tap":
		errs = append(errs, report.TAP(stdout, names, agents, o.strict, o.partial))
	}
	errs = append(errs, outfile.File{Flag: "--junit", Path: o.junit}.Write(func(w io.Writer) error {
		return report.JUnit(w, agents, o.strict, o.partial)
	}))
	worse, err := o.compare(text, agents, names)
	if worse {
		status = exitFailed
	}
	fmt.Fprintf(text, "seed %d\n", o.run.Seed)
	if o.out != "" {
		fmt.Fprintf(text, "reports in %s\n", o.out)
	}
	return status, errors.Join(append(errs, err)...)
}

// compare compares with the baseline, and writes a new one.
func (o *options) compare(stdout io.Writer, agents map[string][]*autobahn.Result, names []string) (failed bool, err error) {
	if o.before == nil && o.writeBaseline == "" {
		return false, nil
	}
	if len(names) != 1 {
		return false, fmt.Errorf("a baseline is of one agent; there are %d: %q", len(names), names)
	}
	results := agents[names[0]]
	if o.before != nil {
		if o.before.Suite != 0 && o.before.Suite != o.suite {
			fmt.Fprintf(stdout, "the baseline is of suite version %d, this run of %d\n", o.before.Suite, o.suite)
		}
		worse, better := o.before.Compare(results, o.strict)
		for _, line := range better {
			fmt.Fprintln(stdout, "better than the baseline:", line)
		}
		for _, line := range worse {
			fmt.Fprintln(stdout, "worse than the baseline:", line)
		}
		if n := o.before.Missing(results); n > 0 {
			fmt.Fprintf(stdout, "%d cases of the baseline were not run\n", n)
		}
		if len(worse) == 0 {
			fmt.Fprintln(stdout, "nothing is worse than the baseline")
		}
		failed = len(worse) > 0
	}
	return failed, outfile.File{Flag: "--write-baseline", Path: o.writeBaseline}.Write(report.NewBaseline(names[0], o.suite, o.run.Seed, results).Write)
}
