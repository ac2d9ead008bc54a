package chat_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// told are what tests need of the hub's messages.
type told struct {
	Type, Op, Event, Status, Reason string
	Receiver                        string `json:"receiver_id"`
	Content                         string
	Seq                             uint64
	Position                        string
	Session                         string `json:"session_id"`
	Key                             string `json:"resume_key"`
	Resumed                         bool
	Features                        []string
	Messages                        []told
	More                            bool  `json:"has_more"`
	ServerTS                        int64 `json:"server_ts"`
}

// tell reads the next message that a peer hears.
func (p *peer) tell() (m told) {
	p.t.Helper()
	text := p.hear()
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
	return m
}

// summary says what a message is about.
func (m told) summary() string {
	s := m.Type
	for _, more := range []string{m.Op, m.Event, m.Status, m.Receiver, m.Reason} {
		if more != "" {
			s += " " + more
		}
	}
	if m.Type == "group" || m.Type == "message" {
		s += " " + m.Content
	}
	for _, in := range m.Messages {
		s += " " + in.Content
	}
	if m.More {
		s += " …"
	}
	return s
}

// wantTold checks what a peer has heard since the last time, when the hub is at rest.
func (h *house) wantTold(p *peer, want ...string) {
	h.t.Helper()
	h.settle()
	var got []string
	for _, text := range p.leftover() {
		var m told
		if err := json.Unmarshal([]byte(text), &m); err != nil {
			h.t.Fatalf("%s: %v", text, err)
		}
		got = append(got, m.summary())
	}
	if diff := cmp.Diff(want, got); diff != "" {
		h.t.Errorf("(-want +heard):\n%s", diff)
	}
}

func say(room, content string) string {
	return `{"type":"group","receiver_id":"` + room + `","content":"` + content + `"}`
}

// A member hears a room on every device: on those that are there, on those that come later,
// and after a reconnect; until the user leaves.
func TestMembership(t *testing.T) {
	h := newHouse(t, nil)
	eve := h.enter("eve", "")
	phone, laptop := h.enter("ada", `"system"`), h.enter("ada", "")
	laptop.say(`{"type":"join","receiver_id":"lobby"}`)
	h.wantTold(laptop, "ack join lobby")
	h.wantTold(phone, "system subscribed lobby")
	eve.say(say("lobby", "one"))
	h.wantTold(laptop, "group lobby one")
	h.wantTold(phone, "group lobby one")

	laptop.conn.Closed()
	phone.conn.Closed()
	h.settle()
	eve.say(say("lobby", "two"))
	h.settle()
	simple := h.enter("ada", "")
	eve.say(say("lobby", "three"))
	h.wantTold(simple, "group lobby three")
	tablet := h.enter("ada", `"system"`)
	h.wantTold(tablet, "system subscribed lobby")

	simple.say(`{"type":"unsubscribe","receiver_id":"lobby"}`)
	h.wantTold(simple, "ack unsubscribe lobby")
	simple.say(`{"type":"unsubscribe","receiver_id":"lobby"}`)
	h.wantTold(simple, "ack unsubscribe lobby")
	eve.say(say("lobby", "four"))
	h.wantTold(simple)
	h.wantTold(tablet, "group lobby four")
	simple.say(`{"type":"join","receiver_id":"lobby"}`)
	h.wantTold(simple, "ack join lobby")
	tablet.say(`{"type":"leave","receiver_id":"lobby"}`)
	h.wantTold(tablet, "ack leave lobby")
	eve.say(say("lobby", "five"))
	h.wantTold(simple)
	h.wantTold(tablet)
	h.wantTold(h.enter("ada", `"system"`))
}

// What another node says of a membership is asked of the engine, because it may be old.
func TestMembershipElsewhere(t *testing.T) {
	h, b := newTappedHouse(t, nil)
	ada := h.enter("ada", `"system"`)
	b.hub.Member("u_ada", "lobby", true) // she has left since then
	h.wantTold(ada)
	for room, joined := range map[string]bool{"lobby": true, "attic": true} {
		if changed, err := h.engine.Members.Join(ctx, room, "u_ada"); !changed || err != nil {
			t.Fatal(changed, err)
		}
		h.settle()
		b.hub.Member("u_ada", room, joined)
		h.wantTold(ada, "system subscribed "+room)
	}
	b.hub.Member("u_ada", "lobby", false) // she has joined again since then
	h.wantTold(ada)
	h.engine.Members.Leave(ctx, "attic", "u_ada")
	h.wantTold(ada, "system unsubscribed attic")
	b.hub.Member("u_ada", "", false)
	b.hub.Member("u_nobody", "", false)
	h.wantTold(ada)
}

// A user is a member of as many rooms as the limit says, on all devices together.
func TestMembershipLimit(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) { cfg.Limits.Rooms = 2 })
	ada := h.enter("ada", "")
	for _, room := range []string{"a", "b", "c"} {
		ada.say(`{"type":"join","receiver_id":"` + room + `"}`)
	}
	h.wantTold(ada, "ack join a", "ack join b", "error too_many_rooms")
	ada.say(`{"type":"unsubscribe","receiver_id":"a"}`)
	ada.say(`{"type":"join","receiver_id":"c"}`)
	ada.say(`{"type":"join","receiver_id":"a"}`)
	h.wantTold(ada, "ack unsubscribe a", "error too_many_rooms", "ack join a")
	phone := h.enter("ada", "")
	phone.say(say("c", "x"))
	h.wantTold(phone, "error too_many_rooms")
	ada.say(`{"type":"leave","receiver_id":"a"}`)
	h.wantTold(ada, "ack leave a")
	phone.say(`{"type":"join","receiver_id":"c"}`)
	h.wantTold(phone, "ack join c")
}

// An engine that is away for a moment loses no membership.
func TestMembershipEngineAway(t *testing.T) {
	c := newClock()
	parts := openStore(t, t.TempDir(), c).Parts()
	away := &awayMembers{Members: parts.Members}
	parts.Members = away
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = parts })
	phone, laptop := h.enter("ada", `"system"`), h.enter("ada", "")
	away.set(true)
	laptop.say(`{"type":"join","receiver_id":"lobby"}`)
	h.wantTold(laptop, "error store_unavailable")
	away.fail("IsMember")
	laptop.say(`{"type":"join","receiver_id":"lobby"}`)
	h.wantTold(laptop, "ack join lobby")
	h.wantTold(phone)
	away.set(false)
	c.advance(chat.MembershipRetry)
	h.wantTold(phone, "system subscribed lobby")

	away.fail("RoomsOf")
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	if m := p.tell(); m.Type != "auth_ok" {
		t.Errorf("auth was answered by %+v", m)
	}
	if m := p.tell(); m.Reason != "store_unavailable" {
		t.Errorf("rooms that cannot be read: %+v", m)
	}
	assertClosed(t, p, 1013, "store_unavailable")
}

// A client that sends auth and what follows at once is answered in order.
func TestPipelinedAfterAuth(t *testing.T) {
	h := newHouse(t, nil)
	first := h.enter("ada", "")
	for i := range 20 {
		first.say(`{"type":"join","receiver_id":"room-` + string(rune('a'+i)) + `"}`)
	}
	h.settle()
	first.leftover()
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	p.say(`{"type":"join","receiver_id":"room-t"}`)
	p.say(say("room-b", "x"))
	p.say(`{"type":"leave","receiver_id":"room-c"}`)
	h.wantTold(p, "auth_ok", "ack join room-t", "group room-b x", "ack leave room-c")
	if heard := strings.Join(first.leftover(), ""); !strings.Contains(heard, `"content":"x"`) {
		t.Errorf("the first connection heard %s", heard)
	}
}
