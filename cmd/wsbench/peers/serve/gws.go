package main

import (
	"net/http"
	"sync"

	"github.com/lxzan/gws"
)

// gwsServer follows its README: ReadLoop on a goroutine of its own, so that
// net/http's can go, and a Broadcaster for broadcasts. ParallelEnabled stays off:
// it would let messages of one connection overtake each other.
func gwsServer(addr string) error {
	option := func() *gws.ServerOption {
		return &gws.ServerOption{Recovery: gws.Recovery, ReadMaxPayloadSize: maxMessage}
	}
	serve := func(up *gws.Upgrader) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if c, err := up.Upgrade(w, r); err == nil {
				go c.ReadLoop()
			}
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/", serve(gws.NewUpgrader(&gwsEcho{}, option())))
	mux.Handle("/fanout", serve(gws.NewUpgrader(&gwsFanout{conns: map[*gws.Conn]struct{}{}}, option())))
	return http.ListenAndServe(addr, mux)
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (*gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	c.WriteMessage(m.Opcode, m.Bytes())
}

// OnPing answers, which gws leaves to its users.
func (*gwsEcho) OnPing(c *gws.Conn, p []byte) { c.WritePong(p) }

type gwsFanout struct {
	gws.BuiltinEventHandler
	mu    sync.Mutex
	conns map[*gws.Conn]struct{} // Guarded by mu.
}

func (h *gwsFanout) OnOpen(c *gws.Conn) {
	h.mu.Lock()
	h.conns[c] = struct{}{}
	h.mu.Unlock()
}

func (h *gwsFanout) OnClose(c *gws.Conn, _ error) {
	h.mu.Lock()
	delete(h.conns, c)
	h.mu.Unlock()
}

func (h *gwsFanout) OnMessage(_ *gws.Conn, m *gws.Message) {
	defer m.Close()
	b := gws.NewBroadcaster(m.Opcode, m.Bytes())
	defer b.Close()
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.conns {
		b.Broadcast(c)
	}
}
