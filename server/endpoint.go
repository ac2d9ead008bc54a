package server

import (
	"math/rand/v2"
	"net/http"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// endpoint holds what the connections of one Handler have in common. It is immutable.
type endpoint struct {
	handler  Handler
	writable WritableHandler // the handler, if it is one
	upgrader handshake.Upgrader
	admit    func(r *http.Request) (value any, err error) // may be nil
	roles    [2]wsproto.Config                            // by wsproto.Role
}

// newEndpoint makes the endpoint that cfg describes. cfg has its defaults.
func newEndpoint(cfg *Config) *endpoint {
	e := &endpoint{handler: cfg.Handler, upgrader: cfg.Upgrader, admit: cfg.Admit}
	e.writable, _ = cfg.Handler.(WritableHandler)
	e.roles[wsproto.Server] = wsproto.Config{Role: wsproto.Server, MaxMessage: cfg.MaxMessage, MaxFragments: cfg.MaxFragments, CompressFrom: cfg.CompressFrom}
	e.roles[wsproto.Client] = e.roles[wsproto.Server]
	e.roles[wsproto.Client].Role = wsproto.Client
	e.roles[wsproto.Client].MaskKey = rand.Uint32 // ChaCha8, seeded by the system
	return e
}
