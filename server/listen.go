package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
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
	hs := &http.Server{
		Handler:           s.admit(handler),
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

type acceptedKey struct{}

func withAccepted(ctx context.Context, nc net.Conn) context.Context {
	return context.WithValue(ctx, acceptedKey{}, acceptedOf(nc))
}

// admit answers what comes on connections beyond the server's share or their
// address's, which is the client's where ClientAddr names one.
func (s *Server) admit(next http.Handler) http.Handler {
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
		switch {
		case a != nil && a.full:
			s.refuseFull(w, r)
		case a != nil && a.surplus:
			s.refuseSurplus(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}
