package redis

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// store is the half of the engine that knows what is stored: its chat.Log and chat.Directory,
// and the doorbell.Source of its nodes. It knows nothing of nodes.
type store struct {
	// Immutable.
	cfg    Config
	client *bounded
	keys   keys
	append *script
	clock  *chat.ServerTime // nil: the time is Redis's

	// Set before it is used.
	owners  *owners // nil where it is not a cluster
	waitaof bool    // the server can say when something is on its disk

	// What the nodes of this process know, set by the broker.
	position    func(chat.Conversation) chat.Tail               // the newest change that one of them was given
	result      func(chat.Conversation, chat.Tail, func()) bool // calls a function that tells a result, unless they know of a later epoch
	appended    func(chat.Conversation, []published)            // tells those whom the script of appends has not told
	ring        func(chat.Conversation)                         // tells that something may have been appended
	enoughAgain func()                                          // a primary has enough replicas again
	renamed     func(before string, u chat.User, rev int64)     // tells the nodes of this process, and others

	ready atomic.Bool // Engine.getReady has succeeded

	mu sync.Mutex
	// Guarded by mu.
	start    time.Time              // when an estimate of Redis's time was made
	estimate int64                  // not later than Redis's time, in ms, then
	hinted   map[hintKey]time.Time  // when hints were put that nodes still watch for
	begun    uint64                 // Config.begun when the first of them was put
	listing  map[string]listedPlace // rooms whose places in the list have changed
	epoch    string

	standings map[string]*standing // of the primaries, by address; "" where it is not a cluster
}

func newStore(cfg Config, client *bounded) *store {
	s := &store{
		cfg: cfg, client: client, keys: keys{cfg.Prefix}, append: newAppendScript(&cfg),
		position:    func(chat.Conversation) chat.Tail { return chat.Tail{} },
		result:      func(_ chat.Conversation, _ chat.Tail, tell func()) bool { tell(); return true },
		appended:    func(chat.Conversation, []published) {},
		ring:        func(chat.Conversation) {},
		enoughAgain: func() {},
		renamed:     func(string, chat.User, int64) {},
		hinted:      make(map[hintKey]time.Time),
		listing:     make(map[string]listedPlace),
		standings:   make(map[string]*standing),
	}
	if cfg.Clock != nil {
		s.clock = chat.NewServerTime(cfg.Clock, 0, cfg.Log)
	}
	return s
}

func (s *store) run(ctx context.Context, sc *script, keys, args []string) rueidis.RedisResult {
	return sc.run(ctx, s.client, call{keys, args})
}

// Now implements chat.Log. It is not later than Redis's time.
func (s *store) Now() int64 {
	if s.clock != nil {
		return s.clock.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.estimate + time.Since(s.start).Milliseconds()
}

// tellTime takes note of Redis's time, which was read before now.
func (s *store) tellTime(ms int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.estimate, s.start = ms, time.Now()
}

// Epoch implements chat.Log.
func (s *store) Epoch(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if !s.ready.Load() {
		return "", errNotReady
	}
	if epoch := s.knownEpoch(); epoch != "" {
		return epoch, nil
	}
	return s.readEpoch(ctx)
}

// knownEpoch is the engine's epoch as of the last look; "" before the first one.
func (s *store) knownEpoch() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}

// errNotReady is the error of a log-in as long as it is not known who is banned.
var errNotReady = errors.New("chat/redis: the servers with the bans, the nodes and the epoch have not answered yet")

// readEpoch reads the engine's epoch. In an empty Redis it begins one, in which all partitions
// are, but for those in which something was stored meanwhile.
func (s *store) readEpoch(ctx context.Context) (string, error) {
	epoch, err := s.client.Do(ctx, s.client.B().Get().Key(s.keys.epoch()).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		epoch, err = s.beginEpoch(ctx)
	}
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch = epoch
	return epoch, nil
}

// beginEpoch begins the engine's epoch, unless somebody else has.
func (s *store) beginEpoch(ctx context.Context) (string, error) {
	fresh, err := s.newEpoch(ctx)
	if err != nil {
		return "", err
	}
	results := s.client.DoMulti(ctx,
		s.client.B().Set().Key(s.keys.epoch()).Value(fresh).Nx().Build(),
		s.client.B().Get().Key(s.keys.epoch()).Build())
	if err := results[0].Error(); err != nil && !rueidis.IsRedisNil(err) {
		return "", err
	}
	epoch, err := results[1].ToString()
	if err != nil || epoch != fresh {
		return epoch, err
	}
	cmds := make(rueidis.Commands, Partitions)
	for p := range cmds {
		cmds[p] = s.client.B().Hsetnx().Key(s.keys.tails(p)).Field("#").Value(fresh).Build()
	}
	for _, r := range s.client.DoMulti(ctx, cmds...) {
		if err := r.Error(); err != nil {
			return "", err // a partition begins its own epoch when it is used
		}
	}
	return epoch, nil
}
