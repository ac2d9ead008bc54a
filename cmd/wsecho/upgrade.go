package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"github.com/hawser-ws/hawser/cmd/internal/listen"
	"github.com/hawser-ws/hawser/cmd/internal/upgrade"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/server/handover"
)

// stateFormat is that of the handlers' Freeze.
var stateFormat = handover.Format{Name: "wsecho", Oldest: 1, Newest: 1}

// open takes the listener, and all connections, over from the process that this one replaces, or
// opens it.
func (o *options) open(program *upgrade.Program, s service, stdout io.Writer) (net.Listener, error) {
	taker, err := program.Inherit()
	if err != nil {
		return nil, err
	}
	if taker == nil {
		ln, err := o.listen.Open()
		if err == nil {
			fmt.Fprintln(stdout, "wsecho:", o.where(listen.URL(ln.Addr(), !o.tls.None()))+"; stop with Ctrl-C")
		}
		return ln, err
	}
	reactor, ok := s.(*server.Server)
	if !ok {
		err := errors.New("the blocking driver takes no connections over")
		taker.Refuse(err)
		return nil, err
	}
	lns, err := program.Take(taker, reactor, nil)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(stdout, "wsecho: process %d serves now, with %d connections\n", os.Getpid(), reactor.Stats().Open)
	return lns[0], nil
}

// replace lets a new process take over, and reports whether it has.
func replace(program *upgrade.Program, s service) bool {
	reactor, ok := s.(*server.Server)
	if !ok {
		slog.Warn("SIGUSR2: connections of the blocking driver cannot move to another process")
		return false
	}
	report, finish, err := program.Run(reactor, nil)
	if err != nil {
		slog.Error("upgrade failed; this process goes on", "error", err)
		return false
	}
	finish()
	slog.Info("upgraded: another process serves now", "process", report.PID, "connections", report.Connections, "closed", report.Ended(), "pause", report.Pause)
	return true
}

// A connection has no state but the endpoint that it belongs to.

// Freeze implements server.Freezer.
func (echo) Freeze(server.LoopConn) []byte { return nil }

// Thaw implements server.Freezer.
func (echo) Thaw(server.LoopConn, []byte) error { return nil }

// Freeze implements server.Freezer.
func (f *fanout) Freeze(server.LoopConn) []byte { return nil }

// Thaw implements server.Freezer.
func (f *fanout) Thaw(c server.LoopConn, _ []byte) error { return f.group.Join(c.Conn()) }
