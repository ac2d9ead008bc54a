package redis

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// listener subscribes to channels, for all nodes of the process. It has one connection to the
// server; to each of them, in a cluster, as a sharded channel is heard only at the server that
// owns its slot. A connection that breaks is replaced, and its channels are subscribed to again.
type listener struct {
	// Immutable.
	cfg    *Config
	client *bounded
	keys   keys
	id     string
	hear   func(channel, message string) // called by one goroutine a connection
	gap    func(since time.Time)         // since then some messages may not have been heard
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu sync.Mutex
	// Guarded by mu.
	subs   map[string]*sub
	links  map[string]*link // by address; "" where it is not a cluster
	owners *owners          // nil where it is not a cluster
}

// sub is a channel that somebody listens to. Guarded by listener.mu.
type sub struct {
	channel string
	refs    int
	link    *link
	heard   bool
	again   bool          // it was heard, and something may have been missed
	since   time.Time     // since when, if so
	ready   chan struct{} // closed when it is heard
}

func newListener(cfg *Config, client *bounded, id string, hear func(channel, message string), gap func(since time.Time)) *listener {
	l := &listener{
		cfg: cfg, client: client, keys: keys{cfg.Prefix}, id: id, hear: hear, gap: gap,
		subs: make(map[string]*sub), links: make(map[string]*link),
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if client.Mode() == rueidis.ClientModeCluster {
		l.owners = newOwners(client)
	}
	return l
}

// close ends everything.
func (l *listener) close() {
	l.cancel()
	l.wg.Wait()
}

// acquire listens to a channel until release is called as often. It waits until the channel is
// heard. After an error it will be, later.
func (l *listener) acquire(ctx context.Context, channel string) error {
	l.mu.Lock()
	s := l.subs[channel]
	if s == nil {
		s = &sub{channel: channel, ready: make(chan struct{})}
		l.subs[channel] = s
		l.route(s)
	}
	s.refs++
	ready := s.ready
	l.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.ctx.Done():
		return errClosed
	}
}

var errClosed = errors.New("chat/redis: the engine is closed")

// want listens to channels, soon, until release is called as often as times says.
func (l *listener) want(channels []string, times func(channel string) int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, channel := range channels {
		s := l.subs[channel]
		if s == nil {
			s = &sub{channel: channel, ready: make(chan struct{})}
			l.subs[channel] = s
			l.route(s)
		}
		s.refs += times(channel)
	}
}

// heard waits until all of these channels that are still wanted are heard.
func (l *listener) heard(ctx context.Context, channels []string) error {
	for _, channel := range channels {
		l.mu.Lock()
		s := l.subs[channel]
		var ready chan struct{}
		if s != nil {
			ready = s.ready
		}
		l.mu.Unlock()
		for ready != nil {
			select {
			case <-ready:
				ready = nil
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(heardPoll):
				l.mu.Lock()
				if l.subs[channel] != s {
					ready = nil
				}
				l.mu.Unlock()
			}
		}
	}
	return nil
}

// heardPoll is how often to look whether anybody still wants a channel that is not heard yet.
const heardPoll = time.Second

func (l *listener) release(channel string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.subs[channel]
	if s == nil {
		return
	}
	if s.refs--; s.refs > 0 {
		return
	}
	delete(l.subs, channel)
	if s.link != nil {
		s.link.enqueue(order{channel: channel})
		delete(s.link.subs, channel)
	}
}

// route gives a channel to the connection that will hear it. Called with mu held.
func (l *listener) route(s *sub) {
	address := ""
	if l.owners != nil {
		address = l.owners.of(s.channel)
	}
	link := l.linkTo(address)
	s.link = link
	link.subs[s.channel] = s
	link.enqueue(order{channel: s.channel, sub: s})
}

// linkTo is the connection to a server. Called with mu held.
func (l *listener) linkTo(address string) *link {
	k := l.links[address]
	if k == nil {
		k = newLink(l, address)
		l.links[address] = k
		l.wg.Go(k.run)
	}
	return k
}

// watch has a connection to each server of a cluster, so that gap is called if one breaks, or its server is replaced.
func (l *listener) watch() {
	if l.owners == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, address := range l.owners.all() {
		l.linkTo(address)
	}
}

// unheard says that channels are not heard any more. They are given to their connections again.
// Called with mu held.
func (l *listener) unheard(subs []*sub) {
	for _, s := range subs {
		delete(s.link.subs, s.channel)
		s.deafen()
		l.route(s)
	}
}

// deafen takes note that a channel is not heard any more. What follows may be heard by another
// connection, which does not know since when it was not. Called with mu held.
func (s *sub) deafen() {
	if sure := *s.link.sure.Load(); !s.again || sure.Before(s.since) {
		s.since = sure
	}
	s.again = true
	if s.heard {
		s.heard, s.ready = false, make(chan struct{})
	}
}

// healthy reports whether everything is heard.
func (l *listener) healthy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, link := range l.links {
		if link.failed != nil {
			return link.failed
		}
	}
	return nil
}

// order is a channel that a connection must subscribe to, or unsubscribe from if sub is nil.
type order struct {
	channel string
	sub     *sub
}

func (l *listener) logger() *slog.Logger { return l.cfg.Log }
