package server

import (
	"context"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/handshake"
)

// What an http.Server of Serve allows if nothing but handshakes and probes arrive at it.
// An application's own requests may be of any length and take any time.
const (
	handshakeHead  = 12 << 10 // net/http adds 4 KiB
	refusalTimeout = 30 * time.Second
	handshakeIdle  = 30 * time.Second
	requestIdle    = 2 * time.Minute // longer than load balancers keep an idle connection
)

// newHTTPServer makes the http.Server of one call of Serve. seen reports whether the
// program has it tell of each connection.
func (s *Server) newHTTPServer() (hs *http.Server, seen bool) {
	hs = &http.Server{
		ReadHeaderTimeout: s.cfg.HandshakeTimeout,
		IdleTimeout:       requestIdle,
		ErrorLog:          log.New(httpLog{s.cfg.Logger}, "", 0),

		// "OPTIONS *" may be a probe; without Config.Probe, net/http answers it.
		DisableGeneralOptionsHandler: s.cfg.Probe != nil,
	}
	if s.cfg.HTTP == nil {
		hs.ReadTimeout, hs.WriteTimeout = s.cfg.HandshakeTimeout, refusalTimeout
		hs.IdleTimeout = handshakeIdle
		hs.MaxHeaderBytes = handshakeHead
	}
	if s.cfg.HTTPServer != nil {
		s.cfg.HTTPServer(hs)
	}
	seen = hs.BaseContext != nil || hs.ConnContext != nil || hs.ConnState != nil
	next := s.limitRequests(s.route(s.cfg.HTTP))
	if s.cfg.Middleware != nil {
		next = s.cfg.Middleware(next)
	}
	hs.Handler = s.watchRequests(hs, next)
	hs.ConnContext = withAccepted(hs.ConnContext)
	hs.ConnState = noteState(hs.ConnState)
	return hs, seen
}

// httpLog writes net/http's log to a Logger. What it says of panics is logged by
// watchRequests, and what of accept errors by listener.
type httpLog struct{ log *slog.Logger }

func (l httpLog) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	level := slog.LevelWarn
	for _, usual := range []string{"http: TLS handshake error", "http: Accept error"} {
		if strings.HasPrefix(text, usual) {
			level = slog.LevelDebug
		}
	}
	l.log.Log(context.Background(), level, "net/http", "error", text)
	return len(p), nil
}

type acceptedKey struct{}

// withAccepted puts the accepted of a connection into its requests' contexts.
func withAccepted(next func(context.Context, net.Conn) context.Context) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, nc net.Conn) context.Context {
		if next != nil {
			ctx = next(ctx, nc)
		}
		return context.WithValue(ctx, acceptedKey{}, acceptedOf(nc))
	}
}

// noteState records when requests have been answered, and which connections net/http has
// given away.
func noteState(next func(net.Conn, http.ConnState)) func(net.Conn, http.ConnState) {
	return func(nc net.Conn, state http.ConnState) {
		if a := acceptedOf(nc); a != nil {
			switch state {
			case http.StateIdle:
				a.s.http.answered(a)
			case http.StateHijacked:
				a.s.http.hijacked(a)
			}
		}
		if next != nil {
			next(nc, state)
		}
	}
}

// watchRequests notes that a connection was used for a request, whatever becomes of that,
// and logs the panics of its handlers. It ends what net/http still does for a request when
// the handler has returned, after a while: to discard a body that does not end, or to send
// the rest of an answer that nobody reads.
func (s *Server) watchRequests(hs *http.Server, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, _ := r.Context().Value(acceptedKey{}).(*accepted)
		if a == nil {
			panic("server: internal error: a request without its connection")
		}
		a.used.Store(true)
		if s.barrier.enter(r.Context()) != nil {
			return
		}
		defer s.barrier.leave()
		a.unserved.begin()
		late := s.lateDeadlines(hs, a, w, r)
		defer func() {
			late()
			switch p := recover(); p {
			case nil:
			case http.ErrAbortHandler:
				panic(p)
			default:
				s.cfg.Logger.Error("HTTP handler panicked", "panic", p, "remote", r.RemoteAddr, "method", r.Method, "path", r.URL.Path, "stack", string(debug.Stack()))
				panic(http.ErrAbortHandler) // which net/http does not log again
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// lateDeadlines returns a function that sets the deadlines which a connection has when its
// handler has returned. A connection that has been given away is left alone, and so are
// timeouts of the http.Server.
func (s *Server) lateDeadlines(hs *http.Server, a *accepted, w http.ResponseWriter, r *http.Request) (set func()) {
	if r.ProtoMajor != 1 || hs.WriteTimeout > 0 {
		return func() {}
	}
	rc := http.NewResponseController(w)
	rc.SetWriteDeadline(time.Time{}) // the request before may have left one
	return func() {
		if !a.given.Load() {
			rc.SetWriteDeadline(time.Now().Add(refusalTimeout))
			if hs.ReadTimeout <= 0 && s.cfg.HandshakeTimeout > 0 && r.ContentLength != 0 {
				rc.SetReadDeadline(time.Now().Add(s.cfg.HandshakeTimeout))
			}
		}
	}
}

// limitRequests answers health probes whatever the state of the server, and refuses
// other requests of banned clients and on connections for which there is no place. If
// ClientAddr names a client, the request counts for the client's address.
func (s *Server) limitRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := r.Context().Value(acceptedKey{}).(*accepted)
		client, r := s.clientOf(r)
		probe := s.probeFor(r)
		if ban := s.banOf(client); ban != nil && probe == nil {
			handshake.Refuse(w, r, ban)
			return
		}
		why := s.http.serving(a, client)
		if a.refusal != nil {
			why = a.refusal
		}
		if probe != nil {
			if why != nil {
				w.Header().Set("Connection", "close")
			}
			probe.ServeHTTP(w, r)
			return
		}
		if a.counted {
			a.counted = false
		} else if why == nil {
			why = s.tooManyRequests(r, client)
		}
		if why != nil {
			s.refuseFor(w, r, why)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// probeFor returns the handler of a health probe, or nil if r is none.
func (s *Server) probeFor(r *http.Request) http.Handler {
	if s.cfg.Probe == nil {
		return nil
	}
	if _, declared := s.endpointAt(r.URL.Path); declared && len(r.Header["Upgrade"]) > 0 {
		return nil
	}
	return s.cfg.Probe(r)
}

// banOf returns the answer for a banned client, or nil.
func (s *Server) banOf(client netip.Addr) *handshake.Error {
	if s.cfg.Banned == nil || !client.IsValid() {
		return nil
	}
	return s.cfg.Banned(client)
}

// clientOf returns the address that a request counts for, and r. If a proxy named the
// client, that is a copy of r with the client's address as RemoteAddr.
func (s *Server) clientOf(r *http.Request) (netip.Addr, *http.Request) {
	if s.cfg.ClientAddr != nil {
		if addr := s.cfg.ClientAddr(r); addr.IsValid() {
			r = r.WithContext(r.Context()) // a copy, because net/http owns the original
			r.RemoteAddr = addr.String()
			return addr.Addr().Unmap(), r
		}
	}
	return s.addrOf(r).Addr(), r
}
