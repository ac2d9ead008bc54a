package chat

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// Config is what a hub is made of. Store, Auth and NewFanout are required.
type Config struct {
	Store     Store
	Auth      Authenticator
	NewFanout func() Fanout // makes an empty one; called under the hub's lock

	Limits Limits       // the zero value limits nothing: start from DefaultLimits
	Clock  Clock        // default: SystemClock()
	Log    *slog.Logger // default: slog.Default()

	AuthTimeout       time.Duration // default 5 s
	HeartbeatInterval time.Duration // told to clients; default 30 s
	Queue             int           // operations waiting for the committer, and for the workers; beyond it 503. Default 8,192
	Workers           int           // how many tokens and queries are worked on at a time; default 4
}

func (c *Config) setDefaults() {
	if c.Store == nil || c.Auth == nil || c.NewFanout == nil {
		panic("chat: Config needs Store, Auth and NewFanout")
	}
	if c.Clock == nil {
		c.Clock = SystemClock()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.AuthTimeout <= 0 {
		c.AuthTimeout = 5 * time.Second
	}
	if c.HeartbeatInterval <= 0 {
		c.HeartbeatInterval = 30 * time.Second
	}
	if c.Queue <= 0 {
		c.Queue = 8192
	}
	if c.Workers <= 0 {
		c.Workers = 4
	}
}

// Hub is the chat service of one node. Its methods are safe for concurrent use.
type Hub struct {
	// Immutable.
	cfg      Config
	epoch    string
	time     *serverTime
	limits   *limiter
	commit   *committer
	work     *workers
	expiries expiries

	closing   atomic.Bool // Shutdown has begun
	announced atomic.Bool // whoever wants to know has been told

	// renames counts calls of Rename. It is written under mu.
	renames atomic.Uint64

	mu sync.Mutex
	// Guarded by mu.
	sessions map[*Session]struct{} // every open one, authenticated or not
	online   map[string]*onlineUser
	rooms    map[string]*room         // those that somebody is in
	unused   btree.Map[string, *room] // those of them in which nothing was said yet, by name: the store does not know them
	emptied  []*room                  // those that nobody is in any more, until the end of the batch
}

// onlineUser is a user with at least one session.
type onlineUser struct {
	ID      string               // immutable
	profile atomic.Pointer[User] // what it points to is immutable; Rename points to another

	// Guarded by Hub.mu.
	sessions []*Session
	rooms    map[*room]struct{} // in which the user is a member; nil until the first
}

// New returns a hub that works until Shutdown. It panics if cfg lacks something
// required.
func New(cfg Config) *Hub {
	cfg.setDefaults()
	info := cfg.Store.Info()
	h := &Hub{
		cfg:      cfg,
		epoch:    info.Epoch,
		time:     newServerTime(cfg.Clock, info.LastServerTS, cfg.Log),
		limits:   newLimiter(&cfg.Limits, cfg.Clock),
		work:     newWorkers(cfg.Workers, cfg.Queue),
		sessions: make(map[*Session]struct{}),
		online:   make(map[string]*onlineUser),
		rooms:    make(map[string]*room),
	}
	h.expiries.hub = h
	h.commit = newCommitter(h)
	return h
}

// Open starts the session of a peer that has just connected. The time for its auth
// runs from here.
func (h *Hub) Open(peer Peer, info PeerInfo) *Session {
	s := &Session{hub: h, peer: peer, info: info, id: newSessionID()}
	h.mu.Lock()
	h.sessions[s] = struct{}{}
	h.mu.Unlock()

	s.mu.Lock()
	s.stopTimer = h.cfg.Clock.AfterFunc(h.cfg.AuthTimeout, s.authTimedOut)
	s.mu.Unlock()
	return s
}

// Shutdown refuses new operations with shutting_down, tells whoever asked to be
// told unless they have been, and waits until everything accepted before is stored and sent. The
// connections and the store are the caller's to close, in this order. The error is
// ctx's, if that ends first.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.closing.Store(true)
	h.AnnounceShutdown()
	h.mu.Lock()
	sessions := slices.Collect(maps.Keys(h.sessions))
	h.mu.Unlock()
	for _, s := range sessions {
		s.unthrottle() // what waits for its time will be refused: say so while there is time
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.commit.stop()
		h.work.stop()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AnnounceShutdown tells whoever asked to be told that the server stops, once. What they
// ask for is done until Shutdown.
func (h *Hub) AnnounceShutdown() {
	if h.announced.Swap(true) {
		return
	}
	m := text(appendSystem(nil, "shutting_down", "", "The server is shutting down", nil, h.now()))
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.sessions {
		if s.user != nil && s.features&featureSystem != 0 {
			s.peer.SendPrepared(m)
		}
	}
}

// enter makes a session that of a user, until expires (zero: without end), and answers
// its auth. Under the lock, so that nothing said to the user overtakes the answer. It
// reports false, and does nothing, if Rename was called after renames was read: then u
// may be out of date.
func (h *Hub) enter(s *Session, u User, features feature, expires time.Time, answer []byte, renames uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.renames.Load() != renames {
		return false
	}
	if s.gone {
		return true
	}
	o := h.online[u.ID]
	if o == nil {
		o = &onlineUser{ID: u.ID}
		h.online[u.ID] = o
	}
	o.profile.Store(&u)
	o.sessions = append(o.sessions, s)
	s.user, s.features = o, features
	s.peer.SendPrepared(text(answer))
	if !expires.IsZero() {
		h.expiries.add(s, expires)
	}
	return true
}

// close forgets a session. If it was a user's, the committer takes it out of its
// rooms, behind what it said last.
func (h *Hub) close(s *Session) {
	h.mu.Lock()
	delete(h.sessions, s)
	s.gone = true
	entered := s.user != nil
	h.mu.Unlock()
	if entered {
		h.expiries.remove(s)
		h.commit.depart(s)
	}
}

// exit removes a departed session from its user.
func (h *Hub) exit(s *Session) {
	o := s.user
	for i, other := range o.sessions {
		if other == s {
			o.sessions = append(o.sessions[:i], o.sessions[i+1:]...)
			break
		}
	}
	if len(o.sessions) == 0 {
		delete(h.online, o.ID)
	}
}

// now is the service's time, in ms since 1970.
func (h *Hub) now() int64 { return h.time.now() }

// text makes a text message of what was encoded for it.
func text(p []byte) *wsproto.Prepared { return wsproto.NewPrepared(frame.Text, p) }

func newSessionID() string { return "s_" + strings.ToLower(rand.Text()[:16]) }
