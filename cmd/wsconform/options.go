package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/report"
	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/cmd/internal/outfile"
)

// options are the options of both ways of testing.
type options struct {
	run autobahn.Options

	cases, exclude string
	suite          int
	config         string
	parsed         *autobahn.Config // of config; nil without one

	out, junit, about       string
	baseline, writeBaseline string
	before                  *report.Baseline // of baseline; nil without one
	strict, dryRun, quiet   bool
	http2                   bool
	anyway, verbose         bool
	maxFailures             int
	format                  string
	text                    io.Writer         // for people: standard output, or standard error if standard output is for a program
	notes                   map[string]string // by agent: what prevents cases from being played
	partial                 string            // why the run is incomplete; "" if it is complete

	seeded bool // by --seed

	exec string
	wait time.Duration

	// Testing servers.
	urls    list
	connect connect.Options

	// Testing clients.
	listen    string
	cert, key string
	once      bool
}

// list is a repeatable flag.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// newFlags returns the flags of both ways of testing.
func (o *options) newFlags(name string) *flag.FlagSet {
	f := flag.NewFlagSet("wsconform "+name, flag.ContinueOnError)
	f.StringVar(&o.cases, "cases", "", "`patterns` of the cases to run, as '1.*,6.2.*,H*', original, own, deflate, http2 (default all but http2)")
	f.BoolVar(&o.http2, "http2", false, "also run the cases about WebSocket over HTTP/2 (RFC 8441), by TLS with ALPN, or without TLS with prior knowledge")
	f.StringVar(&o.exclude, "exclude", "", "`patterns` of the cases not to run")
	f.IntVar(&o.suite, "suite-version", autobahn.Suite, "`version` of the set of cases; the cases of a version never change")
	f.StringVar(&o.config, "config", "", "`file` in the original suite's JSON format; flags override it")
	f.StringVar(&o.out, "out", "", "`directory` for index.json and pages; other agents' results in it are kept")
	f.StringVar(&o.junit, "junit", "", "`file` for JUnit XML")
	f.StringVar(&o.baseline, "baseline", "", "`file` with earlier verdicts: only cases with a worse verdict fail")
	f.StringVar(&o.writeBaseline, "write-baseline", "", "`file` to write this run's verdicts to")
	f.StringVar(&o.run.Agent, "agent", "", "`name` of the testee in reports (default: the name it gives itself)")
	f.StringVar(&o.about, "about", "", "`text` on the testee for its page and the matrix: its version, how it is set up")
	f.StringVar(&o.exec, "exec", "", "`command` that starts the testee, which is stopped after the run")
	f.DurationVar(&o.wait, "wait", 30*time.Second, "how long to wait for the program that --exec starts")
	f.DurationVar(&o.run.Timeout, "timeout", 0, "maximum `time` for a case (default: each case's own)")
	f.Float64Var(&o.run.TimeScale, "time-scale", 1, "`factor` by which deadlines are stretched")
	f.Uint64Var(&o.run.Seed, "seed", 0, "`number` that determines masking keys and random cases (default: that of --baseline, or a random one)")
	f.IntVar(&o.run.Messages, "messages", 0, "maximum number of `messages` in cases that send a thousand (default: all)")
	f.BoolVar(&o.run.OriginalGrading, "original-grading", false, "grade 13.3 to 13.6 as the original suite does, where this one is stricter")
	f.BoolVar(&o.strict, "strict", false, "treat NON-STRICT and UNIMPLEMENTED as failures")
	f.BoolVar(&o.dryRun, "dry-run", false, "only list the cases that would run")
	f.BoolVar(&o.anyway, "anyway", false, "play the cases even if a first look says that the server is not fit for them")
	f.IntVar(&o.maxFailures, "max-failures", 0, "`number` of failed cases after which the run ends (default: it goes on)")
	f.BoolVar(&o.verbose, "verbose", false, "print the log of each case that failed")
	f.StringVar(&o.format, "format", "text", "what is printed on standard output: text, json, tap, or github, which is text with annotations; what json and tap leave out goes to standard error")
	f.BoolVar(&o.quiet, "quiet", false, "do not show progress")
	return f
}

// finish checks the flags' values, and reads the configuration file.
func (o *options) finish(f *flag.FlagSet, args []string) error {
	if err := cmdline.ParseFlags(f, args); err != nil {
		return err
	}
	if !(o.run.TimeScale > 0) || math.IsInf(o.run.TimeScale, 1) {
		return usagef("--time-scale is %v; it must be a number above 0", o.run.TimeScale)
	}
	if o.run.Parallel < 0 || o.run.Messages < 0 || o.run.Timeout < 0 || o.run.Greeting < 0 {
		return usagef("--parallel, --messages, --greeting and --timeout must not be negative")
	}
	if !slices.Contains([]string{"text", "json", "tap", "github"}, o.format) {
		return usagef("--format is %q; it is text, json, tap or github", o.format)
	}
	if o.maxFailures < 0 {
		return usagef("--max-failures must not be negative")
	}
	f.Visit(func(g *flag.Flag) { o.seeded = o.seeded || g.Name == "seed" })
	if !o.seeded {
		o.run.Seed = rand.Uint64() >> 32
	}
	if o.config != "" {
		c, err := autobahn.ReadConfig(o.config)
		if err != nil {
			return &usageError{Err: err}
		}
		o.parsed = c
		o.run.Excluded = c.Excludes
		if o.out == "" {
			o.out = c.OutDir
		}
	}
	return nil
}

// setText decides where output for people goes.
func (o *options) setText(stdout, stderr io.Writer) {
	if o.text = stdout; o.format == "json" || o.format == "tap" {
		o.text = stderr
	}
}

// selected returns the cases to run.
func (o *options) selected(role autobahn.Role) ([]*autobahn.Case, error) {
	all, err := autobahn.Cases(o.suite)
	if err != nil {
		return nil, &usageError{Err: err}
	}
	cases, exclude := split(o.cases), split(o.exclude)
	if o.parsed != nil {
		configured := [2][]string{}
		if len(cases) == 0 {
			cases, configured[0] = o.parsed.Cases, o.parsed.Cases
		}
		if len(exclude) == 0 {
			exclude, configured[1] = o.parsed.ExcludeCases, o.parsed.ExcludeCases
		}
		if _, err := autobahn.Select(all, role, configured[0], configured[1]); err != nil {
			return nil, usagef("%s: %w", o.config, err)
		}
	}
	if o.http2 {
		if len(cases) == 0 {
			cases = []string{"original", "own"}
		}
		cases = append(slices.Clone(cases), "http2")
	}
	selected, err := autobahn.Select(all, role, cases, exclude)
	if err != nil {
		return nil, &usageError{Err: err}
	}
	if len(selected) == 0 {
		return nil, usagef("no case is left to run")
	}
	return selected, nil
}

// split splits a comma-separated list.
func split(s string) (parts []string) {
	for p := range strings.SplitSeq(s, ",") {
		if p = strings.TrimSpace(p); p != "" {
			parts = append(parts, p)
		}
	}
	return parts
}

// printDryRun prints what would be run.
func printDryRun(w io.Writer, cases []*autobahn.Case) {
	for _, c := range cases {
		fmt.Fprintf(w, "%-8s %s\n", c.ID, c.Title)
	}
	fmt.Fprintf(w, "%d cases\n", len(cases))
}

// prepare reads the baseline, and checks that the run's results can be written: a run
// takes too long to find that out at its end.
func (o *options) prepare(servers int) (err error) {
	if servers > 1 && (o.baseline != "" || o.writeBaseline != "") {
		return usagef("a baseline is of one server; there are %d", servers)
	}
	if o.baseline != "" {
		if o.before, err = report.ReadBaseline(o.baseline); err != nil {
			return usagef("--baseline: %w", err)
		}
		if o.before.Seed != 0 && !o.seeded { // the same conversations, or the verdicts say little
			o.run.Seed = o.before.Seed
		}
	}
	if err := o.writable(); err != nil {
		return &usageError{Err: err}
	}
	return nil
}

// writable returns an error if the results could not be written.
func (o *options) writable() error {
	if err := outfile.Check(outfile.File{Flag: "--junit", Path: o.junit}, outfile.File{Flag: "--write-baseline", Path: o.writeBaseline}); err != nil || o.out == "" {
		return err
	}
	if err := outfile.CheckDir("--out", o.out); err != nil {
		return err
	}
	if _, err := report.Read(o.out); err != nil { // it is added to
		return fmt.Errorf("--out: %w", err)
	}
	return nil
}
