package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/cmd/internal/upgrade"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/server/handover"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// This file is the old process's side of an upgrade: it hands over what inherit.go takes. Nothing that
// was acknowledged depends on it, because that is in the store.
//
//	1 requests of administrators end; further ones wait
//	2 the hub stops, then the Server, then what was under way has ended, then the engine stops
//	3 engine, listeners, hub, guard, connections, and who is left behind are sent
//	4 the new process takes over, or everything goes on here

// stateFormats are the formats of the messages, beside the Server's.
var stateFormats = []handover.Format{
	{Name: "hawser", Oldest: 1, Newest: 1},
	{Name: "hawser-chat", Oldest: 1, Newest: chat.StateVersion},
}

// The kinds of messages, in the order in which they are sent. The connections are sent before kindLeft.
const (
	kindEngine    = 1 // chat.Takeover.State, with the descriptors of its files
	kindListeners = 2 // those beside the Server's: their names are in the same order as their descriptors
	kindHub       = 3 // chat.Frozen.State
	kindGuard     = 4 // guard.Guard.State, if there is a Guard
	kindLeft      = 5 // chat.Frozen.Left
)

// Names of listeners.
const (
	adminListener   = "admin"
	controlListener = "control"
)

// upgradeRequest is somebody's wish that this process be replaced.
type upgradeRequest struct {
	answer func(report upgrade.Report, err error) // returns when the answer is written
}

// replace lets a new process take over. If the error is nil, it has, and this one must call finish and exit.
func (a *app) replace() (report upgrade.Report, finish func(), err error) {
	u := &upgrading{a: a}
	report, finish, err = a.program.Run(a.server, u)
	if err != nil {
		a.log.Error("upgrade failed; this process goes on", "error", err)
		return report, nil, err
	}
	a.engine.Takeover.Retire()
	mainProcess(report.PID, a.log)
	a.requests.refuse()
	a.log.Info("upgraded: another process serves now", "process", report.PID, "connections", report.Connections, "handshakes", report.Handshakes,
		"ended", report.Ended(), "of_them_tls", report.TLS, "of_them_http", report.HTTP, "pause", report.Pause.Round(time.Microsecond), phasesOf(&report.Phases))
	return report, finish, nil
}

// phasesOf is what a pause consisted of, for the log.
func phasesOf(p *upgrade.Phases) slog.Attr {
	ms := func(name string, d time.Duration) slog.Attr { return slog.Duration(name, d.Round(time.Microsecond)) }
	return slog.GroupAttrs("of_it", ms("stop", p.Stop), ms("rest", p.Rest), ms("state", p.State), ms("connections", p.Connections), ms("commit", p.Commit))
}

// upgrading is the upgrade.App.
type upgrading struct {
	a      *app
	hub    *chat.Frozen // nil: not frozen
	engine bool         // it is frozen
	shut   bool         // requests of administrators wait
	paused []net.Listener
}

// Freeze implements upgrade.App.
func (u *upgrading) Freeze(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			u.Thaw()
		}
	}()
	for _, ln := range u.a.ownListeners() {
		pauseListener(ln, true)
		u.paused = append(u.paused, ln)
	}
	u.shut = true
	if err := u.a.requests.close(ctx); err != nil {
		return err
	}
	u.hub, err = u.a.hub.Freeze(ctx)
	return err
}

// Rest implements upgrade.App.
func (u *upgrading) Rest(ctx context.Context, f *server.Frozen) error {
	if err := u.hub.Rest(ctx); err != nil {
		return err
	}
	if err := u.a.engine.Takeover.Freeze(ctx); err != nil {
		return err
	}
	u.engine = true
	// What the engine has told the hub last, and what connections have been sent because of it.
	if err := u.hub.Rest(ctx); err != nil {
		return err
	}
	return f.Settle(ctx)
}

// Send implements upgrade.App.
func (u *upgrading) Send(g *handover.Giver) error {
	if err := u.sendEngine(g); err != nil {
		return err
	}
	if err := u.sendListeners(g); err != nil {
		return err
	}
	if err := g.Send(kindHub, u.hub.State()); err != nil {
		return err
	}
	if u.a.watch.guard == nil {
		return nil
	}
	return g.Send(kindGuard, u.a.watch.guard.State())
}

func (u *upgrading) sendEngine(g *handover.Giver) error {
	state, files, err := u.a.engine.Takeover.State()
	if err != nil {
		return err
	}
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	return g.Send(kindEngine, state, fds...)
}

func (u *upgrading) sendListeners(g *handover.Giver) error {
	var names []byte
	var fds []int
	for _, ln := range u.a.ownListeners() {
		f, err := ln.File()
		if err != nil {
			return err
		}
		defer f.Close()
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		// Not Fd, which would have the listener block.
		if err := raw.Control(func(fd uintptr) { fds = append(fds, int(fd)) }); err != nil {
			return err
		}
		names = snapshot.AppendString(names, ln.name)
	}
	return g.Send(kindListeners, names, fds...)
}

// SendLast implements upgrade.App.
func (u *upgrading) SendLast(g *handover.Giver) error {
	left, _ := u.hub.Left()
	return g.Send(kindLeft, left)
}

// Thaw implements upgrade.App.
func (u *upgrading) Thaw() {
	if u.engine {
		if err := u.a.engine.Takeover.Thaw(); err != nil {
			u.a.log.Error("the engine cannot go on", "error", err)
		}
	}
	if u.hub != nil {
		u.hub.Thaw()
	}
	if u.shut {
		u.a.requests.open()
	}
	for _, ln := range u.paused {
		pauseListener(ln, false)
	}
	*u = upgrading{a: u.a}
}

// ownListener is a listener beside the Server's.
type ownListener struct {
	name string
	fileListener
}

// fileListener is a TCP or a Unix listener.
type fileListener interface {
	net.Listener
	File() (*os.File, error) // a duplicate
}

func (a *app) ownListeners() (all []ownListener) {
	if a.admin != nil {
		if ln, ok := a.admin.ln.(fileListener); ok {
			all = append(all, ownListener{adminListener, ln})
		}
	}
	if a.control != nil {
		if ln, ok := a.control.ln.(fileListener); ok {
			all = append(all, ownListener{controlListener, ln})
		}
	}
	return all
}

// pauseListener has a listener's http.Server accept nothing, which it tries again and again after a
// timeout, or accept again.
func pauseListener(ln net.Listener, on bool) {
	d, ok := ln.(interface{ SetDeadline(time.Time) error })
	switch {
	case !ok:
	case on:
		d.SetDeadline(time.Unix(1, 0))
	default:
		d.SetDeadline(time.Time{})
	}
}
