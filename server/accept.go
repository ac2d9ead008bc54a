package server

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// listener paces and counts what is accepted, and keeps errors from net/http that
// concern one connection or pass by themselves, but would end http.Server.Serve.
type listener struct {
	net.Listener
	s     *Server
	pace  rate
	spare *os.File // given up to accept one more where descriptors have run out; Accept's
}

func (s *Server) listener(ln net.Listener) *listener {
	l := &listener{Listener: ln, s: s}
	l.keepSpare()
	if l.spare != nil {
		// The system gives the lowest number that is free.
		s.descriptors.base.Store(int64(l.spare.Fd()) + 1 - s.conns.Load() - int64(s.http.open()))
	}
	return l
}

// keepSpare opens the spare descriptor where there is none. It may fail: without
// one, clients have to wait.
func (ln *listener) keepSpare() {
	if ln.spare == nil {
		ln.spare, _ = os.Open(os.DevNull)
	}
}

func (ln *listener) Accept() (net.Conn, error) {
	for {
		ln.await()
		nc, err := ln.Listener.Accept()
		if err != nil {
			return nil, ln.failed(err)
		}
		ln.keepSpare()
		if a := ln.s.accepted(nc); a != nil {
			return a, nil
		}
	}
}

// await sleeps until AcceptRate allows another connection.
func (ln *listener) await() {
	n := ln.s.cfg.AcceptRate
	if n == 0 {
		return
	}
	for wait := ln.pace.take(n, ln.s.cfg.now()); wait > 0; wait = ln.pace.take(n, ln.s.cfg.now()) {
		ln.s.cfg.sleep(wait)
	}
}

// failed makes room where descriptors have run out, and marks errors that pass.
func (ln *listener) failed(err error) error {
	if isExhausted(err) {
		if ln.s.http.dropIdle(16) == 0 {
			ln.turnAway()
			ln.s.logExhausted(err)
		}
		return &passingError{err}
	}
	for _, passing := range []error{syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.EPROTO, syscall.ECONNABORTED} {
		if errors.Is(err, passing) {
			return &passingError{err}
		}
	}
	return err
}

// turnAway closes the connections that wait to be accepted, with the descriptor
// that was kept for it: otherwise they would wait for as long as this goes on.
func (ln *listener) turnAway() {
	bounded, ok := ln.Listener.(interface{ SetDeadline(time.Time) error })
	if !ok || ln.spare == nil {
		return
	}
	ln.spare.Close()
	for range 64 {
		bounded.SetDeadline(time.Now().Add(time.Millisecond)) // one in the past would accept nothing
		nc, err := ln.Listener.Accept()
		if err != nil {
			break
		}
		nc.Close()
	}
	bounded.SetDeadline(time.Time{})
	ln.spare = nil
	ln.keepSpare()
}

// isExhausted reports whether descriptors have run out, here or in the system.
func isExhausted(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// logExhausted says so, at most once in 5 s.
func (s *Server) logExhausted(err error) {
	s.mu.Lock()
	now := s.cfg.now()
	due := s.exhausted == 0 || now-s.exhausted >= 5*time.Second
	if due {
		s.exhausted = now
	}
	s.mu.Unlock()
	if due {
		s.cfg.Logger.Error("no more file descriptors: connections are turned away; raise the limit (ulimit -n)", "error", err, "open", s.Stats().Open)
	}
}

// passingError marks an error as temporary: net/http waits and tries again.
type passingError struct{ error }

func (*passingError) Temporary() bool { return true }
func (*passingError) Timeout() bool   { return false }
func (e *passingError) Unwrap() error { return e.error }

// accepted is a connection from Serve's listener until its descriptor moves to
// a loop.
type accepted struct {
	net.Conn
	s *Server

	// Immutable once it is served.
	refusal *refusal // how anything but a health probe is answered; nil: it is served
	surplus bool     // beyond a bound of httpConns

	empty emptyLines // Reader only.

	idle atomic.Bool // the next byte is the first of a request
	http httpConn    // Guarded by s.http.mu.
}

// accepted admits a connection. It returns nil for one that it had to close.
func (s *Server) accepted(nc net.Conn) *accepted {
	a := &accepted{Conn: nc, s: s}
	if s.cfg.TLS == nil { // crypto/tls begins with something else
		a.empty = maxEmptyLines
	}
	if p, ok := nc.(interface{ ProbesOnly() bool }); ok && p.ProbesOnly() {
		a.refusal = refusedProbesOnly
	}
	var addr netip.Addr
	if s.cfg.ClientAddr == nil { // otherwise its first request tells
		addr = addrPort(nc.RemoteAddr()).Addr()
	}
	kept := s.http.add(a, addr, s.scarce(1))
	switch a.refusal {
	case refusedScarce:
		s.logExhausted(errScarce)
	case refusedFull:
		s.logExhausted(errShare)
	}
	if !kept {
		return nil
	}
	return a
}

var (
	errScarce = errors.New("the last ones are kept for health probes")
	errShare  = errors.New("MaxHTTPConns, the share of connections that are not WebSockets, is used up")
)

// Read notes when a request begins.
func (a *accepted) Read(p []byte) (int, error) {
	n, err := a.readPastEmptyLines(p)
	if n > 0 && a.idle.CompareAndSwap(true, false) {
		a.s.http.arrives(a)
	}
	return n, err
}

// Close ends the count, too, unless the connection is on a loop.
func (a *accepted) Close() error {
	a.s.http.gone(a)
	return a.Conn.Close()
}

// SyscallConn gives access to the descriptor (syscall.Conn).
func (a *accepted) SyscallConn() (syscall.RawConn, error) {
	sc, ok := a.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return sc.SyscallConn()
}
