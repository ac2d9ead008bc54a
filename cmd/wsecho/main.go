// Command wsecho is the WebSocket server on which conformance and speed are measured: the
// path / echoes each message, and the path /fanout sends each message to all connections
// on that path. With --blocking, the blocking driver echoes. On Linux, SIGUSR2 replaces it by the
// binary that now stands at its path, and no connection notices. Its limits are as wide as tests
// need, so do not expose it to a network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/certs"
	"github.com/hawser-ws/hawser/cmd/internal/cmdline"
	"github.com/hawser-ws/hawser/cmd/internal/output"
	"github.com/hawser-ws/hawser/cmd/internal/proxy"
	"github.com/hawser-ws/hawser/cmd/internal/signals"
	"github.com/hawser-ws/hawser/cmd/internal/terminal"
	"github.com/hawser-ws/hawser/cmd/internal/upgrade"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

// flushTime is how long the end of the program waits for its output to be read.
const flushTime = 2 * time.Second

func main() {
	log := output.NewLog(terminal.NewWriter(os.Stderr), func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) })
	slog.SetDefault(log.Logger)
	stdout := output.NewWriter(terminal.NewWriter(os.Stdout), nil)
	err := run(os.Args[1:], stdout)
	if err != nil {
		fmt.Fprintln(log, "wsecho:", err)
	}
	stdout.Close(flushTime)
	log.Close(flushTime)
	switch {
	case errors.As(err, new(*cmdline.Error)):
		os.Exit(exitUsage)
	case err != nil:
		os.Exit(exitFailed)
	}
}

// Exit statuses; 0 is an end that was asked for.
const (
	exitFailed = 1
	exitUsage  = 2
)

func run(args []string, stdout io.Writer) error {
	o, err := parse(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return &cmdline.Error{Err: fmt.Errorf("%w; see wsecho --help", err)}
	}
	signals.Survive()
	hangup := func() { slog.Info("SIGHUP: there are no TLS files to reload") }
	if !o.tls.None() {
		source, err := certs.Open(o.tls, certs.Options{})
		if err != nil {
			return err
		}
		hangup = source.Reload
		o.server.TLS = source.Config()
	}
	signals.OnHangup(hangup)
	s, err := o.newService()
	if err != nil {
		return err
	}
	program, err := upgrade.New(1, stateFormat)
	if err != nil {
		return err
	}
	replaced := make(chan struct{})
	signals.OnUpgrade(func() {
		if replace(program, s) {
			close(replaced)
			select {} // no other upgrade
		}
	})
	ln, err := o.open(program, s, stdout)
	if err != nil {
		return err
	}
	if o.proxyProtocol {
		ln = proxy.NewListener(ln, proxy.Options{Trusted: o.trusted})
	}

	stop := signals.Stop()
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-replaced:
		return nil
	case <-stop:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.Shutdown(ctx)
}

// service is a server of either driver.
type service interface {
	Serve(ln net.Listener) error
	Shutdown(ctx context.Context) error
}

func (o *options) newService() (service, error) {
	if o.blocking {
		return newBlocking(&o.server), nil
	}
	cfg := o.server
	cfg.Handler = echo{} // of nothing: every path that exists is an endpoint's
	cfg.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handshake.Refuse(w, r, noSuchPath("/ or /fanout"))
	})
	s, err := server.New(cfg)
	if err != nil {
		return nil, err
	}
	s.Endpoint(server.Endpoint{Name: "echo", Paths: []string{"/"}, Handler: echo{}, Upgrader: cfg.Upgrader})
	s.Endpoint(server.Endpoint{Name: "fanout", Paths: []string{"/fanout", "/fanout/"}, Handler: &fanout{s.NewGroup()}, Upgrader: cfg.Upgrader})
	return s, nil
}

// where says which URLs the paths have.
func (o *options) where(url string) string {
	unix := strings.HasPrefix(url, "unix:")
	if !unix {
		url = "ws" + strings.TrimPrefix(url, "http")
	}
	switch {
	case o.blocking:
		return "echo on " + url + ", blocking"
	case unix:
		return "echo on " + url + ", fan-out on its path /fanout"
	}
	return "echo on " + url + ", fan-out on " + url + "fanout"
}

// echo sends each message back.
type echo struct{}

func (echo) OnOpen(server.LoopConn) {}

func (echo) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) {
	if err := c.Send(op, p); err == server.ErrQueueFull || err == server.ErrBusy {
		c.Evict()
	}
}

func (echo) OnClose(server.LoopConn, error) {}

// fanout sends each message to all of its connections.
type fanout struct{ group *server.Group }

func (f *fanout) OnOpen(c server.LoopConn) { f.group.Join(c.Conn()) }

func (f *fanout) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) {
	if f.group.Send(wsproto.NewPrepared(op, p), server.Evict) == server.ErrBusy {
		c.Close(wsproto.CloseTryAgainLater, "fan-out is too fast")
	}
}

func (f *fanout) OnClose(server.LoopConn, error) {}
