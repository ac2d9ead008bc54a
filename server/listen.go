package server

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// maxHeaderBytes bounds a request's head to 16 KiB: net/http adds 4 KiB to it.
const maxHeaderBytes = 12 << 10

// Serve accepts connections on ln, which it closes in the end, and serves them
// with net/http, over TLS if Config.TLS says so, until Shutdown. It always returns
// an error, ErrServerClosed after Shutdown.
//
// A listener of net.ListenConfig{KeepAlive: -1} saves four system calls for each
// connection, and later the kernel's probes: PingInterval notices peers that have
// gone.
func (s *Server) Serve(ln net.Listener) error {
	handler := s.cfg.HTTP
	if handler == nil {
		handler = s
	}
	handler = s.admit(handler)
	if s.cfg.Middleware != nil {
		handler = s.cfg.Middleware(handler)
	}
	hs := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: s.cfg.HandshakeTimeout,
		ReadTimeout:       s.cfg.HandshakeTimeout,
		IdleTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       withAccepted,
		ConnState:         noteState,
		ErrorLog:          log.New(httpLog{s.cfg.Logger}, "", 0),

		// "OPTIONS *" is a probe, too; without one it is answered by net/http.
		DisableGeneralOptionsHandler: s.cfg.Probe != nil,
	}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		ln.Close()
		return ErrServerClosed
	}
	s.https = append(s.https, hs)
	s.mu.Unlock()
	counted := s.listener(ln)
	ln = counted
	if s.cfg.TLS != nil {
		ln = newTLSListener(counted, s.cfg.TLS)
	}
	err := hs.Serve(ln)
	counted.spare.Close() // nobody accepts any more; nil is all right
	if errors.Is(err, http.ErrServerClosed) {
		return ErrServerClosed
	}
	return err
}

// httpLog is what net/http logs: one kind of message, which names its client.
type httpLog struct{ log *slog.Logger }

func (l httpLog) Write(p []byte) (int, error) {
	l.log.Debug("net/http", "error", strings.TrimSpace(string(p)))
	return len(p), nil
}

type acceptedKey struct{}

func withAccepted(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, acceptedKey{}, acceptedOf(nc))
}

// clientOf returns the address that a request counts for, where that is not known
// before, and whether a proxy named it: then it is the request's RemoteAddr, too.
func (s *Server) clientOf(r *http.Request) (client netip.Addr, named bool, as *http.Request) {
	if s.cfg.ClientAddr == nil {
		return client, false, r
	}
	if addr := s.cfg.ClientAddr(r); addr.IsValid() {
		r = r.WithContext(r.Context()) // a copy, because net/http's is not ours to change
		r.RemoteAddr = addr.String()
		return addr.Addr(), true, r
	}
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // there is none on a Unix socket
	return peer.Addr(), false, r
}

// noteState notes when a connection has answered a request.
func noteState(nc net.Conn, state http.ConnState) {
	if a := acceptedOf(nc); a != nil && state == http.StateIdle {
		a.s.http.answered(a)
	}
}

// admit answers health probes, whatever the state of the server, and refuses what
// comes on connections for which there is no place. Where ClientAddr names a client,
// the request counts for that address.
func (s *Server) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, _ := r.Context().Value(acceptedKey{}).(*accepted)
		if a == nil {
			panic("server: internal error: a request without its connection")
		}
		client, named, r := s.clientOf(r)
		why := s.http.serving(a, client, named)
		if a.refusal != nil {
			why = a.refusal
		}
		if s.cfg.Probe != nil {
			if probe := s.cfg.Probe(r); probe != nil {
				if why != nil {
					w.Header().Set("Connection", "close")
				}
				probe.ServeHTTP(w, r)
				return
			}
		}
		if why != nil {
			s.refuseFor(w, r, why)
			return
		}
		next.ServeHTTP(w, r)
	})
}
