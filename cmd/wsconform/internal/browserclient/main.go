// Command browserclient has a browser play the cases of a fuzzing server, ours or the
// original: a page in it echoes with the browser's own WebSocket.
package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

//go:embed page.html
var page string

func main() {
	engine := flag.String("engine", "chromium", "`engine` of the browser: chromium, firefox or webkit")
	var o options
	flag.StringVar(&o.URL, "url", "ws://127.0.0.1:9001", "`URL` of the fuzzing server")
	flag.StringVar(&o.Agent, "agent", "", "`name` to report under (default: the engine's)")
	flag.IntVar(&o.Parallel, "parallel", 8, "cases at once")
	flag.Parse()
	if o.Agent == "" {
		o.Agent = *engine
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, browser.Engine(*engine), o); err != nil {
		fmt.Fprintln(os.Stderr, "browserclient:", err)
		os.Exit(1)
	}
}

// options are those of the page's function play.
type options struct {
	URL      string `json:"url"`
	Agent    string `json:"agent"`
	Parallel int    `json:"parallel"`
}

// run opens the page in a browser, and has it play the cases.
func run(ctx context.Context, engine browser.Engine, o options) (err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte(page))
	})}
	go server.Serve(ln)
	defer server.Close()
	b, err := browser.Start(engine)
	if err != nil {
		return err
	}
	defer func() {
		if closed := b.Close(); err == nil {
			err = closed
		}
	}()
	person, err := b.Profile(ctx)
	if err != nil {
		return err
	}
	tab, err := person.Open(ctx, 800, 600)
	if err != nil {
		return err
	}
	if err := tab.Navigate(ctx, "http://"+ln.Addr().String()+"/"); err != nil {
		return err
	}
	return play(ctx, tab, o)
}

// play starts the page, and checks at intervals whether it is done: a driver may give up
// a script that takes minutes.
func play(ctx context.Context, tab *browser.Tab, o options) error {
	begin := fmt.Sprintf("begin(%q, %q, %d)", o.URL, o.Agent, o.Parallel)
	var outcome string
	if err := tab.Eval(ctx, begin, &outcome); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := tab.Eval(ctx, "outcome(1000)", &outcome); err != nil {
			return err
		}
		if fault, failed := strings.CutPrefix(outcome, "failed: "); failed {
			return fmt.Errorf("%s", fault)
		}
		if outcome == "done" {
			return nil
		}
	}
	return context.Cause(ctx)
}
