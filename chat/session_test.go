package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// reasonOf is the reason of an error message, or "" if m is none.
func reasonOf(m string) string {
	_, rest, _ := strings.Cut(m, `"reason":"`)
	reason, _, _ := strings.Cut(rest, `"`)
	return reason
}

// assertClosed checks how a session was closed by the hub.
func assertClosed(t *testing.T, p *peer, code wsproto.CloseCode, reason string) {
	t.Helper()
	gotCode, gotReason := p.hearClose()
	if gotCode != code || gotReason != reason {
		t.Errorf("closed with %v %q, want %v %q", gotCode, gotReason, code, reason)
	}
}

func TestA03AuthDeadline(t *testing.T) {
	h := newHouse(t, nil)
	p := h.connect()
	for range 4 { // heartbeats are answered, and do not extend it
		p.say(`{"type":"heartbeat"}`)
		if m := p.hear(); typeOf(t, m) != "heartbeat" {
			t.Fatalf("heartbeat was answered by %s", m)
		}
		h.clock.advance(time.Second)
	}
	h.clock.advance(time.Second - 1)
	if more := p.leftover(); more != nil || p.closed != 0 {
		t.Fatalf("one ns before the deadline: %q, closed %d", more, p.closed)
	}
	h.clock.advance(1)
	if reason := reasonOf(p.hear()); reason != "auth_timeout" {
		t.Errorf("reason %q", reason)
	}
	assertClosed(t, p, 1008, "auth_timeout")
	p.say(`{"type":"auth","token":"token-of-ada"}`) // too late
	p.session.Closed()
	h.settle()
	if more := p.leftover(); more != nil {
		t.Errorf("after the close: %q", more)
	}
}

func TestAuthDeadlineEndsWithAuth(t *testing.T) {
	h := newHouse(t, nil)
	p := h.connect()
	late := h.clock.timers[0].f // fires though it was stopped, as one may that was about to
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	late()
	if m := p.hear(); typeOf(t, m) != "auth_ok" {
		t.Fatalf("auth was answered by %s", m)
	}
	if n := h.clock.pending(); n != 0 {
		t.Errorf("%d timers run for a session that has authenticated", n)
	}
	h.clock.advance(time.Hour)
	q := h.connect()
	q.session.Closed()
	if n := h.clock.pending(); n != 0 {
		t.Errorf("%d timers run for a session that has closed", n)
	}
	if p.closed != 0 {
		t.Errorf("closed with %v", p.closed)
	}
}

func TestA04BeforeAuth(t *testing.T) {
	for _, first := range []string{
		`{"type":"join","receiver_id":"secret-room"}`,
		`{"type":"group","receiver_id":"secret-room","content":"x","ref":"r"}`,
		`{"type":"message","receiver_id":"u_bob","content":"x"}`,
		`{"type":"leave","receiver_id":"lobby"}`,
		`{"type":"history","receiver_id":"lobby"}`,
		`{"type":"presence","receiver_id":"u_ada"}`,
		`{"type":"rooms"}`,
		`{"type":"peers"}`,
		`{"type":"nonsense"}`,
		`{"type":"auth"}`,
		`nonsense`,
	} {
		t.Run("A04 "+first, func(t *testing.T) {
			h := newHouse(t, nil)
			p := h.connect()
			p.say(first)
			p.say(`{"type":"auth","token":"token-of-ada"}`)
			p.say(`{"type":"join","receiver_id":"secret-room"}`)
			if m := p.hear(); typeOf(t, m) != "error" {
				t.Errorf("answered by %s", m)
			}
			assertClosed(t, p, 1008, "auth_required")
			h.settle()
			if more := p.leftover(); more != nil {
				t.Errorf("then %q", more)
			}
			if rooms, _, _ := h.store.Rooms("", 10); len(rooms) != 0 {
				t.Errorf("side effect: %v", rooms)
			}
			if peers, _, _ := h.store.Peers("u_bob", "", 10); len(peers) != 0 {
				t.Errorf("side effect: %v", peers)
			}
		})
	}
}

func TestAuthRefused(t *testing.T) {
	for _, c := range []struct{ token, reason string }{
		{"expired", "token_expired"},
		{"forged", "token_refused"},
		{"token-of-nobody", "token_refused"}, // a good token of a user whom this store does not know
		{strings.Repeat("x", chat.MaxToken+1), "token_refused"},
	} {
		h := newHouse(t, nil)
		p := h.connect()
		p.say(`{"type":"auth","token":"` + c.token + `"}`)
		p.say(`{"type":"join","receiver_id":"lobby"}`) // pipelined, and must not run
		if reason := reasonOf(p.hear()); reason != c.reason {
			t.Errorf("token %.20q: reason %q, want %q", c.token, reason, c.reason)
		}
		p.hearClose()
		h.settle()
		if rooms, _, _ := h.store.Rooms("", 10); len(rooms) != 0 {
			t.Errorf("token %.20q: side effect: %v", c.token, rooms)
		}
	}
}

// slowTokens authenticates when it is told to.
type slowTokens struct {
	tokens
	asked, answer chan struct{}
}

func (s slowTokens) Authenticate(token string) (chat.Identity, error) {
	s.asked <- struct{}{}
	<-s.answer
	return s.tokens.Authenticate(token)
}

// A connection that closes while its token is looked at leaves nobody online; one whose
// token takes longer than the deadline, having come in time, is let in.
// T07: over a connection that proves a user, that user's token is accepted and
// nobody else's, nor a bad one.
func TestT07CertifiedUser(t *testing.T) {
	h := newHouse(t, nil)
	for token, reason := range map[string]string{
		"token-of-bob": "certificate_mismatch", "token-of-nobody": "certificate_mismatch",
		"expired": "token_expired", "forged": "token_refused",
	} {
		p := h.connectAs("u_ada")
		p.say(`{"type":"auth","token":"` + token + `"}`)
		p.say(`{"type":"group","receiver_id":"lobby","content":"I am Ada"}`) // pipelined, and must not run
		if got := reasonOf(p.hear()); got != reason {
			t.Errorf("%s: reason %q, want %q", token, got, reason)
		}
		assertClosed(t, p, 1008, reason)
		h.settle()
		if more := p.leftover(); more != nil {
			t.Errorf("%s: after the close: %q", token, more)
		}
	}
	p := h.connectAs("u_ada")
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	if m := p.hear(); typeOf(t, m) != "auth_ok" {
		t.Errorf("the right token is answered by %s", m)
	}
	p.say(`{"type":"history","receiver_id":"lobby"}`)
	if reason := reasonOf(p.hear()); reason != "unknown_room" {
		t.Errorf("somebody has written to the lobby: %q", reason)
	}
}

func TestSlowAuth(t *testing.T) {
	slow := slowTokens{asked: make(chan struct{}), answer: make(chan struct{})}
	h := newHouse(t, func(cfg *chat.Config) { cfg.Auth = slow })
	ask := func(name string) *peer {
		p := h.connect()
		p.say(`{"type":"auth","token":"token-of-` + name + `"}`)
		<-slow.asked
		return p
	}
	gone := ask("ada")
	gone.session.Closed()
	slow.answer <- struct{}{}
	p := ask("ada")
	h.clock.advance(time.Minute)
	slow.answer <- struct{}{}
	if m := p.hear(); typeOf(t, m) != "auth_ok" {
		t.Fatalf("auth was answered by %s", m)
	}
	if more := gone.leftover(); more != nil {
		t.Errorf("the closed one heard %q", more)
	}
	p.session.Closed()
	q := ask("bob")
	slow.answer <- struct{}{}
	q.say(`{"type":"leave","receiver_id":"nowhere"}`) // behind the departure
	q.say(`{"type":"presence","receiver_id":"u_ada"}`)
	q.hear()
	q.hear()
	if m := q.hear(); !strings.Contains(m, `"users":[]`) {
		t.Errorf("nobody is connected, but %s", m)
	}
}

// The simplest client there can be: no ref, no features, nothing but the flat
// fields and four types of message.
func TestFlatClient(t *testing.T) {
	h := newHouse(t, nil)
	rich := h.enter("ada", `"ack","presence","system"`)
	rich.say(`{"type":"join","receiver_id":"lobby"}`)

	flat := h.connect()
	// All at once, as a program that does not wait for answers sends it.
	flat.say(`{"type":"auth","timestamp":0,"sender_id":"","receiver_id":"","content":"","metadata":null,"token":"token-of-bob"}`)
	flat.say(`{"type":"group","timestamp":1,"sender_id":"u_bob","receiver_id":"lobby","content":"one","metadata":{}}`)
	flat.say(`{"type":"group","timestamp":2,"receiver_id":"lobby","content":"two"}`)
	flat.say(`{"type":"message","timestamp":3,"receiver_id":"u_ada","content":"three"}`)
	for range 4 { // auth_ok and its own three
		flat.hear()
	}
	flat.say(`{"type":"heartbeat","timestamp":4}`)
	flat.hear()
	rich.say(`{"type":"leave","receiver_id":"lobby"}`)
	rich.say(`{"type":"group","receiver_id":"lobby","content":"four"}`)
	rich.say(`{"type":"message","receiver_id":"u_bob","content":"five"}`)
	four, five := flat.hear(), flat.hear()
	h.settle()
	h.stop()
	if more := flat.leftover(); more != nil {
		t.Errorf("the flat client also heard %q", more)
	}
	for want, m := range map[string]string{
		`{"type":"group","timestamp":1754474400.000,"sender_id":"u_ada","receiver_id":"lobby","content":"four","metadata":{},`:   four,
		`{"type":"message","timestamp":1754474400.000,"sender_id":"u_ada","receiver_id":"u_bob","content":"five","metadata":{},`: five,
	} {
		if !strings.HasPrefix(m, want) {
			t.Errorf("heard %s\nwant %s…", m, want)
		}
	}
}

func TestPipelinedAuthJoinGroup(t *testing.T) {
	h := newHouse(t, nil)
	p := h.connect()
	p.say(`{"type":"auth","token":"token-of-ada","ref":"1"}`)
	p.say(`{"type":"join","receiver_id":"lobby","ref":"2"}`)
	p.say(`{"type":"group","receiver_id":"lobby","content":"hello","ref":"3"}`)
	p.say(`{"type":"history","receiver_id":"lobby","ref":"4"}`)
	p.say(`{"type":"leave","receiver_id":"lobby","ref":"5"}`)
	p.say(`{"type":"presence","receiver_id":"lobby","ref":"6"}`)
	var got []string
	for range 7 {
		m := p.hear()
		ref := ""
		if i := strings.LastIndex(m, `"ref":"`); i >= 0 {
			ref = m[i+7 : len(m)-2]
		}
		got = append(got, typeOf(t, m)+" "+ref)
	}
	want := []string{"auth_ok 1", "ack 2", "ack 3", "group ", "history 4", "ack 5", "presence 6"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBinaryMessage(t *testing.T) {
	h := newHouse(t, nil)
	p := h.enter("ada", "")
	p.session.Handle(frame.Binary, []byte(`{"type":"rooms"}`))
	if reason := reasonOf(p.hear()); reason != "binary_message" {
		t.Errorf("reason %q", reason)
	}
	assertClosed(t, p, 1003, "binary_message")
}

func TestSecondAuth(t *testing.T) {
	h := newHouse(t, nil)
	p := h.enter("ada", "")
	p.say(`{"type":"auth","token":"token-of-bob"}`)
	if reason := reasonOf(p.hear()); reason != "already_authenticated" || p.closed != 0 {
		t.Errorf("reason %q, closed %d", reason, p.closed)
	}
}

// The budget is ten errors in any minute, however they are spread.
func TestTooManyErrors(t *testing.T) {
	h := newHouse(t, nil)
	p := h.enter("ada", "")
	wrong := func() {
		t.Helper()
		p.say(`{"type":"shout"}`)
		if reason := reasonOf(p.hear()); reason != "unknown_type" {
			t.Fatalf("reason %q", reason)
		}
	}
	for range 30 { // nine within any minute
		wrong()
		h.clock.advance(time.Minute/9 + 1)
	}
	for range 20 { // names that do not exist are not counted
		p.say(`{"type":"message","receiver_id":"nobody","content":"x"}`)
		p.hear()
		h.clock.advance(time.Second / 10)
	}
	h.clock.advance(time.Hour)
	for range 9 {
		wrong()
	}
	if p.closed != 0 {
		t.Fatalf("closed too soon: %v", p.closed)
	}
	h.clock.advance(time.Minute)
	wrong()
	assertClosed(t, p, 1008, "too_many_errors")
	p.say(`{"type":"shout"}`)
	if more := p.leftover(); more != nil {
		t.Errorf("after the close: %q", more)
	}
}

func TestRateLimit(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) { cfg.Limits.MessagesPerSecond, cfg.Limits.Burst = 2, 4 })
	p := h.enter("ada", "")
	ask := func() string {
		p.say(`{"type":"rooms"}`)
		return reasonOf(p.hear())
	}
	for i := range 4 {
		if reason := ask(); reason != "" {
			t.Fatalf("message %d: %s", i+1, reason)
		}
	}
	p.say(`{"type":"rooms","ref":"r"}`)
	want := `{"type":"error","code":429,"reason":"rate_limited","message":"too many messages","retry_after_ms":500,"ref":"r"}`
	if diff := cmp.Diff(want, p.hear()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range 50 {
		p.say(`{"type":"heartbeat"}`)
		if m := p.hear(); typeOf(t, m) != "heartbeat" {
			t.Fatalf("heartbeat was answered by %s", m)
		}
	}
	// A19: the wall clock neither blocks a session nor frees it.
	for _, d := range []time.Duration{time.Hour, -2 * time.Hour} {
		h.clock.step(d)
		if reason := ask(); reason != "rate_limited" {
			t.Errorf("A19: after a step of %v: %q", d, reason)
		}
	}
	h.clock.advance(500 * time.Millisecond)
	if reason := ask(); reason != "" {
		t.Errorf("after retry_after_ms: %s", reason)
	}
	if reason := ask(); reason != "rate_limited" {
		t.Errorf("twice after retry_after_ms: %q", reason)
	}
	h.clock.advance(time.Hour)
	for i := range 4 {
		if reason := ask(); reason != "" {
			t.Fatalf("after an hour, message %d: %s", i+1, reason)
		}
	}
	if reason := ask(); reason != "rate_limited" {
		t.Errorf("an hour gave more than the burst: %q", reason)
	}
}

func TestRateLimitOff(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) { cfg.Limits = chat.Limits{} })
	p := h.enter("ada", "")
	for range 200 {
		p.say(`{"type":"rooms"}`)
		if reason := reasonOf(p.hear()); reason != "" {
			t.Fatal(reason)
		}
	}
}

func TestRoomLimit(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) { cfg.Limits = chat.Limits{Rooms: 3} })
	p := h.enter("ada", "")
	for i := range 5 { // pipelined, so that several are in one batch
		p.say(fmt.Sprintf(`{"type":"join","receiver_id":"room%d"}`, i))
		p.say(fmt.Sprintf(`{"type":"join","receiver_id":"room%d"}`, i))
	}
	p.say(`{"type":"group","receiver_id":"room4","content":"x","ref":"r"}`)
	p.say(`{"type":"leave","receiver_id":"room0","ref":"r"}`)
	p.say(`{"type":"join","receiver_id":"room4","ref":"r"}`)
	var got []string
	for range 13 {
		got = append(got, reasonOf(p.hear()))
	}
	const no = "too_many_rooms"
	want := []string{"", "", "", "", "", "", no, no, no, no, no, "", ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rooms, _, err := h.store.Rooms("", 10)
	if err != nil || len(rooms) != 4 {
		t.Errorf("rooms: %v, %v", rooms, err)
	}
}
