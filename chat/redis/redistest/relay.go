//go:build unix

package redistest

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Relay is a TCP relay in front of an address. Its methods may be called from any goroutine.
// In the beginning it is open.
//
// Where clients are told the servers' own addresses, by sentinels or in a cluster, they do not
// come through a relay by themselves: the client's dialler must lead them there.
type Relay struct {
	Addr string // where clients connect

	t      testing.TB
	target string
	wg     sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond
	listener net.Listener       // Guarded by mu. nil while cut
	state    state              // Guarded by mu.
	delay    time.Duration      // Guarded by mu.
	links    map[*link]struct{} // Guarded by mu.
	ended    bool               // Guarded by mu.
	accepted int                // Guarded by mu.
}

type state uint8

const (
	open state = iota
	cut
	blackholed
	stalled
)

// link is one client's connection, and ours to the target.
type link struct {
	client, server *net.TCPConn
	lossy          bool // Guarded by Relay.mu. bytes were swallowed
}

// StartRelay starts a relay.
func StartRelay(t testing.TB, target string) *Relay {
	t.Helper()
	r := &Relay{Addr: loopback(freePort()), t: t, target: target, links: map[*link]struct{}{}}
	r.changed = sync.NewCond(&r.mu)
	r.mu.Lock()
	err := r.listen()
	r.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.mu.Lock()
		r.ended = true
		r.set(cut)
		r.mu.Unlock()
		r.wg.Wait()
	})
	return r
}

// Cut closes all connections with a reset, and refuses new ones.
func (r *Relay) Cut() { r.become(cut) }

// Blackhole accepts connections and swallows all that is sent, in both directions. Connections
// that lost something this way are closed by Open.
func (r *Relay) Blackhole() { r.become(blackholed) }

// Stall holds back everything that is sent. Open delivers it: to both ends, it is a network that
// was away for a while, or a process that was stopped.
func (r *Relay) Stall() { r.become(stalled) }

// Open lets everything through again, after the delay that Delay set.
func (r *Relay) Open() { r.become(open) }

// Delay makes everything that is sent from now on arrive later, by d in each direction.
func (r *Relay) Delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// Reset closes all connections with a reset. New ones are accepted as before.
func (r *Relay) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reset(func(*link) bool { return true })
}

// Connections returns how many connections there are, and how many have been accepted in all.
func (r *Relay) Connections() (now, ever int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.links), r.accepted
}

func (r *Relay) become(s state) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return
	}
	r.set(s)
}

// set is called with mu held.
func (r *Relay) set(s state) {
	r.state = s
	switch {
	case s == cut:
		if r.listener != nil {
			r.listener.Close()
			r.listener = nil
		}
		r.reset(func(*link) bool { return true })
	case r.listener == nil:
		if err := r.listen(); err != nil {
			r.t.Errorf("the relay %s cannot be opened again: %v", r.Addr, err)
		}
	}
	if s == open {
		r.reset(func(l *link) bool { return l.lossy })
	}
	r.changed.Broadcast()
}

// reset is called with mu held.
func (r *Relay) reset(which func(*link) bool) {
	for l := range r.links {
		if which(l) {
			l.reset()
			delete(r.links, l)
		}
	}
	r.changed.Broadcast()
}

func (l *link) reset() {
	l.client.SetLinger(0)
	if l.server != nil {
		l.server.SetLinger(0)
	}
	l.close()
}

func (l *link) close() {
	l.client.Close()
	if l.server != nil {
		l.server.Close()
	}
}

// listen is called with mu held.
func (r *Relay) listen() error {
	listener, err := net.Listen("tcp", r.Addr)
	if err != nil {
		return err
	}
	r.listener = listener
	r.wg.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			r.wg.Go(func() { r.serve(nc.(*net.TCPConn)) })
		}
	})
	return nil
}

// serve carries a connection, once the relay's state allows it.
func (r *Relay) serve(client *net.TCPConn) {
	l := &link{client: client}
	r.mu.Lock()
	r.links[l] = struct{}{}
	r.accepted++
	if r.state == cut {
		r.reset(func(other *link) bool { return other == l })
	}
	r.mu.Unlock()
	if !r.pass(l) {
		io.Copy(io.Discard, client) // to the end of the link
	} else if r.connect(l) {
		var ways sync.WaitGroup
		ways.Go(func() { r.pump(l, l.client, l.server) })
		ways.Go(func() { r.pump(l, l.server, l.client) })
		ways.Wait()
	}
	// Whoever hears nothing does not hear either that the other end has closed.
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.here(l) && (r.state == blackholed || r.state == stalled) {
		r.changed.Wait()
	}
	l.close()
	delete(r.links, l)
}

// connect connects a link to the target.
func (r *Relay) connect(l *link) bool {
	nc, err := net.Dial("tcp", r.target)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		l.reset()
		return false
	}
	l.server = nc.(*net.TCPConn)
	if !r.here(l) {
		l.reset()
		return false
	}
	return true
}

// here reports whether a link has not been reset. It is called with mu held.
func (r *Relay) here(l *link) bool {
	_, ok := r.links[l]
	return ok
}

// parcel is what was read at once, and when it may go on. The last one of a way is empty.
type parcel struct {
	p   []byte
	due time.Time
}

// pump carries what one end sends to the other end, until the first closes.
func (r *Relay) pump(l *link, from, to *net.TCPConn) {
	way := make(chan parcel, 1024)
	var writer sync.WaitGroup
	writer.Go(func() {
		for p := range way {
			time.Sleep(time.Until(p.due))
			switch {
			case !r.pass(l):
			case p.p == nil:
				to.CloseWrite()
			default:
				to.Write(p.p) // what an end that has closed is sent, makes it answer with a reset
			}
		}
	})
	for {
		b := make([]byte, 32<<10)
		n, err := from.Read(b)
		if n > 0 {
			way <- parcel{b[:n], r.due()}
		}
		if err != nil {
			break
		}
	}
	way <- parcel{nil, r.due()}
	close(way)
	writer.Wait()
}

func (r *Relay) due() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Now().Add(r.delay)
}

// pass waits until the state allows something to go on, and reports whether it is not swallowed.
func (r *Relay) pass(l *link) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.state == stalled && r.here(l) {
		r.changed.Wait()
	}
	if r.state == blackholed {
		l.lossy = true
	}
	return !l.lossy && r.here(l)
}
