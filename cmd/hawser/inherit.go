package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/cmd/internal/upgrade"
	"github.com/hawser-ws/hawser/server/handover"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// This file is the new process's side of an upgrade: see upgrade.go. Until it has taken over, it writes
// nothing and answers nobody.

// takeTime is how long it may take to read what the engine knows of the connections.
const takeTime = 5 * time.Second

// inheritance is what this process takes over from another one. A nil one is nothing: this process begins by
// itself.
type inheritance struct {
	a         *app
	taker     *handover.Taker
	listeners map[string]net.Listener // beside the Server's, by name

	hub      *chat.Frozen
	ctx      context.Context // for the hub; see takeTime
	received [kindLeft + 1]bool
}

// inherit returns nil if there is nothing to take over.
func (a *app) inherit() (*inheritance, error) {
	taker, err := a.program.Inherit()
	if taker == nil || err != nil {
		return nil, err
	}
	in := &inheritance{a: a, taker: taker, listeners: make(map[string]net.Listener)}
	return in, nil
}

// open lets the other process begin, whose clients wait from here on, and opens its engine and its
// listeners.
func (in *inheritance) open() error {
	m, err := in.next(kindEngine)
	if err != nil {
		return err
	}
	var files []*os.File
	for _, fd := range m.Descriptors {
		files = append(files, os.NewFile(uintptr(fd), "engine"))
	}
	if err := in.a.engine.inherit(in.a.cfg.Data, m.Data, files); err != nil {
		return err
	}
	if m, err = in.next(kindListeners); err != nil {
		return err
	}
	return in.takeListeners(m)
}

// next receives a message of a kind.
func (in *inheritance) next(kind byte) (handover.Message, error) {
	m, err := in.taker.Receive()
	if err == io.EOF || err == nil && m.Kind != kind {
		err = upgrade.UnknownKind(m)
	}
	return m, err
}

func (in *inheritance) takeListeners(m handover.Message) error {
	r := snapshot.NewReader(m.Data)
	for _, fd := range m.Descriptors {
		f := os.NewFile(uintptr(fd), "listener")
		ln, err := net.FileListener(f)
		f.Close() // FileListener has a duplicate
		if err != nil {
			return fmt.Errorf("an inherited listener: %w", err)
		}
		if u, ok := ln.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(true) // the file is this process's now
		}
		in.listeners[r.String(r.Len())] = ln
	}
	return r.End()
}

// listener takes the listener of a name, if there is one.
func (in *inheritance) listener(name string) net.Listener {
	if in == nil {
		return nil
	}
	ln := in.listeners[name]
	delete(in.listeners, name)
	return ln
}

// closeOthers closes the listeners that nobody has taken, as there is no setting for them any more.
func (in *inheritance) closeOthers() {
	if in == nil {
		return
	}
	for _, ln := range in.listeners {
		ln.Close()
	}
}

// refuse tells the other process why it has to go on. It returns err.
func (in *inheritance) refuse(err error) error {
	in.taker.Refuse(err)
	return fmt.Errorf("not taking over: %w", err)
}

// takeOver takes everything over.
func (in *inheritance) takeOver(h *adapter) (err error) {
	if in.hub, err = in.a.hub.Freeze(context.Background()); err != nil {
		return err
	}
	h.inheritance = in
	if err := in.open(); err != nil {
		return err
	}
	if err := in.a.listenAdmin(in.listener(adminListener)); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), takeTime)
	defer cancel()
	in.ctx = ctx
	lns, err := in.a.program.Take(in.taker, in.a.server, in)
	if err != nil {
		return err
	}
	h.inheritance = nil
	in.a.setListener(lns[0])
	return nil
}

// Receive implements upgrade.Successor.
func (in *inheritance) Receive(m handover.Message) error {
	if int(m.Kind) >= len(in.received) || in.received[m.Kind] {
		return upgrade.UnknownKind(m)
	}
	in.received[m.Kind] = true
	switch m.Kind {
	case kindHub:
		return in.hub.Restore(m.Data)
	case kindGuard:
		if g := in.a.watch.guard; g != nil {
			return g.Restore(m.Data)
		}
		return nil
	case kindLeft:
		return in.hub.RestoreLeft(in.ctx, m.Data)
	}
	return upgrade.UnknownKind(m)
}

// Complete implements upgrade.Successor.
func (in *inheritance) Complete() error {
	if !in.received[kindHub] || !in.received[kindLeft] {
		return errors.New("not everything was handed over")
	}
	return in.a.engine.Takeover.Ready(in.ctx)
}

// Start implements upgrade.Successor.
func (in *inheritance) Start() {
	in.a.engine.Takeover.Start()
	in.hub.Thaw()
}
