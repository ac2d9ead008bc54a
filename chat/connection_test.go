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
	p.conn.Handle(frame.Binary, []byte(`{"type":"rooms"}`))
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

// Of a burst everything is answered, in order: what comes too fast waits for its time,
// and a client that goes on is not read from.
func TestBurst(t *testing.T) {
	h := newHouse(t, func(cfg *chat.Config) { cfg.Limits.MessagesPerSecond, cfg.Limits.Burst = 2, 4 })
	p := h.enter("ada", `"ack"`)
	p.open("lobby")
	h.clock.advance(time.Hour)
	const n = 40
	said := 0
	for ; said < n && !p.paused; said++ {
		p.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d"}`, said))
	}
	if said != 4+32 {
		t.Errorf("reading stopped after %d messages", said)
	}
	answered := 0
	hear := func(want int) {
		t.Helper()
		for ; want > 0; want-- {
			if m := p.hear(); typeOf(t, m) != "ack" {
				t.Fatalf("message %d was answered by %s", answered, m)
			}
			if m := placeOf(t, p.hear()); m.Content != fmt.Sprint(answered) || m.Seq != uint64(answered)+2 {
				t.Fatalf("message %d is %+v", answered, m)
			}
			answered++
		}
		h.settle()
		if more := p.leftover(); more != nil {
			t.Fatalf("too soon: %q", more)
		}
	}
	hear(4)
	h.clock.advance(499 * time.Millisecond)
	hear(0)
	h.clock.advance(time.Millisecond)
	hear(1)
	for _, d := range []time.Duration{time.Hour, -2 * time.Hour} { // A19: the wall clock frees nobody
		h.clock.step(d)
		hear(0)
	}
	for answered < n {
		h.clock.advance(500 * time.Millisecond)
		hear(1)
		for ; said < n && !p.paused; said++ {
			p.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"%d"}`, said))
		}
		p.say(`{"type":"heartbeat"}`) // is never held back
		if m := p.hear(); typeOf(t, m) != "heartbeat" {
			t.Fatalf("heartbeat was answered by %s", m)
		}
	}
	if p.closed != 0 || p.paused {
		t.Errorf("closed %d, paused %t", p.closed, p.paused)
	}
	p.conn.Closed()
	if n := h.clock.pending(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

// What was accepted before a session is closed is answered before the Close.
func TestAnsweredBeforeTheClose(t *testing.T) {
	for _, c := range []struct {
		how    string
		do     func(h *house, p *peer)
		code   wsproto.CloseCode
		reason string
	}{
		{"too many errors", func(h *house, p *peer) {
			for range 10 {
				p.say(`{"type":"shout"}`)
			}
		}, 1008, "too_many_errors"},
		{"binary", func(h *house, p *peer) { p.conn.Handle(frame.Binary, nil) }, 1003, "binary_message"},
		{"expired", func(h *house, p *peer) { h.clock.advance(time.Minute) }, 1008, "token_expired"},
	} {
		t.Run(c.how, func(t *testing.T) {
			h, store := newFaultyHouse(t, func(cfg *chat.Config) {
				cfg.Limits = chat.Limits{MessagesPerSecond: 1, Burst: 2, Errors: 10}
			})
			p := h.connect()
			p.say(`{"type":"auth","token":"token-of-ada-until-1754474460"}`)
			p.hear()
			p.say(`{"type":"join","receiver_id":"lobby"}`)
			p.hear()
			p.rest()
			h.clock.advance(5 * time.Second)
			release := store.hold()
			for i := range 3 { // two that are begun, and one that waits for its time
				p.say(fmt.Sprintf(`{"type":"group","receiver_id":"lobby","content":"x","ref":"%d"}`, i))
			}
			c.do(h, p)
			p.say(`{"type":"group","receiver_id":"lobby","content":"too late","ref":"late"}`)
			release()
			h.clock.advance(time.Second)
			var acks []string
			for len(acks) < 3 {
				if m := p.hear(); typeOf(t, m) == "ack" {
					acks = append(acks, m)
				}
			}
			assertClosed(t, p, c.code, c.reason)
			p.conn.Closed()
			h.settle()
			if tail := h.tail("r:lobby"); tail.Seq != 3 {
				t.Errorf("%d messages were stored, want 3", tail.Seq)
			}
			if n := h.clock.pending(); n != 0 {
				t.Errorf("%d timers are left", n)
			}
		})
	}
}

// A session that is being closed does not wait for a store that hangs.
func TestClosingHasAnEnd(t *testing.T) {
	h, store := newFaultyHouse(t, nil)
	p := h.enter("ada", "")
	defer store.hold()()
	p.say(`{"type":"group","receiver_id":"lobby","content":"x"}`)
	p.conn.Handle(frame.Binary, nil)
	if p.hear(); p.closed != 0 {
		t.Fatal("closed before the message was answered")
	}
	h.clock.advance(10 * time.Second)
	assertClosed(t, p, 1003, "binary_message")
}

// The connections of a user, and those of an address, share a rate. What would have to
// wait for too long is refused, and costs the session nothing.
func TestSharedRate(t *testing.T) {
	for _, shared := range []string{"user", "address"} {
		t.Run(shared, func(t *testing.T) {
			names := []string{"ada", "ada", "ada"}
			h := newHouse(t, func(cfg *chat.Config) {
				cfg.Limits = chat.Limits{UserMessagesPerSecond: 2}
				if shared == "address" {
					cfg.Limits = chat.Limits{AddressMessagesPerSecond: 2}
					names = []string{"ada", "bob", "eve"}
				}
			})
			var ps []*peer
			for _, name := range names {
				ps = append(ps, h.enter(name, ""))
			}
			answers := func() (answered, refused int) {
				for _, p := range ps {
					for _, m := range p.leftover() {
						switch {
						case typeOf(t, m) == "presence":
							answered++
						case reasonOf(m) == "rate_limited" && strings.Contains(m, "retry_after_ms"):
							refused++
						default:
							t.Errorf("heard %s", m)
						}
					}
				}
				return answered, refused
			}
			for range 10 {
				for _, p := range ps {
					p.say(`{"type":"presence","receiver_id":"u_ada"}`)
				}
			}
			idle := func() {
				for _, p := range ps {
					p.rest()
				}
			}
			idle()
			if answered, refused := answers(); answered != 4 || refused != 0 {
				t.Errorf("at once: %d answered, %d refused; want 4, 0", answered, refused)
			}
			h.clock.advance(500 * time.Millisecond)
			idle()
			if answered, _ := answers(); answered != 1 {
				t.Errorf("after half a second: %d answered, want 1", answered)
			}
		})
	}
}

// A client that is over a limit gets errors no faster than answers.
func TestRefusalsArePaced(t *testing.T) {
	for _, limits := range []chat.Limits{
		{MessagesPerSecond: 2, Burst: 4, UserBytesPerDay: 300},
		{MessagesPerSecond: 2, Burst: 4, AddressBytesPerDay: 300},
		{MessagesPerSecond: 2, Burst: 4, UserMessagesPerSecond: 1},
	} {
		h := newHouse(t, func(cfg *chat.Config) { cfg.Limits = limits })
		if limits.UserMessagesPerSecond > 0 { // another connection is that far ahead
			other := h.enter("ada", "")
			for range 100 {
				other.say(`{"type":"presence","receiver_id":"u_ada"}`)
				h.clock.advance(0)
			}
		}
		p := h.enter("ada", `"ack"`)
		for range 30 {
			p.say(`{"type":"message","receiver_id":"u_bob","content":"x"}`)
		}
		p.rest()
		if n := len(p.leftover()); n > 2*4 { // an answer to each of a burst, and a message
			t.Errorf("%+v: at once came %d answers", limits, n)
		}
		if p.closed != 0 {
			t.Fatalf("%+v: closed", limits)
		}
		for i := range 10 {
			h.clock.advance(500 * time.Millisecond)
			p.rest()
			if n := len(p.leftover()); n > 2 { // an answer, and a message that was let through
				t.Errorf("%+v: in half a second, the %dth, came %d answers", limits, i+1, n)
			}
		}
	}
}

// The bytes that a user, and an address, may store in a day, and the rooms that they may
// make in an hour, are bounded, whatever the number of connections.
func TestQuotas(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits chat.Limits
		say    string
		reason string
		until  time.Duration
	}{
		{"user's bytes", chat.Limits{UserBytesPerDay: 1000}, `{"type":"group","receiver_id":"lobby","content":"` + strings.Repeat("x", 200) + `","metadata":{"a":1}}`, "quota_exceeded", 24 * time.Hour},
		{"user's private bytes", chat.Limits{UserBytesPerDay: 1000}, `{"type":"message","receiver_id":"u_eve","content":"` + strings.Repeat("x", 200) + `"}`, "quota_exceeded", 24 * time.Hour},
		{"address's bytes", chat.Limits{AddressBytesPerDay: 1000}, `{"type":"group","receiver_id":"lobby","content":"` + strings.Repeat("x", 200) + `"}`, "quota_exceeded", 24 * time.Hour},
		{"user's rooms", chat.Limits{UserRoomsPerHour: 2}, `{"type":"group","receiver_id":"room%d","content":"x"}`, "too_many_new_rooms", time.Hour},
		{"address's rooms", chat.Limits{AddressRoomsPerHour: 2}, `{"type":"group","receiver_id":"room%d","content":"x"}`, "too_many_new_rooms", time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, func(cfg *chat.Config) { cfg.Limits = c.limits })
			other := "ada"
			if c.limits.AddressBytesPerDay > 0 || c.limits.AddressRoomsPerHour > 0 {
				other = "bob"
			}
			n := 0
			ask := func(name string) string {
				p := h.enter(name, `"ack"`)
				defer p.conn.Closed()
				n++
				if strings.Contains(c.say, "%d") {
					p.say(fmt.Sprintf(c.say, n))
				} else {
					p.say(c.say)
				}
				m := p.hear()
				for typeOf(t, m) == "message" { // said by the connection before
					m = p.hear()
				}
				if reason := reasonOf(m); reason != "" {
					if !strings.Contains(m, `"retry_after_ms":`) {
						t.Errorf("no time to try again: %s", m)
					}
					return reason
				}
				return ""
			}
			for i, want := range []string{"", "", c.reason} {
				if got := ask("ada"); got != want {
					t.Errorf("message %d: %q, want %q", i+1, got, want)
				}
			}
			if got := ask(other); got != c.reason {
				t.Errorf("from another connection: %q, want %q", got, c.reason)
			}
			h.clock.advance(c.until)
			if got := ask(other); got != "" {
				t.Errorf("after %v: %q", c.until, got)
			}
		})
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
	p.say(`{"type":"rooms"}`)
	if m := p.hear(); strings.Count(m, "receiver_id") != 3 { // room0 was left, and nothing was said in it
		t.Errorf("rooms: %s", m)
	}
}

// A room in which nothing was said is there while somebody is in it, after those in
// which something was, and is never stored.
func TestUnusedRooms(t *testing.T) {
	h := newHouse(t, nil)
	ada, bob := h.enter("ada", ""), h.enter("bob", "")
	for _, room := range []string{"zoo", "attic", "garden"} {
		ada.say(`{"type":"join","receiver_id":"` + room + `"}`)
		ada.hear()
	}
	ada.say(`{"type":"group","receiver_id":"zoo","content":"x"}`)
	ada.hear()
	list := func(more string) (names []string, answer string) {
		t.Helper()
		bob.say(`{"type":"rooms"` + more + `}`)
		answer = bob.hear()
		for _, part := range strings.Split(answer, `"receiver_id":"`)[1:] {
			name, _, _ := strings.Cut(part, `"`)
			names = append(names, name)
		}
		return names, answer
	}
	got, _ := list("")
	if diff := cmp.Diff([]string{"zoo", "attic", "garden"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got = nil
	for after := ""; ; {
		names, answer := list(`,"limit":1,"after":"` + after + `"`)
		got = append(got, names...)
		_, rest, more := strings.Cut(answer, `"next":"`)
		if !more || len(got) > 3 {
			break
		}
		after, _, _ = strings.Cut(rest, `"`)
	}
	if diff := cmp.Diff([]string{"zoo", "attic", "garden"}, got); diff != "" {
		t.Errorf("one by one (-want +got):\n%s", diff)
	}
	if got, _ := list(`,"search":"ARD"`); len(got) != 1 || got[0] != "garden" {
		t.Errorf("search: %v", got)
	}
	for say, reason := range map[string]string{
		`{"type":"rooms","after":"x:y"}`:                                  "bad_place",
		`{"type":"rooms","search":"` + strings.Repeat("x", 65) + `"}`:     "search_too_long",
		`{"type":"rooms","search":7}`:                                     "wrong_kind",
		`{"type":"history","receiver_id":"garden","before_seq":1}`:        "",
		`{"type":"history","receiver_id":"never-joined","before_seq":1}`:  "unknown_room",
		`{"type":"presence","receiver_id":"never-joined","before_seq":1}`: "unknown_room",
	} {
		bob.say(say)
		if got := reasonOf(bob.hear()); got != reason {
			t.Errorf("%s: %q, want %q", say, got, reason)
		}
	}
	ada.conn.Closed()
	h.settle()
	if got, _ := list(""); len(got) != 1 || got[0] != "zoo" {
		t.Errorf("after everybody has left: %v", got)
	}
	if rooms := h.rooms(); len(rooms) != 1 {
		t.Errorf("stored: %v", rooms)
	}
}
