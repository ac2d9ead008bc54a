package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/cmd/internal/connect"
)

// serverCommand tests servers.
func serverCommand(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	o := &options{}
	if err := o.finish(o.serverFlags(), args); err != nil {
		return 0, err
	}
	o.setText(stdout, stderr)
	cases, err := o.selected(autobahn.Server)
	if err != nil {
		return 0, err
	}
	if err := o.connect.Complete(); err != nil {
		return 0, &usageError{Err: err}
	}
	servers, err := o.servers()
	if err != nil {
		return 0, err
	}
	if o.dryRun {
		printDryRun(stdout, cases)
		return exitPassed, nil
	}
	if err := o.prepare(len(servers)); err != nil {
		return 0, err
	}
	testee, err := o.startServer(ctx, servers)
	if err != nil {
		return 0, err
	}
	restart := &restarter{o: o, servers: servers, stderr: stderr, testee: testee}
	defer restart.stop()
	return o.testServers(ctx, stdout, stderr, servers, cases, restart)
}

func (o *options) serverFlags() *flag.FlagSet {
	f := o.newFlags("server")
	f.Var(&o.urls, "url", "`URL` of the server, ws:// or wss://, or NAME=URL; repeatable. A user and password in it are sent by Basic authentication, and are not reported")
	f.IntVar(&o.run.Parallel, "parallel", 0, "maximum number of `cases` at once (default 32)")
	f.IntVar(&o.run.Greeting, "greeting", 0, "number of `messages` that the server sends first on every connection; they are ignored")
	o.connect.AddFlags(f)
	return f
}

// serverUnderTest is a server with its own settings.
type serverUnderTest struct {
	autobahn.ConfigServer
	target *autobahn.Target
}

// servers returns the servers of --url, or otherwise of the configuration file.
func (o *options) servers() (list []serverUnderTest, err error) {
	var configured []autobahn.ConfigServer
	for _, u := range o.urls {
		agent := o.run.Agent
		if name, url, named := strings.Cut(u, "="); named && !strings.Contains(name, ":") {
			agent, u = name, url
		}
		configured = append(configured, autobahn.ConfigServer{URL: u, Agent: agent})
	}
	if len(configured) == 0 && o.parsed != nil {
		configured = o.parsed.Servers
	}
	if len(configured) == 0 {
		return nil, usagef("no server is given; use --url ws://HOST:PORT/")
	}
	for _, c := range configured {
		t, err := autobahn.ParseTarget(connect.EncodeUser(c.URL))
		if err != nil {
			return nil, &usageError{Err: err}
		}
		if c.URL = t.String(); len(o.connect.Subprotocols) > 0 {
			c.Protocols = o.connect.Subprotocols
		}
		if err := o.reach(t); err != nil {
			return nil, &usageError{Err: err}
		}
		list = append(list, serverUnderTest{c, t})
	}
	return list, nil
}

// dialTime is the time limit of a first connection, in which a proxy or TLS may never
// answer. It is scaled like a case's times.
const dialTime = 10 * time.Second

// dial connects to a server, to find out whether it listens.
func (o *options) dial(ctx context.Context, s serverUnderTest) (net.Conn, error) {
	limit := time.Duration(float64(dialTime) * o.run.TimeScale)
	deadline := time.Now().Add(limit)
	timed, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	nc, err := s.target.Dial(timed, o.run.TLS)
	if err != nil && ctx.Err() == nil && !time.Now().Before(deadline) { // the socket's timer may fire before timed's
		return nil, fmt.Errorf("no connection within %v", limit)
	}
	return nc, err
}

// reach sets up the target's connections as the command line says.
func (o *options) reach(t *autobahn.Target) error {
	d, err := o.connect.Open(t.String())
	if err != nil {
		return err
	}
	if t.DialContext, err = d.Through(nil); err != nil {
		return err
	}
	o.run.TLS, o.run.Host, o.run.Header = d.TLS(), o.connect.Host, nil
	for _, name := range slices.Sorted(maps.Keys(o.connect.Header)) {
		for _, value := range o.connect.Header[name] {
			o.run.Header = append(o.run.Header, name+": "+value)
		}
	}
	return nil
}

func (o *options) testServers(ctx context.Context, stdout, stderr io.Writer, servers []serverUnderTest, cases []*autobahn.Case, restart *restarter) (int, error) {
	agents := map[string][]*autobahn.Result{}
	var names []string
	var cut error
	played, all := 0, 0
	for _, s := range servers {
		all += len(cases) - o.excluded(s.Agent, cases)
	}
	for _, s := range servers {
		opt := o.run
		opt.Agent, opt.Origin, opt.Subprotocols = s.Agent, s.Origin, s.Protocols
		p := newProgress(stderr, len(cases)-o.excluded(s.Agent, cases), o)
		opt.Done = p.add
		opt.Gone = func(why string) { cut = errors.New(why) }
		if o.exec != "" {
			opt.Restart = restart.again
		}
		found, err := o.look(ctx, s, cases, &opt)
		if err != nil {
			cut = fmt.Errorf("cannot reach the server at %s: %w", s.URL, connect.Explain(err))
			break
		}
		if ctx.Err() != nil {
			break // the interrupt ended the look, not the server
		}
		note := found.Text
		if found.Stops && !o.anyway {
			cut = fmt.Errorf("%s: %s. No case was played; --anyway plays them all the same", s.URL, note)
			break
		}
		if note != "" { // before the cases, which may take long to fail
			fmt.Fprintf(o.text, "note: %s: %s\n", s.URL, note)
		}
		run, tooMany := context.WithCancelCause(ctx)
		p.stop = tooMany
		results := autobahn.TestServer(run, s.target, cases, &opt)
		p.end()
		if err := context.Cause(run); err != nil && ctx.Err() == nil {
			cut = err
		}
		tooMany(nil)
		played += len(results)
		if note == "" && ctx.Err() == nil {
			if note = autobahn.Common(results); note != "" {
				fmt.Fprintf(o.text, "note: %s: %s\n", s.URL, note)
			}
		}
		name := agentName(results, s.URL)
		if _, taken := agents[name]; taken {
			name += " at " + s.URL
		}
		names = append(names, name)
		agents[name] = results
		o.note(name, note)
		if ctx.Err() != nil || cut != nil {
			break
		}
	}
	if ctx.Err() != nil {
		cut = context.Cause(ctx)
	}
	return o.concludeCut(cut, stdout, agents, names, played, all)
}

// look says what will keep cases from being played.
func (o *options) look(ctx context.Context, s serverUnderTest, cases []*autobahn.Case, opt *autobahn.Options) (autobahn.Finding, error) {
	if overHTTP2(cases) {
		found, err := autobahn.LookHTTP2(ctx, s.target, opt)
		if err != nil || found.Text != "" || ctx.Err() != nil || !slices.ContainsFunc(cases, func(c *autobahn.Case) bool { return c.HTTP2 == nil }) {
			return found, err
		}
	}
	found, err := autobahn.Look(ctx, s.target, opt)
	if err != nil || found.Text != "" || ctx.Err() != nil || !slices.ContainsFunc(cases, func(c *autobahn.Case) bool { return c.Deflate != nil }) {
		return found, err
	}
	return autobahn.LookDeflate(ctx, s.target, opt)
}

// excluded returns how many cases are not run for an agent.
func (o *options) excluded(agent string, cases []*autobahn.Case) (n int) {
	for _, c := range cases {
		if agent != "" && o.run.Excluded != nil && o.run.Excluded(agent, c) {
			n++
		}
	}
	return n
}

// agentName returns the agent's name in most of the results.
func agentName(results []*autobahn.Result, url string) string {
	n := map[string]int{}
	best := url
	for _, r := range results {
		if r.Agent != "" {
			if n[r.Agent]++; best == url || n[r.Agent] > n[best] {
				best = r.Agent
			}
		}
	}
	return best
}
