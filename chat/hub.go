package chat

import (
	"context"
	"hash/maphash"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server/rate"
	"github.com/hawser-ws/hawser/wsproto"
)

// Config configures a hub. Engine, Auth and NewFanout are required.
type Config struct {
	Engine    Engine
	Auth      Authenticator
	NewFanout func() Fanout // makes an empty one; called under a lock

	Limits  Limits       // zero values mean no limit, so start from DefaultLimits
	Pages   Pages        // what one answer may hold
	Limiter Limiter      // enforces limits of users and addresses; default: NewLimiter(Limits, Clock)
	Clock   Clock        // default: SystemClock()
	Log     *slog.Logger // default: slog.Default()

	Observer Observer // is told what happens; default: none
	Warden   Warden   // is told what honest clients do not do; default: none

	AuthTimeout       time.Duration // default 5 s
	HeartbeatInterval time.Duration // told to clients; default 30 s

	// OperationTimeout is the maximum time that an operation waits in the hub's queues and
	// for the engine. After that the answer is an error. Default 5 s.
	OperationTimeout time.Duration

	Queue           int // maximum number of operations that wait in each sequencer and each pool; more get 503. Default 8,192
	ConnectionQueue int // maximum number of operations that wait in one connection; then reading stops. Default 32
	Sequencers      int // number of sequencers, among which the conversations are divided; default 16
	Workers         int // number of workers in each pool: log-ins, look-ups, queries; default 4
}

func (c *Config) setDefaults() {
	if c.Engine.Log == nil || c.Auth == nil || c.NewFanout == nil {
		panic("chat: Config needs Engine, Auth and NewFanout")
	}
	if c.Clock == nil {
		c.Clock = SystemClock()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Observer == nil {
		c.Observer = Unobserved{}
	}
	if c.Limiter == nil {
		c.Limiter = NewLimiter(c.Limits, c.Clock)
	}
	for _, d := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&c.AuthTimeout, 5 * time.Second}, {&c.HeartbeatInterval, 30 * time.Second}, {&c.OperationTimeout, 5 * time.Second}} {
		if *d.to <= 0 {
			*d.to = d.def
		}
	}
	for _, n := range []struct {
		to  *int
		def int
	}{{&c.Queue, 8192}, {&c.ConnectionQueue, 32}, {&c.Sequencers, 16}, {&c.Workers, 4}} {
		if *n.to <= 0 {
			*n.to = n.def
		}
	}
	c.Pages.setDefaults()
}

// Hub is the chat service of one node. Its methods are safe for concurrent use.
type Hub struct {
	// Immutable.
	cfg      Config
	clock    *gate // for timers of what a Frozen must not change
	engine   Engine
	node     Node
	limits   Limiter
	shaping  shaping
	shards   []*shard
	seed     maphash.Seed
	pools    [numPools]*workers
	expiries expiries
	unused   unusedRooms
	troubles struct{ append, read trouble }
	lines    struct{ refused, closing rate.Lines } // in the log, of what clients cause

	subscriptions sync.WaitGroup // in progress
	subscribing   atomic.Int32   // how many they are

	frozen    atomic.Bool // no operation of a connection begins; see Freeze
	restoring atomic.Bool // connections come from another process: who is here already is no news

	closing   atomic.Bool // Shutdown has begun
	announced atomic.Bool // AnnounceShutdown was called

	mu sync.Mutex
	// Guarded by mu.
	connections map[*Connection]struct{}     // every open one, authenticated or not
	addresses   map[netip.Prefix]*Connection // the first of those from an address (AddressSubject); Connection.near has the others
	people      map[string]*person           // by user id: the users who are connected here
	scratch     []byte                       // in which auth_ok is encoded
}

// person is a user with a connection here, or with a log-in in progress.
type person struct {
	id      string
	profile atomic.Pointer[User] // nil before the first connection is theirs; set with Hub.mu held

	// Guarded by Hub.mu.
	connections []*Connection
	expected    int      // log-ins in progress
	renamed     int      // how often the engine has told a new name
	endings     []ending // of sessions, while log-ins are in progress
}

// ending is what the engine has told of sessions of a user.
type ending struct {
	session string // "": all
	why     Ending
}

// New returns a hub that works until Shutdown. It panics if a required field of cfg is
// missing.
func New(cfg Config) *Hub {
	cfg.setDefaults()
	h := &Hub{
		cfg:         cfg,
		clock:       &gate{Clock: cfg.Clock},
		engine:      cfg.Engine,
		limits:      cfg.Limiter,
		shaping:     newShaping(&cfg.Limits),
		seed:        maphash.MakeSeed(),
		connections: make(map[*Connection]struct{}),
		addresses:   make(map[netip.Prefix]*Connection),
		people:      make(map[string]*person),
	}
	h.expiries.hub = h
	h.troubles.append.what = "chat: the engine does not store; messages are refused"
	h.troubles.append.again = "chat: the engine stores again"
	h.troubles.read.what = "chat: the engine cannot be read"
	for i := range h.pools {
		h.pools[i] = newWorkers(h, cfg.Workers, cfg.Queue, func(d time.Duration) { cfg.Observer.Waited(Queue(i), d) })
	}
	for range cfg.Sequencers {
		h.shards = append(h.shards, newShard(h))
	}
	h.node = h.engine.Broker.Attach(receiver{h})
	return h
}

// shard returns the shard of a conversation.
func (h *Hub) shard(c Conversation) *shard {
	return h.shards[maphash.String(h.seed, string(c))%uint64(len(h.shards))]
}

// add adds a connection to those of the hub.
func (h *Hub) add(socket Socket, info ConnectionInfo) *Connection {
	c := &Connection{hub: h, socket: socket, info: info}
	h.mu.Lock()
	h.connections[c] = struct{}{}
	h.locate(c)
	h.mu.Unlock()
	h.cfg.Observer.ConnectionOpened()
	return c
}

// Open adds a connection that has just been made. AuthTimeout runs from here.
func (h *Hub) Open(socket Socket, info ConnectionInfo) *Connection {
	c := h.add(socket, info)
	c.mu.Lock()
	c.startTimer(h.cfg.AuthTimeout, c.authTimedOut)
	c.mu.Unlock()
	c.banIfConcerned()
	return c
}

// Shutdown refuses new operations with shutting_down, calls AnnounceShutdown, and waits until
// everything accepted before is stored and sent. Afterwards the caller closes first the
// connections and then the engine. The error is ctx's, if ctx ends first.
func (h *Hub) Shutdown(ctx context.Context) error {
	h.closing.Store(true)
	h.AnnounceShutdown()
	h.mu.Lock()
	connections := slices.Collect(maps.Keys(h.connections))
	h.mu.Unlock()
	for _, c := range connections {
		c.unthrottle() // operations that wait for the limits will be refused: do it now
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, p := range h.pools {
			p.stop()
		}
		h.subscriptions.Wait()
		for _, s := range h.shards {
			s.stop()
		}
		h.removeAll()
		h.node.Detach()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// AnnounceShutdown tells the connections with the feature "system", once, that the server
// will stop. Operations are still done until Shutdown.
func (h *Hub) AnnounceShutdown() {
	if h.announced.Swap(true) {
		return
	}
	m := text(appendSystem(nil, "shutting_down", "", "The server is shutting down", nil, h.now()))
	h.mu.Lock()
	defer h.mu.Unlock()
	for c := range h.connections {
		if c.person != nil && c.features&featureSystem != 0 {
			c.socket.SendPrepared(m)
		}
	}
}

// note logs a failure of the engine, or that it works again.
func (h *Hub) note(t *trouble, err error) { t.note(h.cfg.Log, h.cfg.Clock, err) }

// now returns the service's time, in ms since 1970.
func (h *Hub) now() int64 { return h.engine.Log.Now() }

// online reports whether a user is connected here.
func (h *Hub) online(userID string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.people[userID]
	return p != nil && len(p.connections) > 0
}

// sendToUser sends a message of a private conversation to all connections of a user on this node,
// but for those that are among these, or have not been told of the conversation yet. It returns
// how many there are.
func (h *Hub) sendToUser(id string, in Conversation, m *wsproto.Prepared, among []*behind) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.people[id]
	if p == nil {
		return 0
	}
	for _, c := range p.connections {
		if !isBehind(c, among) && c.listing.mayHear(in) {
			c.socket.SendPrepared(m)
		}
	}
	return len(p.connections)
}

// text returns p as a text message.
func text(p []byte) *wsproto.Prepared { return wsproto.NewPrepared(frame.Text, p) }
