package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// doorway is Serve's listener where the loops read opening handshakes. It accepts
// connections and gives them to the loops, or lends one of them the listener (lend.go). Its
// Accept returns those that the loops have handed back, for net/http.
type doorway struct {
	*listener
	raw     syscall.RawConn // the socket's
	http    *http.Server    // that has what the loops hand back
	maxHead int             // the length of a request's head that net/http allows, if that is less than the loops'
	done    chan struct{}   // closed when acceptAll returns

	paid bool // Of acceptAll, or of the loop that has the listener (lease.mu). The rate already allows the next connection.

	mu     sync.Mutex
	some   sync.Cond   // something was returned, or err was set
	back   []*accepted // Guarded by mu. For net/http.
	ended  error       // Guarded by mu. What ended acceptAll.
	closed bool        // Guarded by mu. Nothing more is given to net/http.
}

// gatherTime is how long a loop lets connections gather, where many come, before it looks for
// them again.
const gatherTime = dozeTime

// maxBatch is how many connections are accepted at a time, so that the system's answer to
// the others does not wait for the loops' mailboxes to be filled.
const maxBatch = 256

// newDoorway returns nil if the loops cannot, or must not, read what arrives at ln: what
// they do not know about must reach the application as it does otherwise.
func (s *Server) newDoorway(ln *listener, hs *http.Server) *doorway {
	cfg := &s.cfg
	if cfg.TLS != nil || cfg.Middleware != nil || cfg.ClientAddr != nil || !s.anyByLoop() {
		return nil
	}
	for _, l := range s.loops {
		if !l.k.native() {
			return nil
		}
	}
	under := ln.Listener
	if r, ok := under.(*resumedListener); ok {
		under = r.Listener
	}
	var sc syscall.Conn
	switch inner := under.(type) { // a type around one may do more
	case *net.TCPListener:
		sc = inner
	case *net.UnixListener:
		if inner.Addr().Network() == "unix" {
			sc = inner
		}
	}
	if sc == nil {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil || setAcceptOptions(raw, ln.Addr().Network(), cfg.PingInterval == 0) != nil {
		return nil
	}
	d := &doorway{listener: ln, raw: raw, http: hs, maxHead: maxHead, done: make(chan struct{})}
	if hs.MaxHeaderBytes > 0 {
		d.maxHead = min(maxHead, hs.MaxHeaderBytes+4<<10) // net/http allows so much more
	}
	d.some.L = &d.mu
	return d
}

// requestContext returns the context of a request on a connection, with the values that
// net/http gives its own.
func (d *doorway) requestContext(fd int) context.Context {
	ctx := context.WithValue(context.Background(), http.ServerContextKey, d.http)
	return context.WithValue(ctx, http.LocalAddrContextKey, d.localAddr(fd))
}

// localAddr returns the address at which a connection was accepted.
func (d *doorway) localAddr(fd int) net.Addr {
	at := d.Addr()
	if tcp, ok := at.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		if addr := localOf(fd); addr.IsValid() {
			return net.TCPAddrFromAddrPort(addr)
		}
	}
	return at
}

// acceptAll accepts until the listener is closed. Errors that pass are waited out, as
// http.Server does.
func (d *doorway) acceptAll() {
	defer close(d.done)
	var delay time.Duration
	for crowd := false; ; { // crowd: others may be waiting
		if crowd {
			n, paced := d.acceptWaiting()
			switch {
			case paced:
				d.waitForRate()
				d.paid = true
				continue
			case n > 0 && d.lend():
				continue
			case n > 0:
				d.end(net.ErrClosed)
				return
			}
		}
		if !d.paid {
			d.waitForRate()
		}
		d.paid = false
		nc, err := d.acceptNet()
		if err != nil {
			if !errors.As(err, new(*temporaryError)) {
				d.end(err)
				return
			}
			delay = min(max(2*delay, 5*time.Millisecond), time.Second)
			select {
			case <-time.After(delay):
			case <-d.shut.Done():
			}
			continue
		}
		delay = 0
		crowd = d.takeFirst(nc)
	}
}

// takeFirst gives a connection that package net has accepted to a loop, and reports whether others
// may be waiting. One that another process has accepted goes to net/http, and is followed by the
// next of them.
func (d *doorway) takeFirst(nc net.Conn) bool {
	if _, resumed := nc.(*resumedConn); resumed { // it has been read from
		if a := d.s.acceptConn(nc); a != nil {
			d.giveBack(a)
		}
		return false
	}
	peer := addrPort(nc.RemoteAddr())
	fd, err := d.s.loops[0].k.attach(nc)
	if err != nil {
		d.s.cfg.Logger.Error("a connection was lost", "error", err)
		return true
	}
	d.take(fd, peer)
	return true
}

// acceptWaiting accepts the connections that are waiting, and returns how many there were.
// paced says that others may be waiting, for which AcceptRate leaves no room now.
func (d *doorway) acceptWaiting() (n int, paced bool) {
	if d.s.barrier.isShut() != nil {
		return 0, false
	}
	d.raw.Control(func(ln uintptr) {
		for ; n < maxBatch; n++ {
			if d.pace != nil && !d.paid {
				if paced = d.pace.Take(d.s.cfg.now()) > 0; paced {
					return
				}
				d.paid = true
			}
			fd, peer, err := acceptFrom(ln)
			if err != nil { // none is left, or Accept meets the same error
				return
			}
			if d.s.banOf(peer.Addr()) != nil {
				closeDescriptor(fd)
				continue
			}
			d.paid = false
			d.take(fd, peer)
		}
	})
	return n, paced
}

// take gives an accepted descriptor to a loop, if it may stay.
func (d *doorway) take(fd int, peer netip.AddrPort) {
	s := d.s
	a := &accepted{s: s, door: d, fd: fd, peer: peer, empty: maxEmptyLines, since: s.cfg.now()}
	l := s.loops[s.next.Add(1)%uint64(len(s.loops))]
	var free bool
	a.place, free = l.takeSlot()
	kept := s.countAccepted(a, peer.Addr())
	switch {
	case !kept:
		l.k.close(fd)
	case !free || a.refusal != nil:
		d.giveBack(a)
	default:
		if l.post(task{kind: taskArrive, to: a.place, arrival: a}, nil) == nil {
			return
		}
		s.http.gone(a)
		l.k.close(fd)
	}
	if free {
		l.freeSlot(a.place.conn)
	}
}

// giveBack gives a connection to net/http. Any goroutine.
func (d *doorway) giveBack(a *accepted) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		d.discard(a)
		return
	}
	d.back = append(d.back, a)
	d.some.Signal()
}

// discard closes a connection that net/http cannot have.
func (d *doorway) discard(a *accepted) {
	d.s.http.gone(a)
	if a.Conn != nil {
		a.Conn.Close()
		return
	}
	closeDescriptor(a.fd)
}

// Accept returns a connection for net/http.
func (d *doorway) Accept() (net.Conn, error) {
	for {
		a, err := d.next()
		if err != nil {
			return nil, err
		}
		if a.Conn != nil {
			return a, nil
		}
		nc, err := connOf(a.fd)
		if err != nil { // out of descriptors
			d.discard(a)
			d.s.cfg.Logger.Error("a connection was lost", "error", err)
			continue
		}
		if !d.s.http.give(a, nc) {
			nc.Close()
			continue
		}
		return a, nil
	}
}

func (d *doorway) next() (*accepted, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.back) == 0 && d.ended == nil {
		d.some.Wait()
	}
	if len(d.back) == 0 {
		return nil, d.ended
	}
	a := d.back[0]
	d.back[0] = nil
	d.back = d.back[1:]
	return a, nil
}

// end makes Accept return err.
func (d *doorway) end(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = err
	d.some.Broadcast()
}

// finish closes what waits for net/http, which does not call Accept any more.
func (d *doorway) finish() {
	<-d.done
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for _, a := range d.back {
		d.discard(a)
	}
	d.back = nil
}
