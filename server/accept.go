package server

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/server/rate"
)

// listener paces and counts the accepted connections. Errors that concern one
// connection, or that will pass, would end http.Server.Serve: it marks them as
// temporary.
type listener struct {
	net.Listener
	s     *Server
	pace  *rate.Bucket // nil: no limit
	spare *os.File     // Accept only. Closed to accept one more when descriptors have run out.
}

func (s *Server) listener(ln net.Listener) *listener {
	l := &listener{Listener: ln, s: s}
	if n := s.cfg.AcceptRate; n > 0 {
		l.pace = rate.NewBucket(rate.NewPace(n, time.Second, 0))
	}
	l.keepSpare()
	if l.spare != nil {
		// The system gives out the lowest free number.
		s.descriptors.base.Store(int64(l.spare.Fd()) + 1 - s.conns.Load() - int64(s.http.open()))
	}
	return l
}

// keepSpare opens the spare descriptor if there is none. It may fail; without a spare,
// clients have to wait until descriptors are free.
func (ln *listener) keepSpare() {
	if ln.spare == nil {
		ln.spare, _ = os.Open(os.DevNull)
	}
}

func (ln *listener) Accept() (net.Conn, error) {
	for {
		ln.waitForRate()
		nc, err := ln.Listener.Accept()
		if paused := ln.s.barrier.isShut(); paused != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			<-paused
			continue
		}
		if err != nil {
			return nil, ln.acceptError(err)
		}
		ln.keepSpare()
		if a := ln.s.acceptConn(nc); a != nil {
			return a, nil
		}
	}
}

// waitForRate sleeps until AcceptRate allows another connection.
func (ln *listener) waitForRate() {
	if ln.pace == nil {
		return
	}
	wait := ln.pace.Take(ln.s.cfg.now())
	if wait > 0 {
		ln.s.limited.count(LimitAccepts)
	}
	for ; wait > 0; wait = ln.pace.Take(ln.s.cfg.now()) {
		time.Sleep(wait)
	}
}

// acceptError makes room if descriptors have run out, and marks temporary errors.
func (ln *listener) acceptError(err error) error {
	if isExhausted(err) {
		if ln.s.http.dropIdle(16) == 0 {
			ln.turnAway()
			ln.s.logExhausted(err)
		}
		return &temporaryError{err}
	}
	for _, temporary := range []error{syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.EPROTO, syscall.ECONNABORTED} {
		if errors.Is(err, temporary) {
			return &temporaryError{err}
		}
	}
	return err
}

// turnAway accepts and closes the connections in the system's queue, using the spare
// descriptor: otherwise they would wait for as long as descriptors are short.
func (ln *listener) turnAway() {
	bounded, ok := ln.Listener.(interface{ SetDeadline(time.Time) error })
	if !ok || ln.spare == nil {
		return
	}
	ln.spare.Close()
	for range 64 {
		bounded.SetDeadline(time.Now().Add(time.Millisecond)) // a deadline in the past would accept nothing
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

// logExhausted logs that descriptors have run out, at most once in 5 s.
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

// temporaryError marks an error as temporary: net/http waits and tries again.
type temporaryError struct{ error }

func (*temporaryError) Temporary() bool { return true }
func (*temporaryError) Timeout() bool   { return false }
func (e *temporaryError) Unwrap() error { return e.error }

// accepted is a connection from Serve's listener until its descriptor moves to
// a loop.
type accepted struct {
	net.Conn
	s *Server

	// Immutable once it is served.
	refusal *refusal // the answer to anything but a health probe; nil: it is served
	surplus bool     // beyond a limit of httpConns

	empty    emptyLines // Reader only.
	unserved unserved

	used  atomic.Bool // there was a request
	idle  atomic.Bool // the next byte is the first of a request
	given atomic.Bool // net/http has given it away (Hijack)
	http  httpConn    // Guarded by s.http.mu.
}

// acceptConn admits a connection. It returns nil for one that it had to close.
func (s *Server) acceptConn(nc net.Conn) *accepted {
	a := &accepted{Conn: nc, s: s}
	if s.cfg.TLS == nil { // a TLS connection does not begin with a request line
		a.empty = maxEmptyLines
	}
	if p, ok := nc.(interface{ ProbesOnly() bool }); ok && p.ProbesOnly() {
		a.refusal = refusedProbesOnly
	}
	var addr netip.Addr
	if s.cfg.ClientAddr == nil { // otherwise its first request names the client
		addr = addrPort(nc.RemoteAddr()).Addr()
	}
	kept := s.http.add(a, addr, s.scarce(1))
	switch a.refusal {
	case refusedScarce:
		s.logExhausted(errScarce)
	case refusedHTTPFull:
		s.logExhausted(errShare)
	}
	if !kept {
		return nil
	}
	return a
}

var (
	errScarce = errors.New("the last descriptors are kept for health probes")
	errShare  = errors.New("MaxHTTPConns is reached: the share of connections that are not WebSockets")
)

// Read notes when a request begins.
func (a *accepted) Read(p []byte) (int, error) {
	n, err := a.readUnserved(p)
	if n > 0 && a.idle.CompareAndSwap(true, false) {
		a.s.http.arrives(a)
	}
	return n, err
}

// Close also uncounts the connection, unless a loop has taken it over.
func (a *accepted) Close() error {
	a.s.http.gone(a)
	if a.s.cfg.Unused != nil && !a.used.Swap(true) {
		a.s.cfg.Unused(addrPort(a.Conn.RemoteAddr()).Addr())
	}
	return a.Conn.Close()
}

// displace closes a connection in favour of others. That it was not used is not its client's
// fault.
func (a *accepted) displace() {
	a.used.Store(true)
	a.Conn.Close()
}

// SyscallConn gives access to the descriptor (syscall.Conn).
func (a *accepted) SyscallConn() (syscall.RawConn, error) {
	sc, ok := a.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return sc.SyscallConn()
}
