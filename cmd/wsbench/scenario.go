package main

import (
	"context"
	"errors"
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
	if err := o.openable(); err != nil {
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

// openable makes the files that are asked for: a run is too long to find out behind it
// that one cannot be written.
func (o *settings) openable() error {
	for _, path := range []string{o.json, o.csv, o.html} {
		if path == "" {
			continue
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return err
		}
		f.Close()
	}
	return nil
}

// keep writes the files that were asked for: all that can be.
func (o *settings) keep(r *result.Result) error {
	var errs []error
	if o.json != "" {
		errs = append(errs, r.Save(o.json))
	}
	if o.csv != "" {
		errs = append(errs, write(o.csv, r.WriteCSV))
	}
	if o.html != "" {
		errs = append(errs, write(o.html, func(w io.Writer) error { return report.Page(w, r) }))
	}
	return errors.Join(errs...)
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
