package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/cmd/internal/outfile"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/pin"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/report"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/trial"
)

const compareUsage = `usage: wsbench compare SCENARIO --a 'NAME=COMMAND' --b 'NAME=COMMAND' [flags]

Starts the servers and measures them in turns (A B A B …), with servers and wsbench
on separate cores. Prints medians, ratios and bootstrap intervals. If a ratio's
interval contains 1, it says "no difference shown".

  wsbench compare echo --conns 1000 --inflight 1 --duration 2s \
    --a 'hawser=bin/wsecho --listen 127.0.0.1:{port}' \
    --b 'gorilla=bin/peers -lib gorilla -addr 127.0.0.1:{port}'

  --a, --b NAME=COMMAND   a server: a shell command that stays in the foreground;
                          {port} stands for a free port. All processes that it
                          has when it listens are measured
  --server NAME=COMMAND   one more server; all are compared with the first
  --at URL                the servers' URL, with {port} (ws://127.0.0.1:{port}/)
  --at NAME=URL           the URL of one of them
  --rounds N              rounds (7; with fewer than 5 no difference is claimed)
  --server-cpus LIST      cores of the servers (the first half), as 0,2-5
  --client-cpus LIST      cores of wsbench (the second half)

and the flags of a run except --url, --pid, --agent, --processes, --csv,
--prometheus, --output and --threshold.
`

// runCompare measures servers in turns.
func runCompare(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, rest, err := scenarioOf(args)
	if err != nil {
		return err
	}
	o := newSettings(s)
	f := o.flags("compare")
	var commands []string
	add := func(s string) error { commands = append(commands, s); return nil }
	f.Func("a", "", add)
	f.Func("b", "", add)
	f.Func("server", "", add)
	at, where := "ws://127.0.0.1:{port}/", map[string]string{}
	f.Func("at", "", func(s string) error {
		if name, url, ok := strings.Cut(s, "="); ok && !strings.Contains(name, ":") {
			where[name] = url
		} else {
			at = s
		}
		return nil
	})
	rounds := f.Int("rounds", 7, "")
	serverCPUs, clientCPUs := pin.Halves()
	f.Func("server-cpus", "", cores(&serverCPUs))
	f.Func("client-cpus", "", cores(&clientCPUs))
	if err := cmdline.ParseFlags(f, rest); err != nil {
		return err
	}
	if at, err = o.Target.Endpoint(at); err != nil {
		return &usageError{Err: fmt.Errorf("--at: %w", err)}
	}
	var candidates []trial.Candidate
	for _, c := range commands {
		one, err := trial.ParseCandidate(c, at)
		if err != nil {
			return &usageError{Err: err}
		}
		if url, ok := where[one.Name]; ok {
			if one.URL, err = new(connect.Options).Endpoint(url); err != nil || one.URL != url {
				return &usageError{Err: fmt.Errorf("--at %s=URL: a user and password are for all servers, in --at URL", one.Name)}
			}
			delete(where, one.Name)
		}
		if !strings.Contains(one.URL, "{port}") {
			return &usageError{Err: fmt.Errorf("--at %s has no {port}: each server gets a free one", one.URL)}
		}
		if slices.ContainsFunc(candidates, func(c trial.Candidate) bool { return c.Name == one.Name }) {
			return &usageError{Err: fmt.Errorf("two servers have the name %q", one.Name)}
		}
		candidates = append(candidates, one)
	}
	switch {
	case len(candidates) < 2:
		return &usageError{Err: errors.New("compare needs at least two servers: --a and --b")}
	case o.Plan.URL != "" || o.Server.Any() || len(o.Agents) > 0 || o.Processes > 0:
		return &usageError{Err: errors.New("compare starts the servers itself, on this host: no --url, --pid, --cgroup, --agent or --processes")}
	case len(where) > 0:
		return &usageError{Err: fmt.Errorf("--at %s=…: there is no server of that name", slices.Sorted(maps.Keys(where))[0])}
	case o.csv != "" || o.prometheus != "" || o.samples != "" || len(o.thresholds) > 0:
		return &usageError{Err: errors.New("a comparison is judged by its intervals, and kept with --json or --html: no --threshold, --csv, --prometheus or --output")}
	case *rounds < 1:
		return &usageError{Err: fmt.Errorf("--rounds is %d; it must be at least 1", *rounds)}
	}
	o.Plan.URL = at
	if err := o.complete(); err != nil {
		return &usageError{Err: err}
	}
	o.Command = append([]string{"wsbench", "compare"}, connect.Redact(args)...)
	say := func(text string) {
		if !o.quiet {
			fmt.Fprintln(stderr, text)
		}
	}
	if len(slices.DeleteFunc(slices.Clone(serverCPUs), func(c int) bool { return !slices.Contains(clientCPUs, c) })) > 0 {
		say("warning: servers and wsbench share cores, and slow each other down")
	}
	if err := o.check(); err != nil {
		return &usageError{Err: err}
	}
	c, err := trial.Compare(ctx, o.Options, candidates, *rounds, serverCPUs, clientCPUs, say)
	if c == nil {
		return err
	}
	kept := errors.Join(
		outfile.File{Flag: "--json", Path: o.json}.Write(c.WriteJSON),
		outfile.File{Flag: "--html", Path: o.html}.Write(func(w io.Writer) error {
			return report.ComparisonPage(w, "WebSocket servers compared", []*trial.Comparison{c})
		}))
	var printed error
	switch o.format {
	case "json":
		printed = c.WriteJSON(stdout)
	case "benchstat":
		printed = report.BenchstatComparison(stdout, c)
	default:
		report.ComparisonText(stdout, c, colours(stdout))
	}
	if err := errors.Join(err, kept, printed); err != nil {
		return err
	}
	for _, m := range c.Servers {
		if len(m.Errors) > 0 || len(m.Failed) > 0 {
			return errFailed
		}
	}
	return nil
}

func cores(to *[]int) func(string) error {
	return func(s string) (err error) {
		if *to, err = pin.Parse(s); err != nil {
			return err
		}
		return pin.Check(*to)
	}
}
