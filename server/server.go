package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server/rate"
	"github.com/hawser-ws/hawser/wsproto"
)

// Server is a set of event loops and the connections on them. Its methods may
// be called from any goroutine.
type Server struct {
	// Immutable.
	cfg      Config
	endpoint *endpoint // Config's own
	loops    []*loop

	next       atomic.Uint64 // the loop that gets the next connection, modulo their number
	addresses  addresses
	handshakes *rate.Bucket // nil: no limit
	requests   *rate.Limiter[netip.Prefix]
	answers    answers // to opening handshakes
	limited    limited
	budget     budget

	conns atomic.Int64 // connections on the loops, and handshakes that have reserved a place

	descriptors descriptors
	http        httpConns

	mu        sync.Mutex
	exhausted time.Duration  // Guarded by mu. When running out of descriptors was last logged.
	https     []*http.Server // Guarded by mu.
	stopped   bool           // Guarded by mu.
}

// New starts the loops. Shutdown ends them.
func New(cfg Config) (*Server, error) {
	if cfg.Handler == nil {
		return nil, errors.New("server: Config.Handler is nil")
	}
	s := &Server{cfg: cfg.withDefaults()}
	s.descriptors.init()
	s.http.max, s.http.maxPerAddress, s.http.maxSurplus = s.cfg.MaxHTTPConns, s.cfg.MaxHTTPConnsPerAddress, s.descriptors.reserve/2
	s.http.now = s.cfg.now
	s.endpoint = newEndpoint(&s.cfg)
	s.newLimits()
	s.budget.limit = int64(s.cfg.MemoryBudget)
	release := newReleaser(s.cfg.ReleaseAfter)
	for i := range s.cfg.Loops {
		l, err := newLoop(i, &s.cfg, &s.budget, &s.conns, release)
		if err != nil {
			for _, l := range s.loops {
				l.k.release()
			}
			return nil, err
		}
		s.loops = append(s.loops, l)
	}
	for _, l := range s.loops {
		go l.run()
	}
	return s, nil
}

// ServeHTTP answers one opening handshake and takes the connection over. It
// works under any http.Server, not only Serve's, but supports TLS only on
// connections that Serve accepted with Config.TLS.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	if stopped {
		s.refuseFor(w, r, refusedStopping)
		return
	}
	from, _ := r.Context().Value(acceptedKey{}).(*accepted)
	if r.TLS != nil && from == nil {
		s.refuse(w, r, http.StatusNotImplemented, "TLS needs Server.Serve with Config.TLS, or a proxy that terminates it")
		return
	}
	if s.handshakes != nil {
		if wait := s.handshakes.Take(s.cfg.now()); wait > 0 {
			s.refuseFor(w, r, refusedRate.after(wait))
			return
		}
	}
	if s.budget.exceeded() {
		s.refuseFor(w, r, refusedBudget)
		return
	}
	o := &adoption{role: wsproto.Server, endpoint: s.endpoint}
	o.remote, _ = netip.ParseAddrPort(r.RemoteAddr) // there is none on a Unix socket
	if why := s.reserve(o, o.remote.Addr()); why != nil {
		s.refuseFor(w, r, why)
		return
	}
	adopted := false
	defer func() { // also where Admit panics
		if !adopted {
			s.unreserve(o)
		}
	}()
	err := s.upgrade(w, r, o)
	adopted = err == nil
	if err != nil {
		if isExhausted(err) {
			s.logExhausted(err)
			return
		}
		s.cfg.Logger.Warn("upgrade failed", "remote", r.RemoteAddr, "path", r.URL.Path, "error", err)
	}
}

// upgrade does the handshake and hands the connection, with its reserved place, to a
// loop.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, o *adoption) (err error) {
	if admit := o.endpoint.admit; admit != nil {
		// net/http ends the request's context when ServeHTTP returns.
		ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
		defer func() {
			if err != nil {
				cancel()
			}
		}()
		o.cancel = cancel
		value, err := admit(r.WithContext(ctx))
		if err != nil {
			status := http.StatusForbidden
			var refused *handshake.Error
			if errors.As(err, &refused) && refused.Status >= 400 {
				status = refused.Status
			}
			s.refused(r, status, err.Error())
			w.Header().Set("Connection", "close")
			http.Error(w, err.Error(), status)
			return err
		}
		o.value = value
	}
	nc, left, res, err := o.endpoint.upgrader.Upgrade(w, r)
	if err != nil {
		var refused *handshake.Error // otherwise the connection was lost, and nothing answered
		if errors.As(err, &refused) {
			s.refused(r, refused.Status, refused.Reason)
		}
		return err
	}
	s.answers.count(http.StatusSwitchingProtocols)
	o.left, o.res = left, res
	_, err = s.adopt(nc, o)
	return err
}
