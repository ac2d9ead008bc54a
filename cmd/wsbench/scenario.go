package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/report"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/run"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/screen"
)

// colours says whether what is written there may be coloured.
func colours(w io.Writer) report.Colour {
	f, ok := w.(*os.File)
	return report.Colour(ok && bool(report.Coloured(f)))
}

// runScenario carries out one run.
func runScenario(ctx context.Context, s load.Scenario, args []string, stdout, stderr io.Writer) error {
	o := newSettings(s)
	if err := o.parse(string(s), args); err != nil {
		return err
	}
	o.Command = append([]string{"wsbench", string(s)}, args...)
	r, err := o.carryOut(ctx, stderr)
	if err != nil {
		return err
	}
	report.Text(stdout, r, colours(stdout))
	if err := o.keep(r); err != nil {
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
		live := screen.New(stderr, colours(stderr))
		defer live.Close()
		o.Notify = live.Show
	}
	return run.Run(ctx, o.Options)
}

// keep writes the files that were asked for.
func (o *settings) keep(r *result.Result) error {
	if o.json != "" {
		if err := r.Save(o.json); err != nil {
			return err
		}
	}
	if o.csv != "" {
		if err := write(o.csv, r.WriteCSV); err != nil {
			return err
		}
	}
	if o.html != "" {
		return write(o.html, func(w io.Writer) error { return report.Page(w, r) })
	}
	return nil
}

// write makes a file.
func write(path string, fill func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := fill(f); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Close()
}
