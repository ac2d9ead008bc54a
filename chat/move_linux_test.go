package chat_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/bolt"
)

// mover is a house that can move to another process: here, to another hub and another store on the
// same file, with another clock.
type mover struct {
	*house
	dir    string
	store  *bolt.Store
	cfg    chat.Config
	peers  []*peer
	change func(*chat.Config)
}

func newMover(t *testing.T, change func(*chat.Config)) *mover {
	t.Helper()
	m := &mover{dir: t.TempDir(), change: change}
	c := newClock()
	store, err := bolt.Open(m.dir, bolt.Options{Clock: engineClock{c}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for id, name := range users {
		if err := store.PutUser(ctx, chat.User{ID: id, Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	m.begin(t, c, store)
	t.Cleanup(func() {
		m.stop()
		m.store.Close(ctx)
	})
	return m
}

// begin makes the hub.
func (m *mover) begin(t *testing.T, c *clock, store *bolt.Store) {
	m.store = store
	d := chat.DefaultLimits()
	m.cfg = chat.Config{
		Engine: store.Parts(), Auth: tokens{}, NewFanout: newFanout, Clock: c, Workers: 1, Log: slog.New(slog.DiscardHandler),
		Limits: chat.Limits{MessagesPerSecond: d.MessagesPerSecond, Burst: d.Burst, Rooms: d.Rooms, Content: d.Content,
			Metadata: d.Metadata, MessageBytes: d.MessageBytes, Errors: d.Errors},
	}
	if m.change != nil {
		m.change(&m.cfg)
	}
	m.house = &house{t: t, clock: c, engine: m.cfg.Engine, hub: chat.New(m.cfg)}
}

func (m *mover) freeze() *chat.Frozen {
	m.t.Helper()
	f, err := m.hub.Freeze(ctx)
	if err == nil {
		err = f.Rest(ctx)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	return f
}

// move has the peers, but for those that stay, go on in another process.
func (m *mover) move(stay ...*peer) {
	m.t.Helper()
	f := m.freeze()
	if err := m.store.Freeze(ctx); err != nil {
		m.t.Fatal(err)
	}
	if err := f.Rest(ctx); err != nil {
		m.t.Fatal(err)
	}
	node := f.State()
	states := make(map[*peer][]byte)
	for _, p := range m.peers {
		if !slices.Contains(stay, p) {
			states[p] = p.conn.Freeze()
		}
	}
	left, n := f.Left()
	if n != len(stay) {
		m.t.Errorf("%d connections stay, want %d", n, len(stay))
	}

	fd, err := unix.FcntlInt(m.store.File().Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		m.t.Fatal(err)
	}
	c := newClock()
	c.wall, c.elapsed = m.clock.wall, m.clock.elapsed+time.Duration(1+rand.Int64N(int64(time.Hour)))
	store, err := bolt.Open(m.dir, bolt.Options{Clock: engineClock{c}, Log: slog.New(slog.DiscardHandler), Inherit: true})
	if err != nil {
		m.t.Fatal(err)
	}
	if err := store.Inherit(os.NewFile(uintptr(fd), "store")); err != nil {
		m.t.Fatal(err)
	}
	m.begin(m.t.(*testing.T), c, store)
	f = m.freeze()
	if err := f.Restore(node); err != nil {
		m.t.Fatal(err)
	}
	var moved []*peer
	var opening sync.WaitGroup
	for _, p := range m.peers {
		if states[p] == nil {
			continue
		}
		moved = append(moved, p)
		opening.Go(func() { // as on several loops
			before := p.conn.Info()
			var err error
			if p.conn, err = f.Open(ctx, p, func() netip.AddrPort { return netip.AddrPort{} }, states[p]); err != nil {
				m.t.Error(err)
			} else if p.conn.Info() != before {
				m.t.Errorf("%v has become %v", before, p.conn.Info())
			}
		})
	}
	opening.Wait()
	if m.t.Failed() {
		m.t.FailNow()
	}
	if err := f.RestoreLeft(ctx, left); err != nil {
		m.t.Fatal(err)
	}
	store.Start()
	f.Thaw()
	m.peers = moved
}

func (m *mover) connect() *peer {
	p := m.house.connect()
	m.peers = append(m.peers, p)
	return p
}

func (m *mover) enter(name, features string) *peer {
	m.t.Helper()
	p := m.house.enter(name, features)
	m.peers = append(m.peers, p)
	return p
}

// join has a client join a room, and hear that.
func (m *mover) join(p *peer, room string) {
	m.t.Helper()
	p.say(`{"type":"join","receiver_id":"` + room + `","ref":"join"}`)
	if a := p.hear(); typeOf(m.t, a) != "ack" {
		m.t.Fatalf("join: %s", a)
	}
	p.rest()
}

// fieldOf is a text field of a message.
func fieldOf(t *testing.T, message, name string) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(message), &fields); err != nil {
		t.Fatal(err)
	}
	text, _ := fields[name].(string)
	return text
}

func assertNothing(t *testing.T, p *peer) {
	t.Helper()
	if m := p.leftover(); m != nil {
		t.Errorf("%q was sent", m)
	}
}

func assertHas(t *testing.T, message string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(message, part) {
			t.Errorf("%s: it has no %s", message, part)
		}
	}
}

// Who is where, and who hears what, is as before.
func TestMove(t *testing.T) {
	m := newMover(t, nil)
	ada, bob, eve := m.enter("ada", `"presence"`), m.enter("bob", `"ack"`), m.enter("eve", "")
	for _, p := range []*peer{ada, bob, eve} {
		m.join(p, "lobby")
	}
	ada.open("lobby")
	for _, p := range []*peer{ada, bob, eve} {
		m.settle()
		p.leftover()
	}
	for i := range 3 {
		m.move()
		for _, p := range m.peers {
			assertNothing(t, p)
		}
		bob.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d","ref":"b%d"}`, i, i))
		assertHas(t, bob.hear(), `"ack"`, fmt.Sprintf(`"seq":%d`, i+2))
		for _, p := range m.peers {
			assertHas(t, p.hear(), fmt.Sprintf(`"content":"%d"`, i), `u_bob`, fmt.Sprintf(`"seq":%d`, i+2))
		}
		ada.say(`{"type":"message","receiver_id":"u_eve","content":"psst"}`)
		for _, p := range []*peer{ada, eve} {
			assertHas(t, p.hear(), "psst")
		}
		ada.say(`{"type":"presence","receiver_id":"lobby"}`)
		assertHas(t, ada.hear(), "u_ada", "u_bob", "u_eve")
		m.settle()
	}
	eve.say(`{"type":"leave","receiver_id":"lobby"}`)
	if events := eventsOf(t, []string{ada.hear()}); !slices.Equal(events, []string{"left u_eve lobby"}) {
		t.Errorf("%q", events)
	}
	bob.conn.Closed()
	if events := eventsOf(t, []string{ada.hear()}); !slices.Equal(events, []string{"left u_bob lobby"}) {
		t.Errorf("%q", events)
	}
	ada.say(`{"type":"sessions"}`)
	assertHas(t, ada.hear(), `"connections":1`, `"current":true`)
}

// banning knows of a ban that nobody has been told of.
type banning struct {
	chat.Bans
	network netip.Prefix
}

func (b banning) OfAddress(addr netip.Addr) (chat.Ban, bool) {
	return chat.Ban{Network: b.network, Reason: "floods"}, b.network.Contains(addr)
}

// The new process knows of a ban that the old one has not heard of yet.
func TestMoveBanned(t *testing.T) {
	var network netip.Prefix
	m := newMover(t, func(cfg *chat.Config) { cfg.Engine.Bans = banning{cfg.Engine.Bans, network} })
	var peers []*peer
	for _, addr := range []string{"192.0.2.7", "192.0.3.7"} {
		p := m.connectFrom(addr)
		m.peers, peers = append(m.peers, p), append(peers, p)
		p.say(`{"type":"auth","token":"token-of-ada"}`)
		if a := p.hear(); typeOf(t, a) != "auth_ok" {
			t.Fatal(a)
		}
	}
	network = netip.MustParsePrefix("192.0.2.0/24")
	m.move()
	assertHas(t, peers[0].hear(), `"reason":"banned"`)
	assertClosed(t, peers[0], 1008, "banned")
	peers[0].conn.Closed()
	peers[1].say(`{"type":"heartbeat"}`)
	if a := peers[1].hear(); typeOf(t, a) != "heartbeat" {
		t.Error(a)
	}
}

// Those who did not move have left, and others are told so. Their sessions can be resumed.
func TestMoveLeft(t *testing.T) {
	m := newMover(t, nil)
	ada, bob := m.enter("ada", `"presence"`), m.connect()
	bob.say(`{"type":"auth","token":"token-of-bob"}`)
	ok := bob.hear()
	also := m.enter("bob", "")
	m.join(ada, "lobby")
	m.join(bob, "lobby")
	m.settle()
	ada.leftover()
	also.leftover()
	m.move(bob)
	assertNothing(t, ada) // bob has another connection
	m.move(also)
	if events := eventsOf(t, []string{ada.hear()}); !slices.Equal(events, []string{"left u_bob lobby"}) {
		t.Errorf("%q", events)
	}
	again := m.connect()
	again.say(fmt.Sprintf(`{"type":"auth","session_id":%q,"resume_key":%q}`, fieldOf(t, ok, "session_id"), fieldOf(t, ok, "resume_key")))
	assertHas(t, again.hear(), `"auth_ok"`, `"resumed":true`)
	again.say(`{"type":"sessions"}`)
	if list := again.hear(); strings.Count(list, `"connections":1`) != 1 || strings.Count(list, `"connections":0`) != 1 {
		t.Error(list)
	}
}

// What waits for its time does so in the new process, in order.
func TestMoveThrottled(t *testing.T) {
	m := newMover(t, func(c *chat.Config) { c.Limits.MessagesPerSecond, c.Limits.Burst = 1, 2 })
	ada := m.enter("ada", "")
	ada.open("lobby")
	m.clock.advance(10 * time.Second)
	for i := range 6 {
		ada.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d","ref":"r%d"}`, i, i))
	}
	ada.rest()
	heard := ada.leftover()
	for range 3 {
		m.clock.advance(900 * time.Millisecond)
		m.move()
		m.clock.advance(100 * time.Millisecond)
		ada.rest()
		heard = append(heard, ada.leftover()...)
	}
	if len(heard) != 2*5 {
		t.Errorf("after 3 s, %d answers and messages: %q", len(heard), heard)
	}
	m.clock.advance(time.Second)
	ada.rest()
	heard = append(heard, ada.leftover()...)
	for i := range heard {
		assertHas(t, heard[i], []string{`"ack"`, `"group"`}[i%2], fmt.Sprintf(`"seq":%d`, i/2+2))
	}
}

// What a user may do in a day is used up in the new process, too.
func TestMoveLimits(t *testing.T) {
	m := newMover(t, func(c *chat.Config) { c.Limits.UserRoomsPerHour, c.Limits.AddressRoomsPerHour = 2, 3 })
	ada, bob := m.enter("ada", ""), m.enter("bob", "")
	ada.open("one")
	ada.open("two")
	m.move()
	ada.say(`{"type":"group","receiver_id":"three","content":"x","ref":"x"}`)
	assertHas(t, ada.hear(), "too_many_new_rooms", "this user")
	bob.open("four")
	m.move()
	bob.say(`{"type":"group","receiver_id":"five","content":"x","ref":"x"}`)
	assertHas(t, bob.hear(), "too_many_new_rooms", "address")
	m.clock.advance(30 * time.Minute)
	m.move()
	bob.open("six")
}

// Times go on where they were.
func TestMoveTimes(t *testing.T) {
	m := newMover(t, func(c *chat.Config) { c.Limits.Errors = 3 })
	silent, wrong := m.connect(), m.enter("eve", "")
	expires := m.connect()
	expires.say(fmt.Sprintf(`{"type":"auth","token":"token-of-bob-until-%d","features":["system"]}`, m.clock.Now().Unix()+90))
	expires.hear()
	expires.rest()
	m.peers = m.peers[:len(m.peers):len(m.peers)]
	for range 2 {
		wrong.say(`{"type":"join","receiver_id":"u_"}`)
		assertHas(t, wrong.hear(), `"error"`)
	}
	m.clock.advance(3 * time.Second)
	m.move()
	m.clock.advance(1900 * time.Millisecond)
	m.settle()
	assertNothing(t, silent)
	m.clock.advance(200 * time.Millisecond)
	assertHas(t, silent.hear(), "auth_timeout")
	silent.hearClose()

	m.clock.advance(30 * time.Second)
	assertHas(t, expires.hear(), "token_expiring")
	m.move()
	m.clock.advance(20 * time.Second)
	m.settle()
	assertNothing(t, expires) // once is enough
	wrong.say(`{"type":"join","receiver_id":"u_"}`)
	assertHas(t, wrong.hear(), `"error"`)
	if code, _ := wrong.hearClose(); code != 1008 {
		t.Errorf("the third error in a minute: %d", code)
	}
	m.clock.advance(40 * time.Second)
	assertHas(t, expires.hear(), "token_expired")
}

// Messages that arrive while the hub is frozen are answered when it is thawed: here, or in the other
// process.
func TestMoveWaiting(t *testing.T) {
	m := newMover(t, nil)
	ada, late := m.enter("ada", ""), m.connect()
	ada.open("lobby")
	f := m.freeze()
	ada.say(`{"type":"group","receiver_id":"lobby","content":"second","ref":"2"}`)
	ada.say(`{"type":"heartbeat"}`)
	ada.say(`{"type":"history","receiver_id":"lobby","ref":"h"}`)
	late.say(`{"type":"auth","token":"token-of-bob"}`)
	late.say(`{"type":"join","receiver_id":"lobby"}`)
	assertHas(t, ada.hear(), `"heartbeat"`)
	assertNothing(t, ada)
	assertNothing(t, late)
	f.Thaw()
	assertHas(t, ada.hear(), `"ack"`, `"2"`)
	assertHas(t, ada.hear(), `"second"`)
	assertHas(t, ada.hear(), `"history"`, `"second"`)
	assertHas(t, late.hear(), `"auth_ok"`)
	assertHas(t, late.hear(), `"ack"`)
	m.settle()
	late.leftover()

	m.freezeAnd(func() {
		ada.say(`{"type":"group","receiver_id":"lobby","content":"third","ref":"3"}`)
		late.say(`{"type":"leave","receiver_id":"lobby"}`)
	})
	assertHas(t, ada.hear(), `"ack"`, `"3"`)
	assertHas(t, ada.hear(), `"third"`)
	last := late.hear()
	if strings.Contains(last, "third") {
		last = late.hear()
	}
	assertHas(t, last, `"ack"`)
}

// freezeAnd moves, and does something between the freezing and the writing.
func (m *mover) freezeAnd(do func()) {
	m.t.Helper()
	f := m.freeze()
	do()
	f.Pass() // the next Freeze finds what waits
	m.move()
}

// A client that catches up goes on where it was: it gets everything once, in order, and then what is
// new. Others say something all the time.
func TestMoveCatchUp(t *testing.T) {
	m := newMover(t, func(c *chat.Config) { c.Pages.ResumePage, c.Limits.MessagesPerSecond = 4, 0 })
	ada, first := m.enter("ada", ""), m.connect()
	ada.open("lobby")
	first.say(`{"type":"auth","token":"token-of-bob"}`)
	ok := first.hear()
	m.join(first, "lobby")
	ada.say(`{"type":"message","receiver_id":"u_bob","content":"p0"}`)
	position := map[string]string{"lobby": fieldOf(t, ok, "epoch") + ".0.0", "u_ada": fieldOf(t, ok, "epoch") + ".0.0"}
	m.settle()
	first.conn.Closed()
	m.peers = []*peer{ada}
	said := map[string]int{"lobby": 1, "u_ada": 1}
	say := func(n int) {
		for range n {
			ada.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"g%d"}`, said["lobby"]))
			ada.say(fmt.Sprintf(`{"type":"message","receiver_id":"u_bob","content":"p%d"}`, said["u_ada"]))
			said["lobby"]++
			said["u_ada"]++
		}
		m.settle()
	}
	say(20)
	bob := m.connect()
	bob.mu.Lock()
	bob.buffered = 1 << 20 // it does not read
	bob.mu.Unlock()
	bob.say(fmt.Sprintf(`{"type":"auth","session_id":%q,"resume_key":%q,"resume":{"positions":{"lobby":%q,"u_ada":%q},"since":0}}`,
		fieldOf(t, ok, "session_id"), fieldOf(t, ok, "resume_key"), position["lobby"], position["u_ada"]))
	assertHas(t, bob.hear(), `"auth_ok"`)
	var heard []string
	for round := range 40 {
		m.move()
		ada.leftover()
		for range round % 2 {
			ada.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"g%d"}`, said["lobby"]))
			ada.say(fmt.Sprintf(`{"type":"message","receiver_id":"u_bob","content":"p%d"}`, said["u_ada"]))
			said["lobby"]++
			said["u_ada"]++
		}
		if round%3 == 2 {
			bob.mu.Lock()
			bob.buffered = 0
			bob.mu.Unlock()
		}
		m.clock.advance(2 * time.Second)
		bob.mu.Lock()
		bob.buffered = 1 << 20
		bob.mu.Unlock()
	}
	bob.mu.Lock()
	bob.buffered = 0
	bob.mu.Unlock()
	for !slices.ContainsFunc(heard, func(s string) bool { return strings.Contains(s, `"status":"done"`) }) {
		m.clock.advance(2 * time.Second)
		heard = append(heard, bob.hear())
		heard = append(heard, bob.leftover()...)
	}
	m.settle()
	bob.say(`{"type":"group","receiver_id":"lobby","content":"end"}`)
	for !strings.Contains(strings.Join(heard, " "), `"end"`) {
		heard = append(heard, bob.hear())
	}
	text := strings.Join(heard, " ")
	for _, kind := range []string{"g", "p"} {
		at := -1
		for i := 1; i < said["lobby"]; i++ {
			content := fmt.Sprintf(`"content":"%s%d"`, kind, i)
			if n := strings.Count(text, content); n != 1 {
				t.Errorf("%s came %d times", content, n)
			}
			if next := strings.Index(text, content); next < at {
				t.Errorf("%s came too early", content)
			} else {
				at = next
			}
		}
	}
	if strings.Contains(text, `"reload"`) {
		t.Errorf("it has to read everything anew: %s", text)
	}
}
