package server

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// What applications do wrong is an error where they do it.
func TestMisuse(t *testing.T) {
	opened := make(chan Conn, 2)
	h := funcs{open: func(c LoopConn) { opened <- c.Conn() }}
	one, two := start(t, Config{Handler: h, Loops: 1}), start(t, Config{Handler: h, Loops: 3})
	one.dial(t, "/")
	c := receive(t, opened)
	var usage *wsproto.UsageError
	if err := two.NewGroup().Join(c); !errors.As(err, &usage) {
		t.Errorf("joining another server's group: %v", err)
	}
	two.NewGroup().Leave(c)
	if err := c.SendPrepared(nil); !errors.As(err, &usage) {
		t.Errorf("sending nothing: %v", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("sending a group nothing did not panic")
			}
		}()
		one.NewGroup().Send(nil, Evict)
	}()
}

// A handler that holds its loop does not hold Shutdown beyond its time.
func TestShutdownWhileAHandlerHolds(t *testing.T) {
	holds, let := make(chan struct{}), make(chan struct{})
	s := start(t, Config{Loops: 1, Handler: funcs{message: func(LoopConn, frame.Opcode, []byte) { close(holds); <-let }}})
	defer close(let)
	c := s.dial(t, "/")
	c.text("hold")
	receive(t, holds)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(ctx) }()
	if err := receive(t, done); err == nil || !strings.Contains(err.Error(), "a handler blocks loop 0") || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
