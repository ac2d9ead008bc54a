package chat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

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
	if n := h.clock.pending(); n != 1 { // that of the empty room
		t.Errorf("%d timers are left", n)
	}
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
