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

// stateFormat is that of handler.Freeze.
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
	lns, err := upgrade.Take(taker, reactor, nil, nil)
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
	report, err := program.Run(reactor, nil)
	if err != nil {
		slog.Error("upgrade failed; this process goes on", "error", err)
		return false
	}
	slog.Info("upgraded: another process serves now", "connections", report.Connections, "closed", report.TLS+report.Others, "http", report.HTTP)
	return true
}

// Freeze implements server.Freezer: one byte says on which path the connection is.
func (h *handler) Freeze(c server.LoopConn) []byte {
	if c.Value() == true {
		return []byte{1}
	}
	return []byte{0}
}

// Thaw implements server.Freezer.
func (h *handler) Thaw(c server.LoopConn, state []byte) error {
	if len(state) != 1 || state[0] > 1 {
		return errors.New("wsecho: the state of a connection is malformed")
	}
	c.SetValue(state[0] == 1)
	h.OnOpen(c)
	return nil
}
