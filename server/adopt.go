package server

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// opening is a connection on its way to its loop.
type opening struct {
	fd      int
	left    []byte
	res     handshake.Result
	role    wsproto.Role
	value   any
	address *address
	remote  netip.AddrPort // the client's address, if the kernel would name another
	tls     *secure
	slot    uint32 // set by register
}

// Adopt takes over a connection whose opening handshake is done, in either
// role: it moves to one of the loops, nc is no longer the caller's, and the Handler
// is called from now on. left is what was read behind the handshake. If there
// is an error, nc is closed all the same.
//
// nc must be a TCP or Unix connection, or another with a SyscallConn. TLS is
// possible only on what Serve accepted.
func (s *Server) Adopt(nc net.Conn, left []byte, res handshake.Result, role wsproto.Role) (Conn, error) {
	s.conns.Add(1) // also beyond MaxConns, which is for those that come to Serve
	c, err := s.adopt(nc, &opening{left: left, res: res, role: role})
	if err != nil {
		s.conns.Add(-1)
	}
	return c, err
}

func (s *Server) adopt(nc net.Conn, o *opening) (Conn, error) {
	if tc, ok := nc.(*tls.Conn); ok {
		sock, ok := tc.NetConn().(*tlsSocket)
		if !ok {
			nc.Close()
			return Conn{}, fmt.Errorf("server: adopt: TLS over a %T, which was not accepted by Serve", tc.NetConn())
		}
		o.tls = &secure{conn: tc, sock: sock}
		nc = sock.accepted
	}
	o.remote = remoteOf(nc, o.remote)
	l := s.loops[s.next.Add(1)%uint64(len(s.loops))]
	slot, gen, ok := l.take()
	if !ok {
		nc.Close()
		return Conn{}, fmt.Errorf("server: adopt: a loop holds %d connections and takes no more", maxSlabs*slabSize-1)
	}
	if a, ok := nc.(*accepted); ok {
		s.http.gone(a) // its place counts from here
	}
	fd, err := l.k.attach(nc)
	if err != nil {
		l.giveBack(slot)
		return Conn{}, err
	}
	o.fd = fd
	if o.tls != nil {
		o.tls.sock.move(l.k, fd)
	}
	if err := l.post(task{kind: taskOpen, slot: slot, gen: gen, open: o}, nil); err != nil {
		l.k.close(fd)
		l.giveBack(slot)
		return Conn{}, ErrServerClosed
	}
	return Conn{l, slot, gen}, nil
}

// remoteOf returns the client's address if it is not what the kernel would
// answer, but a proxy's client. said is what the request had, if anything.
func remoteOf(nc net.Conn, said netip.AddrPort) netip.AddrPort {
	if a, ok := nc.(*accepted); ok {
		nc = a.Conn
	}
	named := addrPort(nc.RemoteAddr())
	if !said.IsValid() {
		said = named
	}
	if _, direct := nc.(*net.TCPConn); direct && said == named {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(said.Addr().Unmap(), said.Port())
}

// addrPort returns the zero AddrPort for what has no such address.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	addr := tcp.AddrPort()
	return netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())
}

// register gives a slot its connection. OnOpen is left for openAll.
func (l *loop) register(slot, gen uint32, o *opening) {
	c := l.at(slot)
	c.fd = int32(o.fd)
	c.value = o.value
	c.tls = o.tls
	c.address = o.address
	if o.remote.IsValid() {
		if l.remotes == nil {
			l.remotes = map[uint32]netip.AddrPort{}
		}
		l.remotes[slot] = o.remote
	}
	c.flags = flagOpening
	c.mask = wantRead
	c.heard = l.now
	c.proto.Init(&l.roles[o.role])
	if o.res.Deflate != nil {
		c.proto.UseDeflate(*o.res.Deflate)
	}
	l.open++
	l.stats.open.Add(1)
	l.stats.opened.Add(1)
	if err := l.k.add(o.fd, c.mask, slot, gen); err != nil {
		l.stats.refused.Add(1)
		l.cfg.Logger.Error("the system watches no more descriptors", "error", err)
		c.mask = 0
	}
	o.slot = slot
	l.opens = append(l.opens, o)
}

// openAll calls OnOpen for what was registered, and hands over what had come
// behind the handshake.
func (l *loop) openAll() {
	opens := l.opens
	l.opens = nil
	for _, o := range opens {
		c := l.at(o.slot)
		if c.mask == 0 || c.has(flagGone) { // not watched, or lost meanwhile: it never opened
			l.teardown(o.slot, c)
			continue
		}
		me := Conn{l, o.slot, c.word.Load() >> 1}
		l.opening = o.res
		l.onOpen(me)
		l.opening = handshake.Result{}
		c.flags &^= flagOpening
		l.deliver()
		if l.stopping {
			l.sendClose(o.slot, c, wsproto.CloseGoingAway, goingAway, nil)
		}
		if every := ticks(l.cfg.PingInterval); every > 0 {
			l.arm(o.slot, c, l.now+every)
		}
		if len(o.left) > 0 {
			l.traffic[bytesIn] += uint64(len(o.left))
			if c.has(flagPaused) {
				l.keepUnread(o.slot, c, o.left)
			} else {
				l.feed(o.slot, c, o.left)
			}
		}
		if c.tls != nil && !c.has(flagGone) {
			l.anotherTurn(o.slot, c) // the tls.Conn may hold what the kernel cannot see
		}
	}
}
