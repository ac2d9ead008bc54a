package enginetest

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/memory"
)

// vault is a Place for an engine in memory.
type vault struct{}

func (vault) Open(_ *testing.T, c chat.Clock) chat.Engine {
	return memory.New(c, slog.New(slog.DiscardHandler)).Parts()
}
func (vault) Close(*testing.T) {}
func (vault) Durable() bool    { return false }

// Each of these faults is planted between an engine, the hubs and the connections, and the
// model must report it within some scripts. Faults inside the hub and the brokers were tried
// by hand, and are found, too: a hub that does not hold changes until their results arrive,
// drops changes that arrive while it subscribes, ignores positions, or forgets to report a
// loss or to tell the second of two people; a doorbell.Node that does not compare epochs, read
// at probes, try again, move its position, read inboxes, or go back to a hint's position.
func TestModelFindsFaults(t *testing.T) {
	for _, fault := range append([]fault{
		{"a delivery is dropped", func(g *stage) { g.receive(func(n int32) int { return oneIn(n, 20, 0) }) }},
		{"a delivery comes twice", func(g *stage) { g.receive(func(n int32) int { return oneIn(n, 20, 2) }) }},
		{"two deliveries change places", func(g *stage) { g.broker(func(b *faulty) { b.swap = true }) }},
		{"the position of a subscription is read before it begins", func(g *stage) { g.broker(func(b *faulty) { b.readFirst = true }) }},
		{"a loss is not told", func(g *stage) { g.broker(func(b *faulty) { b.forgetful = true }) }},
		{"a loss is told as of another position", func(g *stage) { g.broker(func(b *faulty) { b.wrongTail = true }) }},
		{"people are not followed", func(g *stage) { g.broker(func(b *faulty) { b.unfollowing = true }) }},
		{"an acknowledgement comes after the message", func(g *stage) { g.send = acknowledgeLate }},
		{"something is acknowledged and not stored", func(g *stage) { g.log(func(l *liar) { l.lies = true }) }},
		{"something is stored twice", func(g *stage) { g.log(func(l *liar) { l.repeats = true }) }},
		{"nobody leaves a room", func(g *stage) { g.broker(func(b *faulty) { b.stay = true }) }},
		{"somebody is in another room", func(g *stage) { g.broker(func(b *faulty) { b.elsewhere = true }) }},
		{"a report of a membership is lost", func(g *stage) { g.broker(func(b *faulty) { b.unreported = true }) }},
		{"an end of a membership is not stored", func(g *stage) { g.members(func(m *forgetful) { m.keeps = true }) }},
		{"a beginning of a membership is not stored", func(g *stage) { g.members(func(m *forgetful) { m.refuses = true }) }},
		{"a room of a user is not listed", func(g *stage) { g.members(func(m *forgetful) { m.hides = true }) }},
		{"a connection is told that it hears a room one too early", func(g *stage) { g.send = tellEarly }},
		{"who is banned is let in", func(g *stage) {
			g.engine = func(e chat.Engine) chat.Engine { e.Bans = lenient{e.Bans}; return e }
		}},
		{"who is banned goes on", func(g *stage) {
			g.engine = func(e chat.Engine) chat.Engine { e.Broker = sparing{e.Broker, chat.UserBanned}; return e }
		}},
		{"who is deleted goes on", func(g *stage) {
			g.engine = func(e chat.Engine) chat.Engine { e.Broker = sparing{e.Broker, chat.UserDeleted}; return e }
		}},
		{"memberships of guests stay", func(g *stage) {
			g.newPlace = func(*testing.T) Place { return registering{} }
		}},
		{"memberships of guests end with any session", func(g *stage) {
			g.engine = func(e chat.Engine) chat.Engine { e.Sessions = hasty{e.Sessions, e.Members}; return e }
		}},
		{"a connection hears a room that it has left", func(g *stage) { g.fanout = func() chat.Fanout { return deaf{newFan()} } }},
	}, resumeFaults...) {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			g := &stage{newPlace: func(*testing.T) Place { return vault{} }, patience: time.Second}
			fault.plant(g)
			for seed := range uint64(400) {
				s := randomScript(rand.New(rand.NewPCG(seed, 0)), 300, true)
				err := g.play(t, s, seed)
				if err == nil {
					continue
				}
				t.Logf("found by seed %d: %v", seed, err)
				return
			}
			t.Error("400 scripts have not found it")
		})
	}
}

// Only what a fault needs is left of a script: to hear a message twice, a connection must open
// and send it.
func TestShrinkFault(t *testing.T) {
	g := &stage{newPlace: func(*testing.T) Place { return vault{} }, patience: patience}
	g.receive(func(int32) int { return 2 })
	s := randomScript(rand.New(rand.NewPCG(7, 0)), 300, true)
	err := g.play(t, s, 7)
	if err == nil {
		t.Fatal("the script does not fail to begin with")
	}
	s, err = g.shortest(t, s, err, 7)
	t.Logf("%v\nscript:\n%s", err, s)
	if len(s) != 2 {
		t.Errorf("%d steps are left, want 2", len(s))
	}
}

// A failing script is shrunk as far as possible, and printed in a form that can be parsed
// again.
func TestShrink(t *testing.T) {
	s := randomScript(rand.New(rand.NewPCG(1, 2)), 300, true)
	fails := func(s script) error {
		open := false
		for _, st := range s {
			switch {
			case st.conn == 3 && st.verb == "open":
				open = true
			case st.conn == 3 && st.verb == "say" && st.what == "attic" && open:
				return context.Canceled
			}
		}
		return nil
	}
	if fails(s) == nil {
		t.Fatal("the script does not fail to begin with")
	}
	got, err := shrink(s, context.Canceled, fails, 1000)
	if len(got) != 2 || err == nil || fails(parseScript(got.String())) == nil {
		t.Errorf("shrunk to %v:\n%s", err, got)
	}
	if again := parseScript(s.String()); again.String() != s.String() {
		t.Error("a script that is printed and read again is another one")
	}
}

// oneIn returns how often delivery n is made: special one time in k, otherwise once.
func oneIn(n int32, k int32, special int) int {
	if n%k == 0 {
		return special
	}
	return 1
}

func (g *stage) receive(times func(n int32) int) { g.broker(func(b *faulty) { b.times = times }) }

func (g *stage) broker(plant func(*faulty)) {
	g.engine = func(e chat.Engine) chat.Engine {
		b := &faulty{Broker: e.Broker, log: e.Log}
		plant(b)
		e.Broker = b
		return e
	}
}

func (g *stage) members(plant func(*forgetful)) {
	g.engine = func(e chat.Engine) chat.Engine {
		m := &forgetful{Members: e.Members}
		plant(m)
		e.Members = m
		return e
	}
}

func (g *stage) log(plant func(*liar)) {
	g.engine = func(e chat.Engine) chat.Engine {
		l := &liar{Log: e.Log}
		plant(l)
		e.Log = l
		return e
	}
}

// faulty is a Broker that does not keep the contract.
type faulty struct {
	chat.Broker
	log   chat.Log
	times func(n int32) int // how often a delivery is made

	swap, readFirst, forgetful, wrongTail, unfollowing, stay, elsewhere, unreported, endsAtOne bool

	nodes int
}

func (b *faulty) Attach(r chat.Receiver) chat.Node {
	b.nodes++
	return &faultyNode{b.Broker.Attach(&faultyReceiver{Receiver: r, faulty: b, first: b.nodes == 1, kept: map[chat.Conversation]*chat.Change{}}), b}
}

type faultyNode struct {
	chat.Node
	*faulty
}

func (n *faultyNode) Subscribe(ctx context.Context, c chat.Conversation) (chat.Tail, error) {
	if !n.readFirst {
		return n.Node.Subscribe(ctx, c)
	}
	tail, _ := n.log.Tail(ctx, c)
	time.Sleep(200 * time.Microsecond)
	_, err := n.Node.Subscribe(ctx, c)
	return tail, err
}

func (n *faultyNode) Connect(ctx context.Context, userID string) (chat.User, error) {
	u, err := n.Node.Connect(ctx, userID)
	if n.unfollowing {
		n.Node.Disconnect(userID)
	}
	return u, err
}

func (n *faultyNode) Leave(room, userID string) {
	if !n.stay {
		n.Node.Leave(room, userID)
	}
}

func (n *faultyNode) Enter(room, userID string) {
	if n.elsewhere {
		room = rooms[0]
	}
	n.Node.Enter(room, userID)
}

type faultyReceiver struct {
	chat.Receiver
	*faulty
	n     atomic.Int32
	first bool

	mu   sync.Mutex
	kept map[chat.Conversation]*chat.Change
}

func (r *faultyReceiver) Deliver(c chat.Conversation, ch *chat.Change) {
	n := r.n.Add(1)
	switch {
	case r.times != nil:
		for range r.times(n) {
			r.Receiver.Deliver(c, ch)
		}
	case r.swap:
		r.mu.Lock()
		before := r.kept[c]
		delete(r.kept, c)
		if before == nil && n%10 == 0 {
			r.kept[c] = ch
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
		r.Receiver.Deliver(c, ch)
		if before != nil {
			r.Receiver.Deliver(c, before)
		}
	default:
		r.Receiver.Deliver(c, ch)
	}
}

func (r *faultyReceiver) Lost(c chat.Conversation, now chat.Tail) {
	if r.wrongTail {
		now.Change, now.Seq = now.Change+1, now.Seq+1
	}
	if !r.forgetful {
		r.Receiver.Lost(c, now)
	}
}

func (r *faultyReceiver) Member(userID, room string, joined bool) {
	if n := r.n.Add(1); !r.unreported || n%4 != 0 {
		r.Receiver.Member(userID, room, joined)
	}
}

func (r *faultyReceiver) Ended(userID, sessionID string, why chat.Ending) {
	if r.first || !r.endsAtOne {
		r.Receiver.Ended(userID, sessionID, why)
	}
}

// forgetful is a Members that does not keep the contract.
type forgetful struct {
	chat.Members
	n                     atomic.Int32
	keeps, refuses, hides bool
}

func (m *forgetful) Join(ctx context.Context, room, userID string) (bool, error) {
	if m.refuses && m.n.Add(1)%5 == 0 {
		return true, nil
	}
	return m.Members.Join(ctx, room, userID)
}

func (m *forgetful) Leave(ctx context.Context, room, userID string) (bool, error) {
	if m.keeps && m.n.Add(1)%5 == 0 {
		return true, nil
	}
	return m.Members.Leave(ctx, room, userID)
}

func (m *forgetful) RoomsOf(ctx context.Context, userID, after string, limit int) ([]chat.Membership, bool, error) {
	rooms, more, err := m.Members.RoomsOf(ctx, userID, after, limit)
	if m.hides && len(rooms) > 0 && limit > 10 { // but not within the check itself
		rooms = rooms[1:]
	}
	return rooms, more, err
}

// liar is a Log whose results are false.
type liar struct {
	chat.Log
	n                    atomic.Int32
	lies, repeats, skips bool
}

func (l *liar) Changes(ctx context.Context, c chat.Conversation, after uint64, limit int) ([]chat.Change, bool, error) {
	changes, more, err := l.Log.Changes(ctx, c, after, limit)
	if l.skips && len(changes) > 1 {
		changes = append(changes[:1], changes[2:]...)
	}
	return changes, more, err
}

func (l *liar) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	for i := range entries {
		switch n := l.n.Add(1); {
		case l.lies && n%20 == 0:
			tail, _ := l.Tail(ctx, entries[i].Conversation)
			done(i, chat.Result{Change: chat.Change{Number: tail.Change + 1, Seq: tail.Seq + 1, Epoch: tail.Epoch, ID: "invented"}})
		case l.repeats && n%20 == 0:
			again := *entries[i].Message
			again.Ref = ""
			l.Log.Append(ctx, []chat.Entry{{Conversation: entries[i].Conversation, Message: &again}}, func(int, chat.Result) {})
			fallthrough
		default:
			l.Log.Append(ctx, entries[i:i+1], func(_ int, r chat.Result) { done(i, r) })
		}
	}
}

// acknowledgeLate holds every fifth acknowledgement until the socket is sent another message.
func acknowledgeLate(s *socket, ev event) {
	held := s.withheld
	s.withheld = nil
	if ev.Type == "ack" && ev.ID != "" && ev.Seq%5 == 0 {
		s.withheld = append(s.withheld, ev)
	} else {
		s.hear(ev)
	}
	for _, ev := range held {
		s.hear(ev)
	}
}

// tellEarly makes a connection believe that it hears a room from the last message on, and not
// only after it.
func tellEarly(s *socket, ev event) {
	if ev.Event == "subscribed" && ev.Seq > 0 {
		ev.Seq--
	}
	s.hear(ev)
}

// deaf is a Fanout that no connection can leave.
type deaf struct{ chat.Fanout }

func (deaf) Leave(chat.Socket) {}

// lenient knows no bans.
type lenient struct{ chat.Bans }

func (lenient) OfUser(string) (chat.Ban, bool) { return chat.Ban{}, false }

// sparing does not report sessions that have ended for a reason.
type sparing struct {
	chat.Broker
	why chat.Ending
}

func (b sparing) Attach(r chat.Receiver) chat.Node { return b.Broker.Attach(sparingReceiver{r, b.why}) }

type sparingReceiver struct {
	chat.Receiver
	why chat.Ending
}

func (r sparingReceiver) Ended(userID, sessionID string, why chat.Ending) {
	if why != r.why {
		r.Receiver.Ended(userID, sessionID, why)
	}
}

// registering is a vault without guests.
type registering struct{ vault }

func (r registering) Open(t *testing.T, c chat.Clock) chat.Engine {
	e := r.vault.Open(t, c)
	e.Directory = unguested{e.Directory}
	return e
}

type unguested struct{ chat.Directory }

func (d unguested) PutUser(ctx context.Context, u chat.User) error {
	u.Guest = false
	return d.Directory.PutUser(ctx, u)
}

// hasty are Sessions that end a guest's memberships with each session that the guest ends.
type hasty struct {
	chat.Sessions
	members chat.Members
}

func (s hasty) End(ctx context.Context, userID, id string, why chat.Ending) (int, error) {
	n, err := s.Sessions.End(ctx, userID, id, why)
	for _, room := range rooms {
		if slices.Contains(guests, userID) {
			s.members.Leave(ctx, room, userID)
		}
	}
	return n, err
}
