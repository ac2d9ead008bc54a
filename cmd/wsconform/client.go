package main

import (
	"context"
	"crypto/tls"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"sync"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/report"
	"github.com/hawser-ws/hawser/cmd/internal/interrupt"
	"github.com/hawser-ws/hawser/cmd/internal/outfile"
)

// clientCommand tests clients.
func clientCommand(ctx context.Context, args []string, stdout, stderr io.Writer) (int, error) {
	o := &options{}
	if err := o.finish(o.clientFlags(), args); err != nil {
		return 0, err
	}
	o.setText(stdout, stderr)
	cases, err := o.selected(autobahn.Client)
	if err != nil {
		return 0, err
	}
	if o.dryRun {
		printDryRun(stdout, cases)
		return exitPassed, nil
	}
	if err := o.prepare(1); err != nil {
		return 0, err
	}
	ln, err := o.listener(overHTTP2(cases))
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return o.testClients(ctx, stdout, stderr, ln, cases)
}

func (o *options) clientFlags() *flag.FlagSet {
	f := o.newFlags("client")
	f.StringVar(&o.listen, "listen", "", "`address` to listen on (default 127.0.0.1:9001)")
	f.BoolVar(&o.once, "once", false, "end when a client has requested /updateReports")
	f.StringVar(&o.cert, "cert", "", "`file` with a certificate; clients then connect by wss")
	f.StringVar(&o.key, "key", "", "`file` with its key")
	return f
}

// listener listens on --listen's address, or otherwise on that of the configuration's URL.
// With http2 a client may choose HTTP/2 when it connects by TLS.
func (o *options) listener(http2 bool) (net.Listener, error) {
	if o.parsed != nil {
		if u, err := url.Parse(o.parsed.URL); o.listen == "" && err == nil && u.Host != "" {
			o.listen = u.Host
		}
		if o.cert == "" {
			o.cert, o.key = o.parsed.Cert, o.parsed.Key
		}
	}
	if o.listen == "" {
		o.listen = "127.0.0.1:9001"
	}
	ln, err := net.Listen("tcp", o.listen)
	if err != nil || o.cert == "" {
		return ln, err
	}
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		ln.Close()
		return nil, &usageError{Err: err}
	}
	protocols := []string{"http/1.1"}
	if http2 {
		protocols = []string{"h2", "http/1.1"}
	}
	return tls.NewListener(ln, &tls.Config{Certificates: []tls.Certificate{pair}, NextProtos: protocols}), nil
}

func (o *options) testClients(ctx context.Context, stdout, stderr io.Writer, ln net.Listener, cases []*autobahn.Case) (int, error) {
	scheme := "ws"
	if o.cert != "" {
		scheme = "wss"
	}
	fmt.Fprintf(stderr, "wsconform: %d cases for clients on %s://%s\n", len(cases), scheme, ln.Addr())
	ended := make(chan struct{})
	var once sync.Once
	end := func() { once.Do(func() { close(ended) }) }
	p := newProgress(stderr, len(cases), o)
	opt := o.run
	opt.Done = p.add
	t := &autobahn.ClientTester{Cases: cases, Options: &opt, HTTP2: overHTTP2(cases), Stop: end}
	t.Report = func(agent string) {
		if o.once {
			end()
		} else if o.exec == "" {
			o.reportOn(stdout, stderr, t, agent)
		}
	}
	failed := make(chan error, 1)
	go func() { failed <- t.Serve(ln) }()
	driver, err := o.startClient(ctx)
	if err != nil {
		return 0, err
	}
	defer driver.stop()
	var cut error
	select {
	case cut = <-failed:
	case <-ended:
	case <-driver.exited():
	case <-ctx.Done():
		cut = context.Cause(ctx)
	}
	ln.Close()
	if cut != nil {
		t.Abort()
	} else {
		t.Close()
	}
	p.end()
	agents := map[string][]*autobahn.Result{}
	names := t.Agents()
	slices.Sort(names)
	missing, played := 0, 0
	for _, name := range names {
		agents[name] = t.Results(name)
		missing += t.Missing(name)
		played += len(agents[name])
	}
	switch {
	case len(names) == 0 && cut != nil:
		return 0, cut
	case len(names) == 0:
		return 0, fmt.Errorf("no client has played a case%s", driver.how())
	case cut == nil || missing == 0 && interrupt.Of(cut) != nil:
		// A signal is the normal way to end a tester when its clients are done.
		return o.conclude(stdout, agents, names, missing)
	}
	return o.concludeCut(cut, stdout, agents, names, played, played+missing)
}

// overHTTP2 reports whether there are cases over HTTP/2.
func overHTTP2(cases []*autobahn.Case) bool {
	return slices.ContainsFunc(cases, func(c *autobahn.Case) bool { return c.HTTP2 != nil })
}

// reportOn prints and writes what an agent has so far.
func (o *options) reportOn(stdout, stderr io.Writer, t *autobahn.ClientTester, agent string) {
	results := t.Results(agent)
	report.Table(o.text, agent, results, report.TableOptions{Strict: o.strict, Verbose: o.verbose})
	if o.out == "" {
		return
	}
	if err := report.Write(o.out, outfile.Write, agent, results, o.aboutRun()); err != nil {
		fmt.Fprintln(stderr, "wsconform:", err)
	}
}
