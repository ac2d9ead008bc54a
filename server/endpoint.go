package server

import (
	"math/rand/v2"
	"net/http"
	"sync"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// endpoint holds what the connections of one Handler have in common. Only other changes.
type endpoint struct {
	name     string // "" for Config's own
	handler  Handler
	writable WritableHandler // the handler, if it is one
	freezer  Freezer         // the handler, if it is one
	upgrader handshake.Upgrader
	admit    func(r *http.Request) (value any, err error) // may be nil
	roles    [2]wsproto.Config                            // by wsproto.Role

	fragments FragmentHandler // the handler, if it is one

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
	e.writable, _ = cfg.Handler.(WritableHandler)
	e.freezer, _ = cfg.Handler.(Freezer)
	e.fragments, _ = cfg.Handler.(FragmentHandler)
	e.roles[wsproto.Server] = wsproto.Config{Role: wsproto.Server, MaxMessage: cfg.MaxMessage, MaxFragments: cfg.MaxFragments, CompressFrom: cfg.CompressFrom, Stream: e.fragments != nil}
	e.roles[wsproto.Client] = e.roles[wsproto.Server]
	e.roles[wsproto.Client].Role = wsproto.Client
	e.roles[wsproto.Client].MaskKey = rand.Uint32 // ChaCha8, seeded by the system
	return e
}

// endpointNamed returns the endpoint of that name, or nil.
func (s *Server) endpointNamed(name string) *endpoint {
	if name == s.endpoint.name {
		return s.endpoint
	}
	return nil
}
