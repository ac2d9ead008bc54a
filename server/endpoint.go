package server

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// Endpoint describes the connections of one path, or one host, of a Server that has
// several kinds. They share its loops and its limits; see Server.Endpoint.
type Endpoint struct {
	// Name tells the endpoint from others where connections move to another process (see
	// Freezer). It must be the same in both. Connections of an endpoint without a name do not
	// move.
	Name string

	// Paths, if set, are the exact paths of requests that Serve gives to the endpoint, so that
	// Config.HTTP need not. They must be declared before Serve is called. Only handshakes
	// that come this way can be answered by a loop; see Serve.
	Paths []string

	// Handler receives the connections. Required.
	Handler Handler

	// Upgrader verifies the opening handshakes; Config's is not used.
	Upgrader handshake.Upgrader

	// Admit, if set, decides about valid handshakes, as Config.Admit does about others.
	Admit func(r *http.Request) (value any, err error)

	// MaxMessage, MaxFragments and CompressFrom replace those of Config if they are not
	// zero.
	MaxMessage   int
	MaxFragments int
	CompressFrom int

	// MaxConns is the maximum number of the endpoint's connections, those in their
	// handshake included. Further handshakes are answered with 503. Default: no limit but
	// Config.MaxConns.
	MaxConns int
}

// Endpoint adds an endpoint. What it returns answers opening handshakes like
// Server.ServeHTTP, for connections that e describes rather than Config:
//
//	mux.Handle("/chat", s.Endpoint(server.Endpoint{Handler: chat, Admit: members}))
//	mux.Handle("/upload", s.Endpoint(server.Endpoint{Handler: uploads, MaxMessage: 8 << 20}))
//
// It panics if e.Handler is nil, or if there is an endpoint with e.Name or one of e.Paths. Each
// call makes another endpoint, whose MaxConns counts by itself.
func (s *Server) Endpoint(e Endpoint) *EndpointHandler {
	if e.Handler == nil {
		panic("server: Endpoint.Handler is nil")
	}
	cfg := s.cfg
	cfg.Handler, cfg.Upgrader, cfg.Admit = e.Handler, e.Upgrader, e.Admit
	if e.MaxMessage > 0 {
		cfg.MaxMessage = e.MaxMessage
	}
	if e.MaxFragments != 0 {
		cfg.MaxFragments = e.MaxFragments
	}
	if e.CompressFrom != 0 {
		cfg.CompressFrom = e.CompressFrom
	}
	own := newEndpoint(&cfg)
	own.maxConns = int64(max(e.MaxConns, 0))
	s.nameEndpoint(own, e.Name)
	if err := s.routeEndpoint(own, e.Paths); err != nil {
		panic("server: Endpoint.Paths: " + err.Error())
	}
	return &EndpointHandler{s, own}
}

// EndpointHandler is an endpoint of a Server, to be mounted in a router.
type EndpointHandler struct {
	s   *Server
	own *endpoint
}

// ServeHTTP answers one opening handshake and takes the connection over.
func (h *EndpointHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.s.serveHTTP(w, r, h.own)
}

// Adopt is Server.Adopt for a connection of this endpoint. Its MaxConns does not limit it,
// but counts it.
func (h *EndpointHandler) Adopt(nc net.Conn, left []byte, res handshake.Result, role wsproto.Role) (Conn, error) {
	return h.s.adoptBy(h.own, nc, left, res, role)
}

// endpoint is what a Config or an Endpoint says of its connections.
type endpoint struct {
	// Immutable.
	name      string // "" for Config's own
	handler   Handler
	writable  WritableHandler // the handler, if it is one
	freezer   Freezer         // the handler, if it is one
	upgrader  handshake.Upgrader
	admit     func(r *http.Request) (value any, err error) // may be nil
	roles     [2]wsproto.Config                            // by wsproto.Role
	fragments FragmentHandler                              // the handler, if it is one
	maxConns  int64                                        // 0: no limit

	asks bool // it has functions that want each handshake as an http.Request

	conns atomic.Int64 // if there is a limit

	mu    sync.Mutex
	other map[limitedRole]*wsproto.Config // Guarded by mu. Those that SetMaxMessage has asked for.
}

// limitedRole is what the configurations of an endpoint's connections differ by.
type limitedRole struct {
	role       wsproto.Role
	maxMessage int
}

// maxOther is how many configurations are shared between connections.
const maxOther = 64

// config returns a configuration that is like cfg, but for MaxMessage.
func (e *endpoint) config(cfg *wsproto.Config, maxMessage int) *wsproto.Config {
	e.mu.Lock()
	defer e.mu.Unlock()
	key := limitedRole{cfg.Role, maxMessage}
	if shared := e.other[key]; shared != nil {
		return shared
	}
	other := *cfg
	other.MaxMessage = maxMessage
	if e.other == nil {
		e.other = map[limitedRole]*wsproto.Config{}
	}
	if len(e.other) < maxOther {
		e.other[key] = &other
	}
	return &other
}

// newEndpoint makes the endpoint that cfg describes. cfg has its defaults.
func newEndpoint(cfg *Config) *endpoint {
	e := &endpoint{handler: cfg.Handler, upgrader: cfg.Upgrader, admit: cfg.Admit}
	u := &e.upgrader
	e.asks = e.admit != nil || u.Subprotocol != nil || u.Header != nil
	e.writable, _ = cfg.Handler.(WritableHandler)
	e.freezer, _ = cfg.Handler.(Freezer)
	e.fragments, _ = cfg.Handler.(FragmentHandler)
	maxFragments := cfg.MaxFragments
	if maxFragments == 0 && e.fragments != nil {
		maxFragments = Off
	}
	e.roles[wsproto.Server] = wsproto.Config{Role: wsproto.Server, MaxMessage: cfg.MaxMessage, MaxFragments: maxFragments, CompressFrom: cfg.CompressFrom, Stream: e.fragments != nil}
	e.roles[wsproto.Client] = e.roles[wsproto.Server]
	e.roles[wsproto.Client].Role = wsproto.Client
	e.roles[wsproto.Client].MaskKey = rand.Uint32 // ChaCha8, seeded by the system
	return e
}

func (s *Server) nameEndpoint(e *endpoint, name string) {
	if name == "" {
		e.freezer = nil // it could not be found again
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.endpoints[name] != nil {
		panic("server: two endpoints with the name " + strconv.Quote(name))
	}
	if s.endpoints == nil {
		s.endpoints = map[string]*endpoint{}
	}
	e.name = name
	s.endpoints[name] = e
}

// routeEndpoint makes Serve give the requests of paths to an endpoint.
func (s *Server) routeEndpoint(e *endpoint, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]*endpoint{}
	if old := s.paths.Load(); old != nil {
		maps.Copy(all, *old)
	}
	for _, path := range paths {
		if !strings.HasPrefix(path, "/") {
			return fmt.Errorf("%q does not begin with a slash", path)
		}
		if all[path] != nil {
			return fmt.Errorf("%q is there twice", path)
		}
		all[path] = e
	}
	s.paths.Store(&all) // a copy, because loops read it at any time
	return nil
}

// endpointAt returns the endpoint that has the requests of a path, or nil if Config.HTTP
// has them. declared reports whether the path is in a list of Paths.
func (s *Server) endpointAt(path string) (e *endpoint, declared bool) {
	if paths := s.paths.Load(); paths != nil {
		if e := (*paths)[path]; e != nil {
			return e, true
		}
	}
	if s.cfg.HTTP == nil {
		return s.endpoint, false
	}
	return nil, false
}

// anyByLoop reports whether a loop can answer handshakes of any endpoint.
func (s *Server) anyByLoop() bool { return s.cfg.HTTP == nil || s.paths.Load() != nil }

// route gives the requests of endpoints that have paths to them, and others to next.
func (s *Server) route(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if e, _ := s.endpointAt(r.URL.Path); e != nil {
			s.serveHTTP(w, r, e)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// endpointNamed returns the endpoint of that name, or nil.
func (s *Server) endpointNamed(name string) *endpoint {
	if name == "" {
		return s.endpoint
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoints[name]
}

// acquire counts one more connection, unless there are as many as there may be. Each needs
// one release.
func (e *endpoint) acquire() bool {
	if e.maxConns == 0 {
		return true
	}
	if e.conns.Add(1) > e.maxConns {
		e.conns.Add(-1)
		return false
	}
	return true
}

// count counts one more, whatever the limit is.
func (e *endpoint) count() {
	if e.maxConns > 0 {
		e.conns.Add(1)
	}
}

func (e *endpoint) release() {
	if e.maxConns > 0 {
		e.conns.Add(-1)
	}
}
