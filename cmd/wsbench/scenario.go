package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hawser-ws/hawser/cmd/internal/connect"
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
	o, err := prepare(s, args)
	if err != nil {
		return err
	}
	return o.run(ctx, stdout, stderr)
}

// prepare reads the flags of a run.
func prepare(s load.Scenario, args []string) (*settings, error) {
	o := newSettings(s)
	if err := o.parse(string(s), args); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, &usageError{Err: err}
	}
	o.Command = append([]string{"wsbench", string(s)}, connect.Redact(args)...)
	return o, nil
}

// run carries out the run, and reports it.
func (o *settings) run(ctx context.Context, stdout, stderr io.Writer) error {
	r, err := o.carryOut(ctx, stdout, stderr)
	if r == nil {
		return err
	}
	kept := o.keep(r) // first: it does not depend on the reader of the text
	printed := o.print(stdout, stderr, r)
	if err := errors.Join(err, kept, printed); err != nil {
		return err
	}
	if crossed := o.crossed(r, stderr); len(r.Failures()) == 0 && crossed {
		return errThreshold
	}
	if len(r.Failures()) > 0 {
		return errFailed
	}
	return nil
}

// crossed reports whether a threshold does not hold, and says which. One that was not
// measured does not hold.
func (o *settings) crossed(r *result.Result, stderr io.Writer) (any bool) {
	for _, c := range o.thresholds {
		if holds, found := c.Holds(r); !holds {
			any = true
			fmt.Fprintln(stderr, colours(stderr).Red(fmt.Sprintf("FAILED by --threshold %s: %s", c.Text, found)))
		}
	}
	return any
}

// carryOut runs the plan, with progress on stderr.
func (o *settings) carryOut(ctx context.Context, stdout, stderr io.Writer) (*result.Result, error) {
	live, err := o.begin(stdout)
	if err != nil {
		return nil, err
	}
	o.Notify = live.notify
	if !o.quiet {
		view := screen.New(terminal.Unwrap(stderr), colours(stderr))
		defer view.Close()
		o.Notify = func(p run.Progress) {
			live.notify(p)
			view.Show(p)
		}
	}
	r, err := run.Run(ctx, o.Options)
	return r, errors.Join(err, live.end())
}
