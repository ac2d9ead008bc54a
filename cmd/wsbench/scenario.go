package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/cmd/internal/outfile"
	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/report"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/run"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/screen"
)

// colours says whether what is written there may be coloured.
func colours(w io.Writer) report.Colour { return report.Coloured(w) }

// runScenario carries out one run.
func runScenario(ctx context.Context, s load.Scenario, args []string, stdout, stderr io.Writer) error {
	o := newSettings(s)
	if err := o.parse(string(s), args); err != nil {
		return err
	}
	if err := outfile.Check(o.files()...); err != nil {
		return &usageError{Err: err}
	}
	o.Command = append([]string{"wsbench", string(s)}, connect.Redact(args)...)
	r, err := o.carryOut(ctx, stderr)
	if r == nil {
		return err
	}
	kept := o.keep(r) // first: it does not depend on who reads the text
	report.Text(stdout, r, colours(stdout))
	if err := errors.Join(err, kept); err != nil {
		return err
	}
	failed := len(r.Failures()) > 0
	for _, c := range o.failIf {
		holds, found := c.Holds(r)
		// What was to be watched and was not measured must not pass for good.
		holds = holds || !c.Measured(r)
		if holds {
			fmt.Fprintf(stdout, "  %s\n", colours(stdout).Red(fmt.Sprintf("FAILED by --fail-if %s: %s", c.Text, found)))
		}
		failed = failed || holds
	}
	if failed {
		return errFailed
	}
	return nil
}

// carryOut runs the plan, with progress on stderr.
func (o *settings) carryOut(ctx context.Context, stderr io.Writer) (*result.Result, error) {
	if !o.quiet {
		live := screen.New(terminal.Unwrap(stderr), colours(stderr))
		defer live.Close()
		o.Notify = live.Show
	}
	return run.Run(ctx, o.Options)
}

// files are those that are asked for.
func (o *settings) files() []outfile.File {
	return []outfile.File{{Flag: "--json", Path: o.json}, {Flag: "--csv", Path: o.csv}, {Flag: "--html", Path: o.html}}
}

// keep writes the files that were asked for: all that can be.
func (o *settings) keep(r *result.Result) error {
	var errs []error
	page := func(w io.Writer) error { return report.Page(w, r) }
	for i, fill := range []func(io.Writer) error{r.WriteJSON, r.WriteCSV, page} {
		errs = append(errs, o.files()[i].Write(fill))
	}
	return errors.Join(errs...)
}
