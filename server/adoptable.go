package server

import (
	"crypto/tls"
	"io"
	"net"
	"syscall"
	"time"
)

// AdoptableListener wraps the listener of an http.Server of your own, below TLS, so that a
// Server can take its connections onto a loop also when they speak TLS:
//
//	ln = server.AdoptableListener(ln)
//	err := httpServer.ServeTLS(ln, "cert.pem", "key.pem")
//
// or httpServer.Serve(tls.NewListener(server.AdoptableListener(ln), config)). Other paths
// may be served over HTTP/2, as net/http does by default under ServeTLS; browsers open a
// connection with HTTP/1.1 for a WebSocket.
//
// Without it, a connection with TLS is served all the same, but costs a goroutine and its
// buffers. Connections without TLS need no wrapping.
func AdoptableListener(ln net.Listener) net.Listener { return adoptableListener{ln} }

type adoptableListener struct{ net.Listener }

func (ln adoptableListener) Accept() (net.Conn, error) {
	nc, err := ln.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Adoptable(nc), nil
}

// Adoptable is AdoptableListener for one connection, such as one that was dialed, below
// TLS, so that Adopt can take it onto a loop:
//
//	options.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
//		nc, err := dialer.DialContext(ctx, network, addr)
//		if err != nil {
//			return nil, err
//		}
//		return server.Adoptable(nc), nil
//	}
//	nc, left, res, err := handshake.Dial(ctx, "wss://chat.example/", options)
//	…
//	c, err := s.Adopt(nc, left, res, wsproto.Client)
func Adoptable(nc net.Conn) net.Conn { return &socket{Conn: nc} }

// socket is what a tls.Conn reads from and writes to that can move to a loop. Before, it is
// the real connection. When it moves, it changes sides: its reads then take what the kernel
// has and, if that is nothing, return a temporary error, which a tls.Conn survives once its
// handshake is done; its writes only collect ciphertext, which the loop writes as fast as
// the kernel takes it.
type socket struct {
	net.Conn // nil once it has moved to a loop

	// Loop only.
	k   kernel
	fd  int
	out []byte // ciphertext to be written
}

// underlying returns the connection that a loop takes over for nc, and the TLS above it
// if that can move with it. Other connections with TLS are taken over as they are.
func underlying(nc net.Conn) (net.Conn, *tlsState) {
	below := nc
	var top *tls.Conn
	for {
		tc, ok := below.(*tls.Conn)
		if !ok {
			break
		}
		if top == nil {
			top = tc
		}
		below = tc.NetConn() // another *tls.Conn, if there is an https proxy
	}
	sock, ok := below.(*socket)
	switch {
	case !ok:
		return nc, nil
	case top == nil:
		return sock.Conn, nil
	case !hasDescriptor(sock.Conn):
		return nc, nil
	}
	return sock.Conn, &tlsState{conn: top, sock: sock}
}

// hasDescriptor reports whether a kernel can take over nc's descriptor.
func hasDescriptor(nc net.Conn) bool {
	_, err := rawConn(nc)
	return err == nil
}

// move hands the socket over to a loop.
func (s *socket) move(k kernel, fd int) {
	s.Conn = nil
	s.k, s.fd = k, fd
}

// wouldBlock is the temporary error of a read for which there is no input yet.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "no data yet" }
func (wouldBlock) Temporary() bool { return true }
func (wouldBlock) Timeout() bool   { return true }

func (s *socket) Read(p []byte) (int, error) {
	if s.Conn != nil {
		return s.Conn.Read(p)
	}
	for {
		n, err := s.k.read(s.fd, p)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			return 0, wouldBlock{}
		case err == nil && n == 0:
			return 0, io.EOF
		}
		return n, err
	}
}

func (s *socket) Write(p []byte) (int, error) {
	if s.Conn != nil {
		return s.Conn.Write(p)
	}
	s.out = append(s.out, p...)
	return len(p), nil
}

// On a loop, the loop closes the descriptor, and its timers enforce the deadlines.

func (s *socket) Close() error {
	if s.Conn != nil {
		return s.Conn.Close()
	}
	return nil
}

func (s *socket) SetDeadline(t time.Time) error {
	if s.Conn != nil {
		return s.Conn.SetDeadline(t)
	}
	return nil
}

func (s *socket) SetReadDeadline(t time.Time) error {
	if s.Conn != nil {
		return s.Conn.SetReadDeadline(t)
	}
	return nil
}

func (s *socket) SetWriteDeadline(t time.Time) error {
	if s.Conn != nil {
		return s.Conn.SetWriteDeadline(t)
	}
	return nil
}

func (s *socket) LocalAddr() net.Addr {
	if s.Conn != nil {
		return s.Conn.LocalAddr()
	}
	return nil
}

func (s *socket) RemoteAddr() net.Addr {
	if s.Conn != nil {
		return s.Conn.RemoteAddr()
	}
	return nil
}

// CloseWrite ends the write side of a connection that is not on a loop.
func (s *socket) CloseWrite() error {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return s.Close()
}
