package chat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

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
	p.conn.Closed()
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
	q.conn.Closed()
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
			if rooms := h.rooms(); len(rooms) != 0 {
				t.Errorf("side effect: %v", rooms)
			}
			if talks, _, _ := h.engine.Directory.Talks(ctx, "u_bob", 0, "", 10); len(talks) != 0 {
				t.Errorf("side effect: %v", talks)
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
		if rooms := h.rooms(); len(rooms) != 0 {
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
	gone.conn.Closed()
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
	p.conn.Closed()
	h.settle()
	q := ask("bob")
	slow.answer <- struct{}{}
	q.say(`{"type":"presence","receiver_id":"u_ada"}`)
	q.hear()
	if m := q.hear(); !strings.Contains(m, `"users":[]`) {
		t.Errorf("nobody is connected, but %s", m)
	}
}

func TestSecondAuth(t *testing.T) {
	h := newHouse(t, nil)
	p := h.enter("ada", "")
	p.say(`{"type":"auth","token":"token-of-bob"}`)
	if reason := reasonOf(p.hear()); reason != "already_authenticated" || p.closed != 0 {
		t.Errorf("reason %q, closed %d", reason, p.closed)
	}
}
