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

// Serve accepts connections on ln and serves them with net/http, over TLS if
// Config.TLS is set, until Shutdown or Drain is called. It closes ln before it returns.
// The error is never nil; after Shutdown it is ErrServerClosed.
//
// A listener from net.ListenConfig{KeepAlive: -1} saves four system calls per
// connection, and the kernel's keep-alive probes: PingInterval already detects dead
// peers.
func (s *Server) Serve(ln net.Listener) error {
	handler := s.cfg.HTTP
	if handler == nil {
		handler = s
	}
	handler = s.limitRequests(handler)
	if s.cfg.Middleware != nil {
		handler = s.cfg.Middleware(handler)
	}
	handler = noteUse(handler)
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

		// "OPTIONS *" may be a probe; without Config.Probe, net/http answers it.
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
	counted.spare.Close() // Accept is not called any more; Close of nil is harmless
	if errors.Is(err, http.ErrServerClosed) {
		return ErrServerClosed
	}
	return err
}

// httpLog writes net/http's log to a Logger.
type httpLog struct{ log *slog.Logger }

func (l httpLog) Write(p []byte) (int, error) {
	l.log.Debug("net/http", "error", strings.TrimSpace(string(p)))
	return len(p), nil
}

// noteUse notes that a connection was used for a request, whatever becomes of that.
func noteUse(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a, ok := r.Context().Value(acceptedKey{}).(*accepted); ok {
			a.used.Store(true)
		}
		next.ServeHTTP(w, r)
	})
}

type acceptedKey struct{}

func withAccepted(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, acceptedKey{}, acceptedOf(nc))
}

// clientOf returns the address that a request counts for, invalid if that was known
// when the connection was accepted, and whether a proxy named it. If so, as is a copy
// of r with that address as RemoteAddr; otherwise it is r.
func (s *Server) clientOf(r *http.Request) (client netip.Addr, named bool, as *http.Request) {
	if s.cfg.ClientAddr == nil {
		return client, false, r
	}
	if addr := s.cfg.ClientAddr(r); addr.IsValid() {
		r = r.WithContext(r.Context()) // a copy, because net/http owns the original
		r.RemoteAddr = addr.String()
		return addr.Addr(), true, r
	}
	return s.addrOf(r).Addr(), false, r
}

// noteState records when a request has been answered.
func noteState(nc net.Conn, state http.ConnState) {
	if a := acceptedOf(nc); a != nil && state == http.StateIdle {
		a.s.http.answered(a)
	}
}

// limitRequests answers health probes whatever the state of the server, and refuses
// other requests on connections for which there is no place. If ClientAddr names a
// client, the request counts for the client's address.
func (s *Server) limitRequests(next http.Handler) http.Handler {
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
		if why == nil {
			why = s.tooManyRequests(r, client)
		}
		if why != nil {
			s.refuseFor(w, r, why)
			return
		}
		next.ServeHTTP(w, r)
	})
}
