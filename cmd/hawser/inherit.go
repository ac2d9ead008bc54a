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
	store     *os.File
	listeners map[string]net.Listener // beside the Server's, by name

	hub      *chat.Frozen
	ctx      context.Context // for the hub; see takeTime
	received [kindLeft + 1]bool
}

// inherit receives what this process opens itself with. It returns nil if there is nothing.
func (a *app) inherit() (*inheritance, error) {
	taker, err := a.program.Inherit()
	if taker == nil || err != nil {
		return nil, err
	}
	in := &inheritance{a: a, taker: taker, listeners: make(map[string]net.Listener)}
	if a.cfg.Redis.On() {
		return in, errNotMovable
	}
	m, err := in.next(kindStore)
	if err != nil {
		return in, err
	}
	if len(m.Descriptors) != 1 {
		return in, errors.New("the store's file was not handed over")
	}
	in.store = os.NewFile(uintptr(m.Descriptors[0]), "chat.db")
	if m, err = in.next(kindListeners); err != nil {
		return in, err
	}
	return in, in.takeListeners(m)
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

// file is the store's, nil if this process opens it itself.
func (in *inheritance) file() *os.File {
	if in == nil {
		return nil
	}
	return in.store
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

// take takes everything over, and returns the Server's listener.
func (in *inheritance) take(h *adapter) (net.Listener, error) {
	ctx, cancel := context.WithTimeout(context.Background(), takeTime)
	defer cancel()
	in.ctx = ctx
	var err error
	if in.hub, err = in.a.hub.Freeze(ctx); err != nil {
		return nil, in.refuse(err)
	}
	h.inheritance = in
	lns, err := upgrade.Take(in.taker, in.a.server, in)
	if err != nil {
		return nil, fmt.Errorf("not taking over: %w", err)
	}
	return lns[0], nil
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
	return nil
}

// Start implements upgrade.Successor.
func (in *inheritance) Start() {
	in.a.engine.store.Start()
	in.hub.Thaw()
}
