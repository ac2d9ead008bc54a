package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
)

func listCommand(_ context.Context, args []string, stdout, _ io.Writer) (int, error) {
	f := flag.NewFlagSet("wsconform list", flag.ContinueOnError)
	cases := f.String("cases", "", "`patterns` of cases (default all)")
	role := f.String("role", "", "only what tests a `role`: server or client")
	suite := f.Int("suite-version", autobahn.Suite, "`version` of the set of cases")
	ids, err := cmdline.Parse(f, args)
	if err != nil {
		return 0, err
	}
	roles := map[string]autobahn.Role{"": autobahn.Both, "server": autobahn.Server, "client": autobahn.Client}
	which, ok := roles[*role]
	if !ok {
		return 0, usagef("--role is %q; it is server or client", *role)
	}
	all, err := autobahn.Cases(*suite)
	if err != nil {
		return 0, &usageError{Err: err}
	}
	patterns := append(split(*cases), ids...)
	if len(patterns) == 0 {
		patterns = []string{"original", "own", "http2"}
	}
	selected, err := autobahn.Select(all, which, patterns, nil)
	if err != nil {
		return 0, &usageError{Err: err}
	}
	for _, c := range selected {
		only := "      "
		if c.Testee != autobahn.Both {
			only = c.Testee.String()
		}
		fmt.Fprintf(stdout, "%-8s %s  %s\n", c.ID, only, c.Title)
	}
	return exitPassed, nil
}

func explainCommand(_ context.Context, args []string, stdout, _ io.Writer) (int, error) {
	f := flag.NewFlagSet("wsconform explain", flag.ContinueOnError)
	var opt autobahn.Options
	f.Uint64Var(&opt.Seed, "seed", 0, "`number` that determines random cases")
	ids, err := cmdline.Parse(f, args)
	if err != nil {
		return 0, err
	}
	all, err := autobahn.Cases(autobahn.Suite)
	if err != nil {
		return 0, err
	}
	if len(ids) == 0 {
		return 0, usagef("no case is given; \"wsconform list\" lists them")
	}
	for i, id := range ids {
		c := autobahn.Part(all, id)
		if c == nil {
			return 0, usagef("there is no case %q; \"wsconform list\" lists them", id)
		}
		if i > 0 {
			fmt.Fprintln(stdout)
		}
		autobahn.Explain(stdout, c, &opt)
	}
	return exitPassed, nil
}
