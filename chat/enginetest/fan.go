package enginetest

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/wsproto"
)

// fan is a chat.Fanout without loops.
type fan struct {
	mu      sync.Mutex
	sockets map[chat.Socket]bool
}

func newFan() chat.Fanout { return &fan{sockets: make(map[chat.Socket]bool)} }

// newFan is a fan that belongs to a performance.
func (p *performance) newFan() chat.Fanout {
	f := newFan()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fans = append(p.fans, f.(*fan))
	return f
}

// members counts the members of all fans, once for each fan.
func (p *performance) members() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.fans {
		f.mu.Lock()
		f.drop()
		n += len(f.sockets)
		f.mu.Unlock()
	}
	return n
}

// drop has the sockets leave that have ended. Called with mu held.
func (f *fan) drop() {
	maps.DeleteFunc(f.sockets, func(s chat.Socket, _ bool) bool {
		sock := s.(*socket)
		sock.mu.Lock()
		defer sock.mu.Unlock()
		return sock.closed
	})
}

// strangers describes, for people, connections that are in a fan although they are
// not open.
func (p *performance) strangers() (text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.fans {
		f.mu.Lock()
		for s := range f.sockets {
			if s := s.(*socket); !slices.Contains(p.sockets(), s) {
				s.mu.Lock()
				text += fmt.Sprintf("; one of %s, closed %t, %s, noted %s", s.user, s.closed, s.broken, s.story())
				s.mu.Unlock()
			}
		}
		f.mu.Unlock()
	}
	return text
}

func (f *fan) Join(s chat.Socket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sockets[s] = true
}

func (f *fan) Leave(s chat.Socket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.sockets, s)
}

func (f *fan) Send(m *wsproto.Prepared, _ chat.Urgency) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for s := range f.sockets {
		s.SendPrepared(m)
	}
}
