package chat_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// lateBroker delivers late, as an engine whose changes can be read before nodes are told.
type lateBroker struct {
	chat.Broker
	mu   sync.Mutex
	gate chan struct{} // nil: open
}

type lateReceiver struct {
	chat.Receiver
	b *lateBroker
}

func (b *lateBroker) Attach(r chat.Receiver) chat.Node { return b.Broker.Attach(lateReceiver{r, b}) }

func (r lateReceiver) Deliver(c chat.Conversation, ch *chat.Change) {
	r.b.mu.Lock()
	gate := r.b.gate
	r.b.mu.Unlock()
	if gate != nil {
		<-gate
	}
	r.Receiver.Deliver(c, ch)
}

// A change that is stored when the client resumes, and delivered later, comes once.
func TestStoredNotYetDelivered(t *testing.T) {
	for _, private := range []bool{false, true} {
		t.Run(fmt.Sprint("private ", private), func(t *testing.T) {
			c := newClock()
			parts := newMemory(t, c)
			late := &lateBroker{Broker: parts.Broker}
			parts.Broker = late
			h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = parts })
			bob := h.enter("bob", "")
			bob.say(say("lobby", "1"))
			bob.say(`{"type":"message","receiver_id":"u_ada","content":"1"}`)
			h.settle()
			var d device
			p := h.connect()
			p.say(`{"type":"auth","token":"token-of-ada"}`)
			p.say(`{"type":"join","receiver_id":"lobby"}`)
			d.hears(h, p)
			conv := chat.RoomConversation("lobby")
			if private {
				conv = chat.PrivateConversation("u_ada", "u_bob")
				bob.say(`{"type":"message","receiver_id":"u_ada","content":"2"}`)
				d.hears(h, p)
			}
			h.leave(p)
			bob.say(say("lobby", "2"))
			h.settle()
			late.mu.Lock()
			late.gate = make(chan struct{})
			late.mu.Unlock()
			stored := make(chan struct{})
			over := make(chan struct{})
			go func() { // another node's message
				defer close(over)
				parts.Log.Append(ctx, []chat.Entry{{Conversation: conv, Message: &chat.Message{Sender: "u_bob", SenderName: "Bob", Timestamp: "1", Content: "twice", Metadata: []byte("{}")}}},
					func(int, chat.Result) { close(stored) })
			}()
			<-stored
			p = h.back(&d)
			var heard []string
			for {
				m := p.tell()
				heard = append(heard, m.summary())
				if m.Status == "done" {
					break
				}
			}
			late.mu.Lock()
			close(late.gate)
			late.gate = nil
			late.mu.Unlock()
			<-over
			h.settle()
			for p.some() {
				heard = append(heard, p.tell().summary())
			}
			if n := strings.Count(strings.Join(heard, "\n"), "twice"); n != 1 {
				t.Errorf("heard the message %d times: %q", n, heard)
			}
		})
	}
}

// A deleted user whose connection is still there does not log in again.
func TestDeletedDoesNotLogIn(t *testing.T) {
	for _, memory := range []bool{true, false} {
		h := newHouse(t, func(cfg *chat.Config) {
			if memory {
				cfg.Engine = newMemory(t, newClock())
			}
		})
		old := h.enter("bob", "")
		if err := h.hub.DeleteUser(ctx, "u_bob"); err != nil {
			t.Fatal(err)
		}
		h.wantTold(old, "error user_deleted") // but its Close is not answered yet
		p := h.connect()
		p.say(`{"type":"auth","token":"token-of-bob"}`)
		if m := p.tell(); m.Reason != "token_refused" {
			t.Errorf("memory %v: a deleted user is told %+v", memory, m)
		}
		old.conn.Closed()
		p.say(say("lobby", "I am deleted"))
		h.settle()
		for p.some() {
			t.Log(p.tell().summary())
		}
	}
}

// banningBroker does something when a node connects a user.
type banningBroker struct {
	chat.Broker
	do func(user string)
}
type banningNode struct {
	chat.Node
	b *banningBroker
}

func (b *banningBroker) Attach(r chat.Receiver) chat.Node { return banningNode{b.Broker.Attach(r), b} }
func (n banningNode) Connect(ctx context.Context, user string) (chat.User, error) {
	u, err := n.Node.Connect(ctx, user)
	n.b.do(user)
	return u, err
}

// A ban, a logout or a deletion that comes during a log-in counts.
func TestEndedDuringLogIn(t *testing.T) {
	c := newClock()
	parts := newMemory(t, c)
	b := &banningBroker{Broker: parts.Broker, do: func(string) {}}
	parts.Broker = b
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = parts })
	var d device
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	d.hears(h, p)
	h.leave(p)
	for name, do := range map[string]func(string){
		"ban":    func(u string) { h.hub.Ban(ctx, chat.Ban{UserID: u, Reason: "spam"}) },
		"logout": func(u string) { parts.Sessions.End(ctx, u, "", chat.LoggedOut) },
	} {
		for _, auth := range []string{d.auth(), `{"type":"auth","token":"token-of-ada"}`} {
			if name == "logout" && auth != d.auth() {
				continue
			}
			// a session to be resumed
			b.do = func(string) {}
			h.hub.Unban(ctx, "u_ada")
			q := h.connect()
			q.say(`{"type":"auth","token":"token-of-ada"}`)
			var e device
			e.hears(h, q)
			h.leave(q)
			if strings.Contains(auth, "resume_key") {
				auth = e.auth()
			}
			b.do = do
			p := h.connect()
			p.say(auth)
			h.settle()
			b.do = func(string) {}
			p.leftover()
			p.say(say("lobby", "still here"))
			h.settle()
			p.mu.Lock()
			if p.closed == 0 {
				t.Errorf("%s, %.40s: the connection is open, and hears %q", name, auth, p.received)
			}
			p.mu.Unlock()
			p.conn.Closed()
			h.settle()
		}
	}
}

// A connection that ends between auth_ok and the list of new private conversations hides none
// of them from the next one.
func TestResumeSince(t *testing.T) {
	c := newClock()
	parts := newMemory(t, c)
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = parts })
	bob := h.enter("bob", "")
	var d device
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	d.hears(h, p)
	h.leave(p)
	h.clock.advance(time.Second)
	bob.say(`{"type":"message","receiver_id":"u_ada","content":"psst"}`)
	h.settle()
	h.clock.advance(time.Second)
	p = h.connect()
	p.buffered = 1 << 20 // it reads slowly
	p.say(d.auth())
	m := p.tell()
	d.take(m) // auth_ok, and then the network is gone
	p.conn.Closed()
	h.clock.advance(time.Second)
	h.settle()
	p = h.back(&d)
	want(t, d.hears(h, p), "auth_ok", "resume new u_bob", "resume done")
}

// A private conversation gets another history while the client catches up.
func TestPrivateLostDuringResume(t *testing.T) {
	c := newClock()
	parts := newMemory(t, c)
	log := &gatedLog{Log: parts.Log, asked: make(chan struct{}), gate: make(chan struct{})}
	forget := parts.Log.(interface{ Forget(chat.Conversation) })
	parts.Log = log
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = parts })
	bob := h.enter("bob", "")
	says := func(content string) {
		bob.say(`{"type":"message","receiver_id":"u_ada","content":"` + content + `"}`)
		bob.rest()
	}
	var d device
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	h.settle()
	says("1")
	d.hears(h, p)
	h.leave(p)
	says("2")
	p = h.back(&d)
	<-log.asked
	conv := chat.PrivateConversation("u_ada", "u_bob")
	forget.Forget(conv)
	says("new 1")
	says("new 2")
	log.gate <- struct{}{}
	h.settle()
	now := h.tail(conv)
	var heard []string
	reloadAt, epoch := uint64(0), ""
	for p.some() {
		text := p.hear()
		heard = append(heard, text)
		if strings.Contains(text, `"status":"reload"`) {
			fmt.Sscanf(text[strings.Index(text, `"seq":`):], `"seq":%d`, &reloadAt)
			epoch = text
		}
	}
	all := strings.Join(heard, "\n")
	if !strings.Contains(epoch, now.Epoch) {
		t.Errorf("reload does not name the epoch %s: %s", now.Epoch, epoch)
	}
	if reloadAt < 2 && !strings.Contains(all, "new 2") {
		t.Errorf("live from position %d on, but message 2 did not come: %s", reloadAt, all)
	}
}

// Nothing is said any more of what a banned user's connection had waiting.
func TestBannedQueue(t *testing.T) {
	c := newClock()
	h := newHouseAt(t, c, func(cfg *chat.Config) {
		cfg.Engine = newMemory(t, c)
		cfg.Limits.MessagesPerSecond, cfg.Limits.Burst = 1, 1
	})
	ada, bob := h.enter("ada", ""), h.enter("bob", "")
	bob.say(`{"type":"join","receiver_id":"lobby"}`)
	h.clock.advance(time.Minute)
	ada.say(say("lobby", "1"))
	for i := range 8 {
		ada.say(say("lobby", fmt.Sprint("spam ", i)))
	}
	ada.rest()
	bob.leftover()
	if err := h.hub.Ban(ctx, chat.Ban{UserID: "u_ada", Reason: "spam"}); err != nil {
		t.Fatal(err)
	}
	for range 9 {
		h.clock.advance(time.Second)
		h.settle()
	}
	for _, m := range bob.leftover() {
		if strings.Contains(m, "spam") {
			t.Errorf("after the ban: %.120s", m)
		}
	}
}

// A lower limit of rooms takes no member out of a room.
func TestGoneOnlyIfNotAMember(t *testing.T) {
	c := newClock()
	parts := newMemory(t, c)
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = parts; cfg.Limits.Rooms = 1 })
	parts.Members.Join(ctx, "attic", "u_ada")
	parts.Members.Join(ctx, "lobby", "u_ada")
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada","resume":{"positions":{"lobby":"x.0.0"}}}`)
	for _, m := range allTold(h, p) {
		if is, _ := parts.Members.IsMember(ctx, "lobby", "u_ada"); m.Status == "gone" && is {
			t.Errorf("%s of a room of which she is a member", m.summary())
		}
	}
}

// A room that this connection does not hear can be left.
func TestLeaveUnsubscribed(t *testing.T) {
	c := newClock()
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = newMemory(t, c) })
	ada := h.enter("ada", "")
	for _, m := range []string{"join", "unsubscribe", "leave"} {
		ada.say(`{"type":"` + m + `","receiver_id":"attic"}`)
		h.settle()
		if m := ada.tell(); m.Type != "ack" {
			is, _ := h.engine.Members.IsMember(ctx, "attic", "u_ada")
			t.Errorf("%s; she is a member: %v", m.summary(), is)
		}
	}
}

// Many changes of memberships at once do not close a connection.
func TestMembershipStorm(t *testing.T) {
	c := newClock()
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = newMemory(t, c); cfg.Limits = chat.Limits{} })
	p := h.connect()
	p.buffered = 1 << 20
	p.say(`{"type":"auth","token":"token-of-ada","resume":{}}`)
	if m := p.tell(); m.Type != "auth_ok" {
		t.Fatal(m)
	}
	for range 600 {
		h.engine.Members.Join(ctx, "lobby", "u_ada")
		h.engine.Members.Leave(ctx, "lobby", "u_ada")
	}
	p.mu.Lock()
	p.buffered = 0
	p.mu.Unlock()
	h.clock.advance(time.Second)
	h.settle()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed != 0 {
		t.Errorf("closed with %d %s: the client has sent nothing but auth", p.closed, p.reason)
	}
}

// A client that was told more than this node has delivered yet, by another node, need not
// reload, and hears nothing twice.
func TestClientAheadOfNode(t *testing.T) {
	a := newAhead(t)
	p := a.resume("")
	a.deliver()
	a.h.settle()
	for p.some() {
		t.Errorf("then heard again: %s", p.tell().summary())
	}
}

// Although it hears no messages there yet, it hears who comes to the room and leaves it: it may have
// asked who is there, and nobody would tell it later.
func TestClientAheadHearsPresence(t *testing.T) {
	a := newAhead(t)
	p := a.resume(`"features":["presence"],`)
	eve := a.h.enter("eve", "")
	eve.say(`{"type":"join","receiver_id":"lobby"}`)
	eve.say(`{"type":"leave","receiver_id":"lobby"}`)
	for _, want := range []string{"Eve joined", "Eve left"} {
		if m := p.hear(); !strings.Contains(m, want) {
			t.Errorf("heard %s, want %s", m, want)
		}
	}
	p.say(`{"type":"leave","receiver_id":"lobby"}`)
	p.hear() // the acknowledgement
	eve.say(`{"type":"join","receiver_id":"lobby"}`)
	a.h.settle()
	for p.some() {
		t.Errorf("after it left: %s", p.hear())
	}
	a.deliver()
}

// ahead is a room with two messages. The node has delivered the first, and not yet the second.
type ahead struct {
	h    *house
	late *lateBroker
	at   chat.Change // the second
	over chan struct{}
}

func newAhead(t *testing.T) *ahead {
	c := newClock()
	parts := newMemory(t, c)
	a := &ahead{late: &lateBroker{Broker: parts.Broker}, over: make(chan struct{})}
	parts.Broker = a.late
	a.h = newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = parts })
	bob := a.h.enter("bob", "")
	bob.say(say("lobby", "1"))
	a.h.settle()
	parts.Members.Join(ctx, "lobby", "u_ada")
	a.late.mu.Lock()
	a.late.gate = make(chan struct{})
	a.late.mu.Unlock()
	stored := make(chan struct{})
	go func() {
		defer close(a.over)
		parts.Log.Append(ctx, []chat.Entry{{Conversation: "r:lobby", Message: &chat.Message{Sender: "u_bob", SenderName: "Bob", Timestamp: "1", Content: "2", Metadata: []byte("{}")}}},
			func(_ int, r chat.Result) { a.at = r.Change; close(stored) })
	}()
	<-stored
	return a
}

// resume lets a client of Ada's resume that holds both messages. fields are added to its auth.
func (a *ahead) resume(fields string) *peer {
	p := a.h.connect()
	p.say(fmt.Sprintf(`{"type":"auth","token":"token-of-ada",%s"resume":{"positions":{"lobby":"%s.%d.%s"}}}`, fields, a.at.Epoch, a.at.Number, strconv.FormatUint(uint64(a.at.Tag), 36)))
	for {
		m := p.tell()
		if m.Status == "reload" {
			a.h.t.Errorf("told to reload a conversation of which the client holds everything")
		}
		if m.Status == "done" {
			return p
		}
	}
}

// deliver has the node deliver the second.
func (a *ahead) deliver() {
	a.late.mu.Lock()
	close(a.late.gate)
	a.late.gate = nil
	a.late.mu.Unlock()
	<-a.over
}

type hookFanout struct {
	chat.Fanout
	hook func(chat.Socket)
}

func (f hookFanout) Join(s chat.Socket) { f.hook(s); f.Fanout.Join(s) }

// A connection that could not catch up hears nothing newer: otherwise its client would take a
// position beyond what it has missed.
func TestFailedResumeHearsNothing(t *testing.T) {
	c := newClock()
	parts := newMemory(t, c)
	log := &failingLog{Log: parts.Log}
	parts.Log = log
	hook := func(chat.Socket) {}
	h := newHouseAt(t, c, func(cfg *chat.Config) {
		cfg.Engine = parts
		cfg.Sequencers = 4096
		cfg.NewFanout = func() chat.Fanout { return hookFanout{newFanout(), func(s chat.Socket) { hook(s) }} }
	})
	bob := h.enter("bob", "")
	var d device
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	p.say(`{"type":"join","receiver_id":"attic"}`)
	p.say(`{"type":"join","receiver_id":"lobby"}`)
	d.hears(h, p)
	h.leave(p)
	bob.say(say("attic", "missed"))
	h.settle()
	log.fail = true
	p = h.connect()
	joins := 0
	hook = func(s chat.Socket) {
		if s == chat.Socket(p) {
			if joins++; joins == 2 { // it hears the attic again, and not yet the lobby
				bob.say(say("attic", "newer"))
				for deadline := time.Now().Add(time.Second); bob.conn != nil && !bob.conn.Idle() && time.Now().Before(deadline); {
				}
			}
		}
	}
	p.say(fmt.Sprintf(`{"type":"auth","session_id":%q,"resume_key":%q,"resume":{"positions":{"attic":%q,"lobby":%q}}}`, d.session, d.key, d.positions["attic"], d.positions["lobby"]))
	p.hearClose()
	h.settle()
	heard := d.hears(h, p)
	p.conn.Closed()
	log.fail = false
	hook = func(chat.Socket) {}
	p = h.back(&d)
	heard = append(heard, d.hears(h, p)...)
	if !strings.Contains(strings.Join(heard, "\n"), "missed") || !strings.Contains(strings.Join(heard, "\n"), " missed") || strings.Contains(strings.Join(heard, "\n"), "newer") && !strings.Contains(strings.Join(heard, "\n"), "attic missed") {
		t.Errorf("heard %q: a message is missing", heard)
	}
}

type failingLog struct {
	chat.Log
	fail bool
}

func (l *failingLog) Changes(ctx context.Context, c chat.Conversation, after uint64, limit int) ([]chat.Change, bool, error) {
	if l.fail {
		return nil, false, errAway
	}
	return l.Log.Changes(ctx, c, after, limit)
}
