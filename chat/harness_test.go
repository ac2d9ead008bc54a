package chat_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/bolt"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// patience is how long a test waits for what must come. Nothing is measured with it.
const patience = 30 * time.Second

// clock is a chat.Clock that stands still until it is told to advance.
type clock struct {
	mu      sync.Mutex
	wall    time.Time
	elapsed time.Duration
	timers  []*timer
}

type timer struct {
	at time.Duration
	f  func() // nil once it has fired or was stopped

	engine bool // it is the engine's
}

func newClock() *clock { return &clock{wall: time.UnixMilli(1754474400000)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

func (c *clock) Monotonic() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.elapsed
}

func (c *clock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{at: c.elapsed + d, f: f}
	c.timers = append(c.timers, t)
	return func() bool { return c.stop(t) }
}

func (c *clock) stop(t *timer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := t.f != nil
	t.f = nil
	return was
}

// engineClock is a clock whose timers are not among those that wait: they are not the hub's.
type engineClock struct{ *clock }

func (c engineClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &timer{at: c.elapsed + d, f: f, engine: true}
	c.timers = append(c.timers, t)
	return func() bool { return c.stop(t) }
}

// advance lets time pass and fires what is due, in the caller's goroutine.
func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	c.wall = c.wall.Add(d)
	c.elapsed += d
	var due []func()
	for _, t := range c.timers {
		if t.f != nil && t.at <= c.elapsed {
			due = append(due, t.f)
			t.f = nil
		}
	}
	c.mu.Unlock()
	for _, f := range due {
		f()
	}
}

// step sets the wall clock, and only that.
func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(d)
}

// pending counts the hub's timers that may still fire.
func (c *clock) pending() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.timers {
		if t.f != nil && !t.engine {
			n++
		}
	}
	return n
}

// peer is a connection whose other end is the test.
type peer struct {
	t    testing.TB
	conn *chat.Connection

	mu       sync.Mutex
	arrived  sync.Cond // something below has changed
	received []string
	closed   wsproto.CloseCode // 0: open
	reason   string
	paused   bool
	buffered int // bytes that wait to be written
}

func (p *peer) SendPrepared(m *wsproto.Prepared) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed != 0 {
		return errors.New("closed")
	}
	p.received = append(p.received, string(m.Payload()))
	p.arrived.Broadcast()
	return nil
}

func (p *peer) Close(code wsproto.CloseCode, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed == 0 {
		p.closed, p.reason = code, reason
	}
	p.arrived.Broadcast()
}

func (p *peer) Flushed(f func(int)) {
	p.mu.Lock()
	n := p.buffered
	p.mu.Unlock()
	f(n)
}

func (p *peer) Pause(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = on
	p.arrived.Broadcast()
}

// say sends a text message to the hub.
func (p *peer) say(message string) { p.conn.Handle(frame.Text, []byte(message)) }

// await waits until something is true of the peer, which is locked meanwhile.
func (p *peer) await(what string, holds func() bool) {
	p.t.Helper()
	late := time.AfterFunc(patience, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.arrived.Broadcast()
	})
	defer late.Stop()
	deadline := time.Now().Add(patience)
	p.mu.Lock()
	defer p.mu.Unlock()
	for !holds() {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited in vain for %s; received %q, closed %d", what, p.received, p.closed)
		}
		p.arrived.Wait()
	}
}

// hear waits for the next message.
func (p *peer) hear() string {
	p.t.Helper()
	var m string
	p.await("a message", func() bool {
		if len(p.received) == 0 {
			return false
		}
		m, p.received = p.received[0], p.received[1:]
		return true
	})
	return m
}

// hearClose waits for the close frame.
func (p *peer) hearClose() (wsproto.CloseCode, string) {
	p.t.Helper()
	p.await("a close", func() bool { return p.closed != 0 })
	return p.closed, p.reason
}

// leftover takes what has been received and not heard.
func (p *peer) leftover() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.received
	p.received = nil
	if len(m) == 0 {
		return nil
	}
	return m
}

// fanout is a chat.Fanout without loops.
type fanout struct {
	mu    sync.Mutex
	peers map[chat.Socket]bool
}

func newFanout() chat.Fanout { return &fanout{peers: make(map[chat.Socket]bool)} }

func (f *fanout) Join(p chat.Socket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.peers[p] = true
}

func (f *fanout) Leave(p chat.Socket) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.peers, p)
}

func (f *fanout) Send(m *wsproto.Prepared, _ chat.Urgency) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for p := range f.peers {
		p.SendPrepared(m)
	}
}

// tokens authenticates token-of-NAME as u_NAME, token-of-NAME-until-SECONDS until
// then, and token-of-NAME-as-ROLE with a role.
type tokens struct{}

func (tokens) Authenticate(token string) (chat.Identity, error) {
	const prefix = "token-of-"
	if token == "expired" {
		return chat.Identity{}, chat.ErrTokenExpired
	}
	name, until, _ := strings.Cut(token, "-until-")
	if seconds, err := strconv.ParseInt(until, 10, 64); err == nil {
		id, err := tokens{}.Authenticate(name)
		id.Expires = time.Unix(seconds, 0)
		return id, err
	}
	if name, role, ok := strings.Cut(token, "-as-"); ok {
		id, err := tokens{}.Authenticate(name)
		id.Role = role
		return id, err
	}
	if len(token) <= len(prefix) || token[:len(prefix)] != prefix {
		return chat.Identity{}, errors.New("forged")
	}
	return chat.Identity{UserID: "u_" + token[len(prefix):]}, nil
}

// house is a hub with what belongs to it.
type house struct {
	t      testing.TB
	hub    *chat.Hub
	engine chat.Engine
	clock  *clock
}

// ctx is for calls that a test makes itself.
var ctx = context.Background()

// tail is the end of a conversation.
func (h *house) tail(c chat.Conversation) chat.Tail {
	h.t.Helper()
	tail, err := h.engine.Log.Tail(ctx, c)
	if err != nil {
		h.t.Fatal(err)
	}
	return tail
}

// rooms are the names of the rooms that are stored.
func (h *house) rooms() (names []string) {
	h.t.Helper()
	rooms, _, err := h.engine.Directory.Rooms(ctx, chat.RoomPlace{}, "", 100)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range rooms {
		names = append(names, r.Name)
	}
	return names
}

// users of every house, with their names.
var users = map[string]string{"u_ada": "Ada", "u_bob": "Bob", "u_eve": "Eve"}

// openStore opens a bolt store in dir and puts the users into it.
func openStore(t testing.TB, dir string, c chat.Clock) *bolt.Store {
	t.Helper()
	if still, ok := c.(*clock); ok {
		c = engineClock{still}
	}
	store, err := bolt.Open(dir, bolt.Options{Clock: c, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close(ctx) })
	for id, name := range users {
		if err := store.PutUser(ctx, chat.User{ID: id, Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// newHouse starts a hub on a new store. With one worker, queries are answered in
// the order in which they are asked. The limits are those of one connection only, as
// settle says much in Eve's name. change, if not nil, may change the configuration.
func newHouse(t testing.TB, change func(*chat.Config)) *house {
	t.Helper()
	return newHouseAt(t, newClock(), change)
}

// newHouseAt is newHouse with a clock.
func newHouseAt(t testing.TB, c *clock, change func(*chat.Config)) *house {
	t.Helper()
	h := &house{t: t, clock: c}
	defaults := chat.DefaultLimits()
	cfg := chat.Config{
		Auth: tokens{}, NewFanout: newFanout, Clock: h.clock, Workers: 1, Log: slog.New(slog.DiscardHandler),
		Limits: chat.Limits{MessagesPerSecond: defaults.MessagesPerSecond, Burst: defaults.Burst,
			Rooms: defaults.Rooms, Content: defaults.Content, Metadata: defaults.Metadata,
			MessageBytes: defaults.MessageBytes, Errors: defaults.Errors},
	}
	if change != nil {
		change(&cfg)
	}
	if cfg.Engine.Log == nil {
		cfg.Engine = openStore(t, t.TempDir(), h.clock).Parts()
	}
	h.engine = cfg.Engine
	h.hub = chat.New(cfg)
	t.Cleanup(func() { h.stop() })
	return h
}

func (h *house) stop() {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.hub.Shutdown(ctx); err != nil {
		h.t.Errorf("Shutdown: %v", err)
	}
}

// connect opens a session that has said nothing yet.
func (h *house) connect() *peer { return h.connectAs("") }

// connectAs is connect, over a connection that proves a user; "" for nobody.
func (h *house) connectAs(userID string) *peer {
	p := &peer{t: h.t}
	p.arrived.L = &p.mu
	p.conn = h.hub.Open(p, chat.ConnectionInfo{RemoteAddr: netip.MustParseAddrPort("127.0.0.1:1"), UserID: userID})
	return p
}

// enter opens a session and authenticates it.
func (h *house) enter(name, features string) *peer {
	h.t.Helper()
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-` + name + `","features":[` + features + `]}`)
	if m := p.hear(); typeOf(h.t, m) != "auth_ok" {
		h.t.Fatalf("auth was answered by %s", m)
	}
	p.rest()
	return p
}

// open says the first message in a room, which runs by itself, and hears it.
func (p *peer) open(room string) {
	p.t.Helper()
	p.say(`{"type":"group","receiver_id":"` + room + `","content":"first","ref":"first"}`)
	for range 2 {
		p.hear()
	}
	p.rest()
}

// rest waits until everything said is answered that may be: the rest waits for its time.
// An answer is sent a little before its operation is over.
func (p *peer) rest() {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !p.conn.Idle() && !p.conn.Throttled(); runtime.Gosched() {
		if time.Now().After(deadline) {
			p.t.Fatal("what was said is not answered")
		}
	}
}

// settle waits until everything that was said before has been answered, and everybody who
// was gone has left.
func (h *house) settle() {
	h.t.Helper()
	for deadline := time.Now().Add(patience); !h.hub.Idle(); runtime.Gosched() {
		if time.Now().After(deadline) {
			h.t.Fatal("the hub does not come to rest")
		}
	}
}
