package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// adoption is a connection on its way to its loop.
type adoption struct {
	fd        int
	left      []byte
	res       handshake.Result
	role      wsproto.Role
	endpoint  *endpoint
	value     any
	address   *address
	peer      netip.AddrPort // the socket's peer, if that is known
	remote    netip.AddrPort // the client's address, if it differs from the socket's peer
	tls       *tlsState
	admission *admission // nil without Admit
	conn      Conn
	watched   bool // the kernel already watches the descriptor
	recycled  bool // openAll gives it back to the loop
}

// Adopt takes over a connection, in either role, whose opening handshake is done. The
// connection moves to one of the loops, and Config's Handler is called from now on, or that
// of an endpoint by EndpointHandler.Adopt; the caller must not use nc again. left is what was read past the end of the handshake.
// If Adopt returns an error, it has closed nc.
//
// nc may be any connection. What moves to a loop is a TCP or Unix connection, or another
// one with a SyscallConn, and a *tls.Conn over a connection from Adoptable or
// AdoptableListener. Any other is read and written by goroutines: it costs one, with a
// buffer of 4 KiB, and a second one while something is being written.
func (s *Server) Adopt(nc net.Conn, left []byte, res handshake.Result, role wsproto.Role) (Conn, error) {
	return s.adoptBy(s.endpoint, nc, left, res, role)
}

func (s *Server) adoptBy(e *endpoint, nc net.Conn, left []byte, res handshake.Result, role wsproto.Role) (Conn, error) {
	s.conns.Add(1) // even beyond MaxConns, which limits Serve's connections
	e.count()
	c, err := s.adopt(nc, &adoption{left: left, res: res, role: role, endpoint: e})
	if err != nil {
		s.conns.Add(-1)
		e.release()
	}
	return c, err
}

func (s *Server) adopt(nc net.Conn, o *adoption) (Conn, error) {
	nc, o.tls = underlying(nc)
	o.peer, o.remote = remoteOf(nc, o.remote)
	l := s.loops[s.next.Add(1)%uint64(len(s.loops))]
	c, ok := l.takeSlot()
	if !ok {
		nc.Close()
		return Conn{}, fmt.Errorf("server: adopt: a loop holds its maximum of %d connections", maxSlabs*slabSize-1)
	}
	if a, ok := nc.(*accepted); ok {
		s.http.gone(a) // from here on it counts as a WebSocket
	}
	fd, err := l.k.attach(nc)
	if err != nil {
		l.freeSlot(c.conn)
		return Conn{}, err
	}
	o.conn, o.fd = c, fd
	if o.tls != nil {
		o.tls.sock.move(l.k, fd)
	}
	if o.admission != nil {
		o.admission.attach(c)
	}
	if err := l.post(task{kind: taskOpen, to: c, adoption: o}, nil); err != nil {
		l.k.close(fd)
		l.freeSlot(c.conn)
		return Conn{}, ErrServerClosed
	}
	return c, nil
}

// remoteOf returns the address that the kernel reports for nc, and the client's address
// if that is another one, because a proxy named it; otherwise the zero AddrPort. said is
// the request's RemoteAddr, if it had one.
func remoteOf(nc net.Conn, said netip.AddrPort) (peer, client netip.AddrPort) {
	if a, ok := nc.(*accepted); ok {
		nc = a.Conn
	}
	named := addrPort(nc.RemoteAddr())
	if !said.IsValid() {
		said = named
	}
	if _, direct := nc.(*net.TCPConn); direct {
		peer = named
		if said == named {
			return peer, netip.AddrPort{}
		}
	}
	return peer, netip.AddrPortFrom(said.Addr().Unmap(), said.Port())
}

// addrPort returns a TCP address as an AddrPort, IPv4 unmapped, and the zero AddrPort
// for any other.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	addr := tcp.AddrPort()
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}

// addrOf returns the address that a request came from, or the zero AddrPort if it has
// none, as on a Unix socket. Middleware that takes the address from a proxy's header often
// leaves out the port.
func (s *Server) addrOf(r *http.Request) netip.AddrPort {
	if addr, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return addr
	}
	if addr, err := netip.ParseAddr(strings.Trim(r.RemoteAddr, "[]")); err == nil {
		return netip.AddrPortFrom(addr, 0)
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "tcp" {
		s.cfg.Logger.Warn("a request's RemoteAddr is not an address, so it counts for none", "remote", r.RemoteAddr)
	}
	return netip.AddrPort{}
}

// register puts a connection into its slot. OnOpen is left to openAll.
func (l *loop) register(c *conn, o *adoption) {
	c.move(opening)
	c.fd = int32(o.fd)
	c.value = o.value
	c.tls = o.tls
	c.address = o.address
	if o.remote.IsValid() {
		l.keepRemote(c, o.remote)
	}
	l.keepHandshake(c, &o.res)
	c.mask = wantRead
	c.heard = l.now
	c.endpoint = o.endpoint
	c.proto.Init(&o.endpoint.roles[o.role])
	if o.res.Deflate != nil {
		c.proto.UseDeflate(*o.res.Deflate)
	}
	l.live++
	l.stats.open.Add(1)
	l.stats.opened.Add(1)
	if !o.watched {
		if err := l.k.add(o.fd, c.mask, c.slot, c.gen()); err != nil {
			l.stats.refused.Add(1)
			l.cfg.Logger.Error("the system cannot watch another descriptor", "error", err)
			c.mask = 0
		}
	}
	l.adoptions = append(l.adoptions, o)
}

// keepRemote keeps the client's address, which differs from that of the socket's peer.
func (l *loop) keepRemote(c *conn, addr netip.AddrPort) {
	if l.remotes == nil {
		l.remotes = map[uint32]netip.AddrPort{}
	}
	l.remotes[c.slot] = addr
}

// keepHandshake keeps what the opening handshake negotiated, unless it is the zero Result, for as
// long as the connection lives. Results that are alike one after the other are kept once.
func (l *loop) keepHandshake(c *conn, res *handshake.Result) {
	if res.Subprotocol == "" && res.Deflate == nil && res.Header == nil {
		return
	}
	kept := l.lastHandshake
	if kept == nil || res.Header != nil || kept.Subprotocol != res.Subprotocol ||
		(kept.Deflate == nil) != (res.Deflate == nil) || res.Deflate != nil && *kept.Deflate != *res.Deflate {
		own := *res // without the rest of the adoption
		kept = &own
	}
	if kept.Header == nil {
		l.lastHandshake = kept
	}
	if l.handshakes == nil {
		l.handshakes = map[uint32]*handshake.Result{}
	}
	l.handshakes[c.slot] = kept
}

// openAll calls OnOpen for the registered connections, and processes the input that
// arrived together with their handshakes.
func (l *loop) openAll() {
	l.opens, l.adoptions = l.adoptions, nil
	defer func() { l.opens = nil }()
	for _, o := range l.opens {
		l.openOne(o)
		l.recycleAdoption(o)
	}
}

func (l *loop) openOne(o *adoption) {
	c := o.conn.conn
	if c.mask == 0 || c.phase == gone { // not watched, or lost in the meantime: it never opened
		l.teardown(c)
		return
	}
	l.openFirst(o)
	l.deliver()
	if l.stopping {
		l.sendClose(c, wsproto.CloseGoingAway, goingAway, nil)
	}
	if every := ticks(l.cfg.PingInterval); every > 0 {
		l.arm(c, l.now+every)
	}
	if len(o.left) > 0 {
		l.traffic[bytesIn] += uint64(len(o.left))
		if c.has(flagPaused) {
			l.keepUnread(c, o.left)
		} else {
			l.feed(c, o.left)
		}
	}
	if c.tls != nil && c.phase != gone {
		l.queueTurn(c) // the tls.Conn may hold what the kernel cannot see
	}
}

// openFirst calls OnOpen, unless that was done.
func (l *loop) openFirst(o *adoption) {
	c := o.conn.conn
	if c.has(flagOpened) {
		return
	}
	c.flags |= flagOpened
	l.opening = o
	l.onOpen(c)
	l.opening = nil
	if c.phase == opening {
		c.move(open)
	}
}

// openEarly calls OnOpen because of a Do that follows the connection's adoption at once: OnOpen
// comes first. It reports false if there is none to call, because the kernel does not watch the
// connection.
func (l *loop) openEarly(c *conn) bool {
	for _, list := range [...][]*adoption{l.opens, l.adoptions} {
		for _, o := range list {
			if o.conn == c.handle() && c.mask != 0 {
				l.openFirst(o)
				return true
			}
		}
	}
	return false
}
