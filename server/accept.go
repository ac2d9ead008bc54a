package server

import (
	"context"
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
	pace  *rate.Bucket    // nil: no limit
	shut  context.Context // ends when the listener is closed
	close func()
	spare *os.File // Accept only. Closed to accept one more when descriptors have run out.
}

func (s *Server) listener(ln net.Listener) *listener {
	l := &listener{Listener: ln, s: s}
	l.shut, l.close = context.WithCancel(context.Background())
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
		nc, err := ln.acceptNet()
		if err != nil {
			return nil, err
		}
		if a := ln.s.acceptConn(nc); a != nil {
			return a, nil
		}
	}
}

// acceptNet accepts one connection that is not from a banned address. It waits while the
// server is frozen.
func (ln *listener) acceptNet() (net.Conn, error) {
	for {
		shut, before := ln.s.barrier.state()
		if shut != nil {
			<-shut
			continue
		}
		nc, err := ln.Listener.Accept()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			// If a Freeze has interrupted it, the server may go on again by now.
			if _, closings := ln.s.barrier.state(); closings != before {
				continue
			}
		}
		if err != nil {
			return nil, ln.acceptError(err)
		}
		ln.keepSpare()
		if ln.s.banOf(addrPort(nc.RemoteAddr()).Addr()) != nil {
			nc.Close()
			continue
		}
		return nc, nil
	}
}

// paceTime is the shortest time that a listener waits for AcceptRate. A crowd then comes in
// groups that share what a wake-up costs, also in the loops and the application: one at a
// time, that is more than the handshake itself.
const paceTime = 20 * time.Millisecond

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
		select {
		case <-time.After(max(wait, paceTime)):
		case <-ln.shut.Done():
			return
		}
	}
}

func (ln *listener) Close() error {
	ln.close()
	return ln.Listener.Close()
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

	// Of a connection that a loop has read first (opening.go): immutable, the loop's, and
	// then its reader's.
	door    *doorway // nil if it never was on a loop
	fd      int
	peer    netip.AddrPort
	place   Conn          // the slot that it has while it is on a loop
	since   time.Duration // when it was accepted
	head    []byte        // what has been read of its request
	pieces  uint8         // in how many reads
	counted bool          // its request counts already for MaxRequestRatePerAddress
	due     time.Time     // when its first request must have come

	judgement *judgement // Loop only. nil unless its request is being judged.
	denial    *denial    // what net/http must answer to its first request; nil: it judges for itself

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
	if !s.countAccepted(a, addr) {
		return nil
	}
	return a
}

// countAccepted counts a connection, and reports whether to serve it.
func (s *Server) countAccepted(a *accepted, addr netip.Addr) bool {
	kept := s.http.add(a, addr, s.scarce(1))
	switch a.refusal {
	case refusedScarce:
		s.logExhausted(errScarce)
	case refusedHTTPFull:
		s.logExhausted(errShare)
	}
	return kept
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

// readConn also returns what a loop has read.
func (a *accepted) readConn(p []byte) (int, error) {
	if len(a.head) > 0 {
		n := copy(p, a.head)
		if a.head = a.head[n:]; len(a.head) == 0 {
			a.head = nil
		}
		return n, nil
	}
	return a.Conn.Read(p)
}

// dueBy returns the read deadline t, or the earlier time by which the first request must have
// come: it has only what is left since accept.
func (a *accepted) dueBy(t time.Time) time.Time {
	if !a.due.IsZero() && !a.used.Load() && (t.IsZero() || t.After(a.due)) {
		return a.due
	}
	return t
}

// Close also uncounts the connection, unless a loop has taken it over.
func (a *accepted) Close() error {
	a.s.http.gone(a)
	a.noteUnused()
	return a.Conn.Close()
}

// remoteText is its peer's address as net/http shows it.
func (a *accepted) remoteText() string {
	if a.peer.IsValid() {
		return a.peer.String()
	}
	return "@" // a Unix socket without a name
}

// noteUnused tells the program of a connection that ends without a request.
func (a *accepted) noteUnused() {
	if a.s.cfg.Unused != nil && !a.used.Swap(true) {
		peer := a.peer
		if a.Conn != nil {
			peer = addrPort(a.Conn.RemoteAddr())
		}
		a.s.cfg.Unused(peer.Addr())
	}
}

// displace closes a connection in favour of others. That it was not used is not its client's
// fault.
func (a *accepted) displace() {
	a.used.Store(true)
	if a.Conn == nil { // it is on a loop
		a.place.conn.loop.post(task{kind: taskDisplace, to: a.place}, nil)
		return
	}
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
