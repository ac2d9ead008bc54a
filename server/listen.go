package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"
)

// maxHeaderBytes bounds a request's head; net/http adds 4 KiB to it.
const maxHeaderBytes = 16 << 10

// Serve accepts connections on ln, which it closes in the end, and serves them
// with net/http, over TLS if Config.TLS says so, until Shutdown. It always returns an error, ErrServerClosed
// after Shutdown.
func (s *Server) Serve(ln net.Listener) error {
	handler := s.cfg.HTTP
	if handler == nil {
		handler = s
	}
	hs := &http.Server{
		Handler:           s.refuseSurplus(handler),
		ReadHeaderTimeout: s.cfg.HandshakeTimeout,
		ReadTimeout:       s.cfg.HandshakeTimeout,
		IdleTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       withAccepted,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelDebug),
	}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		ln.Close()
		return ErrServerClosed
	}
	s.https = append(s.https, hs)
	s.mu.Unlock()
	counted := &listener{Listener: ln, s: s}
	ln = counted
	if s.cfg.TLS != nil {
		ln = newTLSListener(counted, s.cfg.TLS)
	}
	err := hs.Serve(ln)
	if errors.Is(err, http.ErrServerClosed) {
		return ErrServerClosed
	}
	return err
}

// listener counts connections by address, and keeps errors from net/http that
// concern one connection or pass by themselves, but would end http.Server.Serve.
type listener struct {
	net.Listener
	s *Server
}

func (ln *listener) Accept() (net.Conn, error) {
	nc, err := ln.Listener.Accept()
	if err == nil {
		return ln.s.accepted(nc), nil
	}
	for _, passing := range []error{syscall.ENOBUFS, syscall.ENOMEM, syscall.EPERM, syscall.EPROTO, syscall.ECONNABORTED} {
		if errors.Is(err, passing) {
			return nil, &passingError{err}
		}
	}
	return nil, err
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
	surplus bool // beyond what its address may have
	address atomic.Pointer[address]
}

func (s *Server) accepted(nc net.Conn) *accepted {
	a := &accepted{Conn: nc}
	if addr := addrPort(nc.RemoteAddr()); addr.IsValid() {
		s.count(a, addr.Addr())
	}
	return a
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

// Close ends the count too, unless take has moved it on.
func (a *accepted) Close() error {
	a.take().release()
	return a.Conn.Close()
}

// take moves the count to whom the connection belongs from now on.
func (a *accepted) take() *address { return a.address.Swap(nil) }

// SyscallConn gives access to the descriptor (syscall.Conn).
func (a *accepted) SyscallConn() (syscall.RawConn, error) {
	sc, ok := a.Conn.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	return sc.SyscallConn()
}

type acceptedKey struct{}

func withAccepted(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, acceptedKey{}, acceptedOf(nc))
}

// refuseSurplus answers 429 on connections beyond their address's share, which
// is the client's where ClientAddr names one.
func (s *Server) refuseSurplus(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, _ := r.Context().Value(acceptedKey{}).(*accepted)
		if a != nil && s.cfg.ClientAddr != nil {
			if addr := s.cfg.ClientAddr(r); addr.IsValid() {
				r = r.WithContext(r.Context()) // a copy, because net/http's is not ours to change
				r.RemoteAddr = addr.String()
				s.count(a, addr.Addr())
				// The proxy may use its connection for somebody else next.
				defer func() { a.take().release() }()
			}
		}
		if a != nil && a.surplus {
			s.refuse(w, r, http.StatusTooManyRequests, "too many connections from this address")
			return
		}
		next.ServeHTTP(w, r)
	})
}
