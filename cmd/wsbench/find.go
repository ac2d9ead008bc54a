package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/run"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/trial"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/worker"
)

const findUsage = `usage: wsbench find SCENARIO --url URL --threshold CONDITIONS [flags]

Searches for the highest rate, or number of connections, at which all conditions
hold: it doubles the load until one does not hold, and then halves the gap. A load
that fails is tried once more. A load under which the server cannot be measured,
for example because it accepts no more connections, has failed. The search stops
when wsbench itself becomes the bottleneck, and says so.

  wsbench find echo --url ws://127.0.0.1:9001/ --conns 1000 --threshold 'p99<10ms,lost=0'
  wsbench find fanout --over conns --rate 10 --url … --threshold 'last.p99<100ms,faults=0'

  --threshold CONDITIONS  what must hold, in every probe (see wsbench --help)
  --over WHAT             rate (the default) or conns (of idle and storm, which have
                          no rate)
  --from N                load to begin with (1000 messages per second, or 100
                          connections)
  --max N                 maximum load to try
  --precision P           width of the final gap, as a share of the load (0.05)

and the flags of a run; each probe lasts --warmup and --duration.

exit status: 0 if a load was found; 1 if none was, because not even the lowest one
holds or wsbench itself was the bottleneck from the beginning; 2, 3 as usual
`

// Where a search begins by default.
const (
	firstRate  = 1000
	firstConns = 100
)

// runFind searches for the highest load that holds.
func runFind(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, rest, err := scenarioOf(args)
	if err != nil {
		return err
	}
	o := newSettings(s)
	f := o.flags("find")
	over := "rate"
	if s == load.Idle || s == load.Storm {
		over = "conns"
	}
	f.StringVar(&over, "over", over, "")
	from := f.Float64("from", 0, "")
	limit := f.Float64("max", math.Inf(1), "")
	precision := f.Float64("precision", 0.05, "")
	if err := cmdline.ParseFlags(f, rest); err != nil {
		return err
	}
	switch {
	case len(o.thresholds) == 0:
		err = errors.New("--threshold is missing")
	case !(*from >= 0 && *limit > 0 && *precision > 0):
		err = errors.New("--from, --max and --precision must be positive")
	case over == "rate" && (s == load.Idle || s == load.Storm):
		err = fmt.Errorf("%s has no rate: --over is conns", s)
	case over == "rate" && (o.Plan.Inflight > 0 || o.Plan.Open()):
		err = errors.New("find --over rate sets the rate itself; neither --rate, --stages nor --inflight")
	case over == "rate":
		*from = orElse(*from, firstRate)
		o.Plan.Rate = *from
	case over == "conns":
		*from = orElse(*from, firstConns)
		o.Plan.Conns = int(*from)
	default:
		err = fmt.Errorf("--over is %q; it is rate or conns", over)
	}
	if err == nil {
		err = o.complete()
	}
	if err != nil {
		return &usageError{Err: err}
	}
	o.Command = append([]string{"wsbench", "find"}, connect.Redact(args)...)
	p := &prober{plan: &o.Plan, over: over, wanted: o.thresholds, stdout: stdout,
		run: func(ctx context.Context) (*result.Result, error) { return o.carryOut(ctx, stdout, stderr) }}
	if err := o.check(); err != nil {
		return &usageError{Err: err}
	}
	found, err := trial.Search(ctx, *from, *limit, *precision, p.probe)
	if err == nil {
		fmt.Fprintf(stdout, "%s for %s: %s\n", over, o.wanted(), found)
		if p.best == nil {
			return errFailed
		}
		return o.keep(p.best)
	}
	if p.best == nil {
		return err
	}
	fmt.Fprintf(stdout, "%s for %s: %s\n", over, o.wanted(), found.SoFar())
	p.best.Partial = fmt.Sprintf("%v: the run is whole, the search for a higher load is not", err)
	return errors.Join(err, o.keep(p.best))
}

// prober does the runs of a search.
type prober struct {
	plan   *load.Plan
	over   string // what is searched for
	wanted []result.Condition
	run    func(context.Context) (*result.Result, error) // carries out plan
	stdout io.Writer

	reached bool           // the server could be connected to, with some load
	best    *result.Result // of the highest load that held; nil if none did
}

// probe tries one load.
func (p *prober) probe(ctx context.Context, n float64) (trial.Outcome, error) {
	if p.over == "rate" {
		p.plan.Rate = n
	} else {
		p.plan.Conns = int(n)
	}
	r, err := p.run(ctx)
	var out trial.Outcome
	if err == nil {
		out = judge(r, p.wanted)
	} else if out, err = p.unmeasured(ctx, err); err != nil {
		return out, err
	}
	word := map[bool]string{true: "holds", false: "does not hold"}[out.Holds]
	if out.Client {
		word = "wsbench is the bottleneck"
	} else if out.Holds {
		p.best = r // the last that holds in a search is the highest
	}
	fmt.Fprintf(p.stdout, "%s %g: %s (%s)\n", p.over, n, word, out.Why)
	return out, nil
}

// unmeasured returns the outcome of a run that could not be done. It returns an error if
// a smaller load would not help.
func (p *prober) unmeasured(ctx context.Context, err error) (out trial.Outcome, _ error) {
	var target *run.TargetError
	var lost *worker.LostError
	out.Why = strings.ReplaceAll(err.Error(), "\n", "; ")
	switch {
	case ctx.Err() != nil:
		return out, context.Cause(ctx)
	case errors.As(err, &lost):
		return out, err
	case errors.As(err, &target):
		// A server that cannot be reached at all has not failed under a load, nor
		// one that never takes all connections under a rate.
		p.reached = p.reached || target.Reached
		if p.best != nil || p.reached && p.over == "conns" {
			return out, nil
		}
	case p.best != nil: // so it is more than we can do
		out.Client = true
		return out, nil
	}
	return out, err
}

// wanted is what must hold, in words.
func (o *settings) wanted() string {
	var list []string
	for _, c := range o.thresholds {
		list = append(list, c.Text)
	}
	return strings.Join(list, ",")
}

func orElse(v, def float64) float64 {
	if v == 0 {
		return def
	}
	return v
}

// judge reports whether a run meets all conditions.
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

// scenarioOf removes the scenario from a command line.
func scenarioOf(args []string) (load.Scenario, []string, error) {
	if len(args) > 0 && (args[0] == "-h" || args[0] == "--help") {
		return "", nil, flag.ErrHelp
	}
	for _, s := range load.Scenarios {
		if len(args) > 0 && string(s) == args[0] {
			return s, args[1:], nil
		}
	}
	return "", nil, &usageError{Err: fmt.Errorf("a scenario is missing: one of %v", load.Scenarios)}
}
