package server

import (
	"errors"
	"net"
	"net/http"
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
	if n := ln.s.cfg.AcceptRate; n > 0 {
		for wait := ln.pace.take(n, ln.s.cfg.now()); wait > 0; wait = ln.pace.take(n, ln.s.cfg.now()) {
			ln.s.cfg.sleep(wait)
		}
	}
	nc, err := ln.Listener.Accept()
	if err == nil {
		ln.keepSpare()
		return ln.s.accepted(nc), nil
	}
	if isExhausted(err) {
		ln.turnAway()
		ln.s.logExhausted(err)
		return nil, &passingError{err}
	}
	for _, passing := range []error{syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.EPROTO, syscall.ECONNABORTED} {
		if errors.Is(err, passing) {
			return nil, &passingError{err}
		}
	}
	return nil, err
}

// turnAway closes the connections that wait to be accepted, with the descriptor
// that was kept for it: they would else wait for as long as this goes on.
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
	s       *Server
	pending atomic.Bool // counted in s.handshaking
	full    bool        // beyond what the server takes
	surplus bool        // beyond what its address may have
	empty   emptyLines  // Reader only.
	address atomic.Pointer[address]
}

func (s *Server) accepted(nc net.Conn) *accepted {
	a := &accepted{Conn: nc, s: s}
	if s.cfg.TLS == nil { // crypto/tls begins with something else
		a.empty = maxEmptyLines
	}
	a.pending.Store(true)
	a.full = s.full(s.handshaking.Add(1) - 1)
	if addr := addrPort(nc.RemoteAddr()); addr.IsValid() {
		s.count(a, addr.Addr())
	}
	return a
}

// full reports whether there may not be one connection more than those that are
// on the loops and, besides, this many.
func (s *Server) full(besides int64) bool {
	if s.cfg.MaxConns == 0 {
		return false
	}
	n := besides
	for _, l := range s.loops {
		n += l.taken.Load()
	}
	return n >= int64(s.cfg.MaxConns)
}

// count has a connection counted as one of addr's, and no other's.
func (s *Server) count(a *accepted, addr netip.Addr) {
	a.take().release()
	a.surplus = false
	if s.cfg.MaxConnsPerAddress > 0 {
		entry, n := s.addresses.acquire(addr)
		a.address.Store(entry)
		a.surplus = n > s.cfg.MaxConnsPerAddress
	}
}

// shook ends its being counted as in its handshake.
func (a *accepted) shook() {
	if a.pending.Swap(false) {
		a.s.handshaking.Add(-1)
	}
}

// Close ends the counts too; what take has moved on stays.
func (a *accepted) Close() error {
	a.shook()
	a.take().release()
	return a.Conn.Close()
}

// take moves the address's count to whom the connection belongs from now on.
func (a *accepted) take() *address { return a.address.Swap(nil) }

// SyscallConn gives access to the descriptor (syscall.Conn).
func (a *accepted) SyscallConn() (syscall.RawConn, error) {
	sc, ok := a.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return sc.SyscallConn()
}

// refuseFull, refuseSurplus and the like answer what is not admitted. Whoever
// comes back sooner than they say is refused again.

func (s *Server) refuseFull(w http.ResponseWriter, r *http.Request) {
	s.refuseFor(w, r, http.StatusServiceUnavailable, "5", "the server is full, try again later")
}

func (s *Server) refuseSurplus(w http.ResponseWriter, r *http.Request) {
	s.refuseFor(w, r, http.StatusTooManyRequests, "5", "too many connections from this address")
}

func (s *Server) refuseFor(w http.ResponseWriter, r *http.Request, status int, seconds, reason string) {
	w.Header().Set("Retry-After", seconds)
	s.refuse(w, r, status, reason)
}
