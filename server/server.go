package server

import (
	"errors"
	"fmt"
	"net"
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
	answers    answers       // to opening handshakes
	onLoops    atomic.Uint64 // those with 101 by loops
	limited    limited
	budget     budget

	conns atomic.Int64 // connections on the loops, and handshakes that have reserved a place

	descriptors descriptors
	http        httpConns
	paths       atomic.Pointer[map[string]*endpoint] // of endpoints that have one
	judges      judges
	barrier     barrier // for requests, while the server is frozen

	mu        sync.Mutex
	listeners []net.Listener       // Guarded by mu. On which Serve was called, and has not returned.
	exhausted time.Duration        // Guarded by mu. When running out of descriptors was last logged.
	https     []*http.Server       // Guarded by mu.
	endpoints map[string]*endpoint // Guarded by mu. Those with a name.
	stopped   bool                 // Guarded by mu.
}

// New makes a Server and starts its loops, which Shutdown or Drain ends. The error says what
// is wrong with cfg, or what the system refused.
func New(cfg Config) (*Server, error) {
	if cfg.Handler == nil {
		return nil, errors.New("server: Config.Handler is nil")
	}
	s := &Server{cfg: cfg.withDefaults()}
	s.descriptors.init()
	s.http.max, s.http.maxPerAddress, s.http.maxSurplus = s.cfg.MaxHTTPConns, s.cfg.MaxHTTPConnsPerAddress, s.descriptors.reserve/2
	s.http.now = s.cfg.now
	s.judges.max = s.cfg.MaxAdmitting
	s.endpoint = newEndpoint(&s.cfg)
	if err := s.routeEndpoint(s.endpoint, s.cfg.Paths); err != nil {
		return nil, fmt.Errorf("server: Config.Paths: %w", err)
	}
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

// ServeHTTP answers one opening handshake and takes the connection over, with the Handler
// and the limits of Config; see Endpoint for others. It works under any http.Server.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.serveHTTP(w, r, s.endpoint) }

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request, e *endpoint) {
	s.mu.Lock()
	stopped := s.stopped
	s.mu.Unlock()
	if stopped {
		s.refuseFor(w, r, refusedStopping)
		return
	}
	from, _ := r.Context().Value(acceptedKey{}).(*accepted)
	if from != nil && from.denial != nil {
		d := from.denial
		from.denial = nil
		d.refuse(s, w, r)
		return
	}
	if from == nil { // otherwise it is inside already
		if s.barrier.enter(r.Context()) != nil {
			return
		}
		defer s.barrier.leave()
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
	o := &adoption{role: wsproto.Server, endpoint: e, remote: s.addrOf(r)}
	if why := s.reserve(o, o.remote.Addr()); why != nil {
		s.refuseFor(w, r, why)
		return
	}
	adopted := false
	defer func() { // also where Admit panics
		if !adopted {
			s.unreserve(o)
			o.admission.fail()
		}
	}()
	err := s.upgrade(w, r, o)
	adopted = err == nil
	if err != nil {
		s.logFailedUpgrade(r, err)
	}
}

func (s *Server) logFailedUpgrade(r *http.Request, err error) {
	if isExhausted(err) {
		s.logExhausted(err)
		return
	}
	s.cfg.Logger.Warn("upgrade failed", "remote", r.RemoteAddr, "host", r.Host, "path", r.URL.Path, "error", err)
}

// upgrade does the handshake and hands the connection, with its reserved place, to a
// loop.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, o *adoption) error {
	pending, err := o.endpoint.upgrader.Verify(w, r)
	if err != nil {
		var refused *handshake.Error
		if errors.As(err, &refused) {
			s.refused(r, refused.Status, refused.Reason)
		}
		return err
	}
	if admit := o.endpoint.admit; admit != nil {
		r, o.admission = forAdmit(r)
		if o.value, err = admit(r); err != nil {
			refusal, reason := refusalOf(err)
			s.refused(r, refusal.Status, reason)
			pending.Refuse(refusal)
			return err
		}
	}
	nc, left, res, err := pending.Accept()
	if err != nil {
		return err // the connection was lost, and nothing answered
	}
	s.answers.count(http.StatusSwitchingProtocols)
	o.left, o.res = left, res
	_, err = s.adopt(nc, o)
	return err
}
