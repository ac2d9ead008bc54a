package chat_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// now is the second at which every clock begins.
const now = 1754474400

func (h *house) enterUntil(name string, until int64, features string) *peer {
	h.t.Helper()
	p := h.connect()
	p.say(fmt.Sprintf(`{"type":"auth","token":"token-of-%s-until-%d","features":[%s]}`, name, until, features))
	latest := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC).Unix()
	if m := p.hear(); !strings.Contains(m, fmt.Sprintf(`"token_expires":%d,`, min(until, latest))) {
		h.t.Fatalf("auth was answered by %s", m)
	}
	p.rest()
	return p
}

// A05: a session ends when its token expires; a minute before that it is told, if it
// wants to be.
func TestTokenExpires(t *testing.T) {
	h := newHouse(t, nil)
	ada := h.enterUntil("ada", now+3600, `"system"`)
	bob := h.enterUntil("bob", now+3601, "")
	gone := h.enterUntil("eve", now+10, "")
	gone.conn.Closed()
	h.clock.advance(3540*time.Second - time.Millisecond)
	if more := ada.leftover(); more != nil {
		t.Fatalf("too soon: %q", more)
	}
	h.clock.advance(time.Millisecond)
	want := `{"type":"system","timestamp":1754477940.000,"sender_id":"system","receiver_id":"","content":"Your token expires soon","metadata":{},` +
		`"event":"token_expiring","server_ts":1754477940000,"token_expires":1754478000}`
	if m := ada.hear(); m != want {
		t.Errorf("heard %s, want %s", m, want)
	}
	h.clock.advance(time.Minute - time.Millisecond)
	if ada.closed != 0 {
		t.Fatal("closed too soon")
	}
	h.clock.advance(time.Millisecond)
	if reason := reasonOf(ada.hear()); reason != "token_expired" {
		t.Errorf("reason %q", reason)
	}
	assertClosed(t, ada, 1008, "token_expired")
	if bob.closed != 0 {
		t.Fatal("bob is closed too soon")
	}
	h.clock.advance(time.Second)
	assertClosed(t, bob, 1008, "token_expired")
	if len(gone.leftover()) != 0 || gone.closed != 0 {
		t.Error("a session that had closed was told")
	}
	if n := h.clock.pending(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}

// One that is about to expire when the session begins is told at once; and many are
// ended in the order of their times, with those that close in between left alone.
func TestTokensExpireInOrder(t *testing.T) {
	h := newHouse(t, nil)
	late := h.enterUntil("ada", now+30, `"system"`)
	h.clock.advance(0)
	if m := late.hear(); !strings.Contains(m, `"event":"token_expiring"`) {
		t.Errorf("heard %s", m)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	ends := make(map[*peer]int)
	for range 100 {
		in := 1 + random.IntN(300)
		ends[h.enterUntil("bob", int64(now+in), "")] = in
	}
	for second := 1; second <= 300; second++ {
		h.clock.advance(time.Second)
		for p, in := range ends {
			if random.IntN(1000) == 0 && p.closed == 0 {
				p.conn.Closed()
				delete(ends, p)
				continue
			}
			if (p.closed != 0) != (in <= second) {
				t.Fatalf("second %d: a token that expires at %d: closed %d", second, in, p.closed)
			}
		}
	}
}

// A clock that goes back gives a session its time again, and one that goes forward takes
// it, once it is believed.
func TestTokenExpiryFollowsTheClock(t *testing.T) {
	h := newHouse(t, nil)
	p := h.enterUntil("ada", now+7200, "")
	h.clock.step(10 * 365 * 24 * time.Hour) // for a moment
	p.say(`{"type":"heartbeat"}`)           // for which the time is looked at
	p.hear()
	h.clock.step(-10 * 365 * 24 * time.Hour)
	h.clock.advance(time.Hour)
	if p.closed != 0 {
		t.Fatal("a wrong reading of the clock ended the session")
	}
	h.clock.step(2 * time.Hour)
	for range 4 { // minutes
		h.clock.advance(time.Minute)
	}
	assertClosed(t, p, 1008, "token_expired")
}

// A token that is good for longer than milliseconds can tell does not end at once.
func TestTokenWithoutMuchOfAnEnd(t *testing.T) {
	h := newHouse(t, nil)
	for _, until := range []int64{1 << 40, 9.3e15, 1e17, 9e18} {
		p := h.enterUntil("ada", until, "")
		h.clock.advance(time.Hour)
		if p.closed != 0 {
			t.Errorf("until %d: closed with %d", until, p.closed)
		}
		p.conn.Closed()
	}
	if n := h.clock.pending(); n != 0 {
		t.Errorf("%d timers are left", n)
	}
}
