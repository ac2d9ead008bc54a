package worker

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// pipeListener accepts the other ends of pipes.
type pipeListener chan net.Conn

func (l pipeListener) Accept() (net.Conn, error) {
	nc, ok := <-l
	if !ok {
		return nil, net.ErrClosed
	}
	return nc, nil
}

func (l pipeListener) Close() error   { close(l); return nil }
func (l pipeListener) Addr() net.Addr { return nil }

func (l pipeListener) dial() net.Conn {
	here, there := net.Pipe()
	l <- there
	return here
}

// An agent works for one controller at a time, and says so to others. Who has not
// shown that it knows the token is in nobody's way.
func TestAgentIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ln := make(pipeListener)
		done := make(chan error, 1)
		go func() { done <- ListenAndServe(ctx, ln, token, func(string) {}) }()
		silent := ln.dial()
		go io.Copy(io.Discard, silent)
		began := time.Now()
		first := ln.dial()
		seal, err := introduce(first, token)
		if err != nil || time.Since(began) != 0 {
			t.Errorf("the first: %v, after %v", err, time.Since(began))
		}
		w := newRemote("first", first, seal, nil)
		if _, err := introduce(ln.dial(), token); err == nil || !strings.Contains(err.Error(), "busy") {
			t.Errorf("the second: %v", err)
		}
		if _, err := w.Clock(ctx); err != nil {
			t.Errorf("the first, then: %v", err)
		}
		// One that comes as another goes has its turn.
		time.AfterFunc(turn/2, func() { w.Close() })
		third := ln.dial()
		if _, err := introduce(third, token); err != nil {
			t.Errorf("the third: %v", err)
		}
		cancel()
		if err := <-done; err != context.Canceled { // the third's run is cut short
			t.Error(err)
		}
		third.Close()
		silent.Close()
	})
}

// What listens and says nothing may be an agent that was stopped.
func TestSilentAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		defer there.Close()
		defer here.Close()
		if _, err := introduce(here, token); err == nil || !strings.Contains(err.Error(), "has said nothing for 5s") {
			t.Errorf("%v", err)
		}
	})
}
