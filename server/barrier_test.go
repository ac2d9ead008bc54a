package server

import (
	"errors"
	"net"
	"os"
	"testing"
)

// lateListener is a listener whose Accept returns late after it was interrupted.
type lateListener struct {
	*net.TCPListener
	entered, interrupted, goOn chan struct{}
}

func (ln *lateListener) Accept() (net.Conn, error) {
	select {
	case ln.entered <- struct{}{}:
	default:
	}
	nc, err := ln.TCPListener.Accept()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		ln.interrupted <- struct{}{}
		<-ln.goOn
	}
	return nc, err
}

// An Accept that was interrupted by a Freeze, and returns only when that is over, is repeated:
// otherwise nothing would be accepted any more.
func TestAcceptInterruptedLate(t *testing.T) {
	s, err := New(Config{Handler: funcs{}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown(t.Context())
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	late := &lateListener{inner.(*net.TCPListener), make(chan struct{}, 1), make(chan struct{}), make(chan struct{})}
	ln := s.listener(late)
	defer ln.Close()
	s.listeners = append(s.listeners, ln.Listener)
	accepted := make(chan error, 1)
	go func() {
		nc, err := ln.acceptNet()
		if err == nil {
			nc.Close()
		}
		accepted <- err
	}()
	receive(t, late.entered)

	s.pauseAccepting()
	receive(t, late.interrupted)
	s.resumeAccepting()
	close(late.goOn)

	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := receive(t, accepted); err != nil {
		t.Error(err)
	}
}
