package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/trial"
)

const findUsage = `usage: wsbench find SCENARIO --url URL --slo CONDITIONS [flags]

Searches for the highest rate, or number of connections, at which all of the
conditions hold: it doubles until one does not, and then halves the gap. What
fails is tried once more before it is believed. It stops where wsbench itself
becomes the bottleneck, and says so.

  wsbench find echo --url ws://127.0.0.1:9001/ --conns 1000 --slo 'p99<10ms,lost=0'
  wsbench find fanout --over conns --rate 10 --url … --slo 'last.p99<100ms,faults=0'

  --slo CONDITIONS   what must hold, in every probe (see wsbench --help)
  --over WHAT        rate (the default) or conns
  --from N           begin with this (1000 messages in a second, or 100)
  --most N           do not go beyond
  --precision P      of the answer, a share of it (0.05)

and the flags of a run; each probe lasts --warmup and --duration.

exit status: 0 a load was found, 1 not even the least one holds, 2, 3 as usual
`

// runFind searches for the highest load that holds.
func runFind(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, rest, err := scenarioOf(args)
	if err != nil {
		return err
	}
	o := newSettings(s)
	f := o.flags("find")
	slo := f.String("slo", "", "")
	over := f.String("over", "rate", "")
	from := f.Float64("from", 0, "")
	most := f.Float64("most", math.Inf(1), "")
	precision := f.Float64("precision", 0.05, "")
	if err := parseFlags(f, rest); err != nil {
		return err
	}
	wanted, err := result.ParseConditions(*slo)
	if *slo == "" {
		err = errors.New("--slo is missing")
	}
	if err != nil {
		return &usageError{err}
	}
	switch *over {
	case "rate":
		if o.Plan.Inflight > 0 || o.Plan.Rate > 0 {
			return &usageError{errors.New("find --over rate sets the rate itself; neither --rate nor --inflight")}
		}
		o.Plan.Rate = orElse(*from, 1000)
	case "conns":
		o.Plan.Conns = int(orElse(*from, 100))
	default:
		return &usageError{fmt.Errorf("--over is %q; it is rate or conns", *over)}
	}
	if err := o.complete(); err != nil {
		return &usageError{err}
	}
	o.Command = append([]string{"wsbench", "find"}, args...)
	var best *result.Result
	found, err := trial.Search(ctx, orElse(*from, map[string]float64{"rate": 1000, "conns": 100}[*over]), *most, *precision, func(ctx context.Context, n float64) (trial.Outcome, error) {
		if *over == "rate" {
			o.Plan.Rate = n
		} else {
			o.Plan.Conns = int(n)
		}
		r, err := o.carryOut(ctx, stderr)
		if err != nil {
			return trial.Outcome{}, err
		}
		out := judge(r, wanted)
		if out.Holds {
			best = r
		}
		word := map[bool]string{true: "holds", false: "does not hold"}[out.Holds]
		if out.Client {
			word = "wsbench is the bottleneck"
		}
		fmt.Fprintf(stdout, "%s %g: %s (%s)\n", *over, n, word, out.Why)
		return out, nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s for %s: %s\n", *over, *slo, found)
	if best == nil {
		return errFailed
	}
	return o.keep(best)
}

func orElse(v, def float64) float64 {
	if v == 0 {
		return def
	}
	return v
}

// judge says whether a run meets all conditions.
func judge(r *result.Result, wanted []result.Condition) trial.Outcome {
	out := trial.Outcome{Holds: true}
	var why []string
	for _, c := range wanted {
		holds, found := c.Holds(r)
		why = append(why, found)
		out.Holds = out.Holds && holds
	}
	out.Client = len(r.Audit.Bottleneck) > 0
	if out.Client {
		why = append(why, r.Audit.Bottleneck...)
	}
	out.Why = strings.Join(why, ", ")
	return out
}

// scenarioOf takes the scenario off a command line.
func scenarioOf(args []string) (load.Scenario, []string, error) {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
		return "", nil, flag.ErrHelp
	}
	for _, s := range load.Scenarios {
		if len(args) > 0 && string(s) == args[0] {
			return s, args[1:], nil
		}
	}
	return "", nil, &usageError{fmt.Errorf("a scenario is missing: one of %v", load.Scenarios)}
}

func parseFlags(f *flag.FlagSet, args []string) error {
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return &usageError{err}
	case f.NArg() > 0:
		return &usageError{fmt.Errorf("unexpected argument %q", f.Arg(0))}
	}
	return nil
}
