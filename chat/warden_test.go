package chat_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// noting is a Warden that notes what it is told.
type noting struct {
	mu     sync.Mutex
	counts map[string]int // by kind and user; guarded by mu
	spares bool
	gate   chan struct{} // if set, Spares waits until it is closed
}

func (n *noting) Offended(o chat.Offence) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.counts == nil {
		n.counts = make(map[string]int)
	}
	n.counts[o.Kind.String()+" "+o.UserID]++
}

func (n *noting) Spares(*chat.Ban) bool {
	if n.gate != nil {
		<-n.gate
	}
	return n.spares
}

func (n *noting) want(t *testing.T, want map[string]int) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if fmt.Sprint(n.counts) != fmt.Sprint(want) {
		t.Errorf("offences are %v, want %v", n.counts, want)
	}
	n.counts = nil
}

func newWatched(t *testing.T) (*house, *noting, *clock, chat.Limiter) {
	c, w := newClock(), &noting{}
	var limiter chat.Limiter
	c.advance(time.Second)
	h := newHouseAt(t, c, func(cfg *chat.Config) {
		cfg.Engine, cfg.Warden, cfg.Limits = newMemory(t, c), w, chat.DefaultLimits()
		limiter = chat.NewLimiter(cfg.Limits, c)
		cfg.Limiter = limiter
	})
	return h, w, c, limiter
}

// run lets time pass until everything that waits for the limits has been done.
func (h *house) run(c *clock, d time.Duration) {
	for range d / (100 * time.Millisecond) {
		c.advance(100 * time.Millisecond)
		h.settle()
	}
}

// What a client sends at once is no offence, also if it has gathered much; one that goes on like
// that commits one every five seconds.
func TestTooFast(t *testing.T) {
	h, w, c, _ := newWatched(t)
	p := h.enter("ada", "")
	say := func(n int) {
		for i := range n {
			p.say(fmt.Sprintf(`{"type":"message","receiver_id":"u_bob","content":"%d"}`, i))
		}
	}
	say(60)
	h.run(c, 10*time.Second)
	w.want(t, nil)
	for range 25 {
		say(15)
		h.run(c, time.Second)
	}
	w.want(t, map[string]int{"too_fast u_ada": 4})
}

// Who shares an address with others that use up its limits has done nothing.
func TestNotTooFast(t *testing.T) {
	h, w, c, limiter := newWatched(t)
	p := h.enter("ada", "")
	others := chat.Subject{Address: chat.AddressSubject(netip.MustParseAddr("127.0.0.1"))}
	for i := range 20 {
		for range 1700 {
			limiter.Take(others, chat.Cost{Requests: 1})
		}
		p.say(fmt.Sprintf(`{"type":"message","receiver_id":"u_bob","content":"%d"}`, i))
		h.run(c, 1100*time.Millisecond)
	}
	w.want(t, nil)
}

// What is refused as the user has stored, or made, as much as is allowed is an offence, wherever
// that is found out; what is refused as others at the address have is none.
func TestOverQuota(t *testing.T) {
	bytes := `{"type":"message","receiver_id":"u_bob","content":"` + strings.Repeat("x", 200) + `"}`
	rooms := `{"type":"group","receiver_id":"room%d","content":"x"}`
	for name, c := range map[string]struct {
		limits chat.Limits
		say    string
		want   int
	}{
		"user's bytes":            {chat.Limits{UserBytesPerDay: 1000}, bytes, 3},
		"address's bytes":         {chat.Limits{AddressBytesPerDay: 1000}, bytes, 0},
		"user's rooms an hour":    {chat.Limits{UserRoomsPerHour: 2}, rooms, 3},
		"user's rooms a day":      {chat.Limits{UserRoomsPerDay: 2}, rooms, 3},
		"address's rooms an hour": {chat.Limits{AddressRoomsPerHour: 2}, rooms, 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := &noting{}
			h := newHouse(t, func(cfg *chat.Config) { cfg.Warden, cfg.Limits = w, c.limits })
			p := h.enter("ada", "")
			for i := range 5 {
				text := c.say
				if strings.Contains(text, "%d") {
					text = fmt.Sprintf(text, i)
				}
				p.say(text)
				h.settle()
			}
			var want map[string]int
			if c.want > 0 {
				want = map[string]int{"over_quota u_ada": c.want}
			}
			w.want(t, want)
		})
	}
}

// Log-ins that fail, and connections that do not log in, are the address's offences.
func TestLoginOffences(t *testing.T) {
	h, w, c, _ := newWatched(t)
	for text, want := range map[string]map[string]int{
		`{"type":"auth","token":"guessed"}`: {"bad_token ": 1, "refused_login ": 1},
		`{"type":"auth","session_id":"s_abcdefghijklmnop","resume_key":"` + strings.Repeat("a", 26) + `"}`: {"refused_login ": 1},
		`{"type":"history","receiver_id":"lobby"}`:                                                         {"no_auth ": 1},
		"": {"unused ": 1},
	} {
		p := h.connect()
		if text != "" {
			p.say(text)
			h.settle()
		}
		p.conn.Closed()
		w.want(t, want)
	}
	p := h.connect()
	c.advance(5 * time.Second)
	h.settle()
	p.conn.Closed()
	w.want(t, map[string]int{"no_auth ": 1})
	p = h.enter("ada", "")
	for range 10 {
		p.say(`{"type":"nonsense"}`)
		h.settle()
	}
	p.conn.BrokeProtocol()
	p.conn.Closed()
	w.want(t, map[string]int{"broke_protocol u_ada": 1, "too_many_errors u_ada": 1})
}

// A ban that the warden spares is lifted, and nobody is disconnected by it.
func TestSparedBan(t *testing.T) {
	h, w, _, _ := newWatched(t)
	p := h.connectFrom("192.0.2.7")
	w.spares = true
	h.hub.Ban(ctx, chat.Ban{Network: netip.MustParsePrefix("192.0.2.7/32"), Reason: "scans", By: "another node"})
	for _, banned := h.engine.Bans.OfAddress(netip.MustParseAddr("192.0.2.7")); banned; time.Sleep(time.Millisecond) {
		_, banned = h.engine.Bans.OfAddress(netip.MustParseAddr("192.0.2.7"))
	}
	p.say(`{"type":"auth","token":"token-of-ada"}`)
	if m := p.hear(); typeOf(t, m) != "auth_ok" {
		t.Error(m)
	}
}

// A warden that takes its time does not hold up the engine that tells of a ban.
func TestSlowWarden(t *testing.T) {
	h, w, _, _ := newWatched(t)
	w.gate = make(chan struct{})
	p := h.connectFrom("192.0.2.7")
	told := make(chan struct{})
	go func() {
		h.hub.Ban(ctx, chat.Ban{Network: netip.MustParsePrefix("192.0.2.7/32"), Reason: "scans"})
		close(told)
	}()
	select {
	case <-told:
	case <-time.After(patience):
		t.Error("Ban waits for the warden")
	}
	close(w.gate)
	assertBanned(t, p)
}

// Of many connections only those from the network end, in whatever order others came and went.
func TestBanAmongMany(t *testing.T) {
	c := newClock()
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = newMemory(t, c) })
	var there []*peer
	addrs := []string{"192.0.2.7", "192.0.2.8", "::ffff:192.0.2.7", "2001:db8::1", "2001:db8::2", "2001:db8:1::1", "198.51.100.1"}
	for range 3 {
		for _, a := range addrs {
			there = append(there, h.connectFrom(a))
		}
	}
	for _, i := range []int{2, 7, 16, 20} { // the first, one between and the last ones
		there[i].conn.Closed()
	}
	for _, step := range []struct {
		network string
		want    []int
	}{
		{"192.0.2.7/32", []int{0, 9, 14}},
		{"2001:db8::/64", []int{3, 4, 10, 11, 17, 18}},
		{"192.0.2.0/24", []int{1, 8, 15}},
		{"::/1", []int{5, 12, 19}},
	} {
		h.hub.Ban(ctx, chat.Ban{Network: netip.MustParsePrefix(step.network), Reason: "a test"})
		for _, i := range step.want {
			assertBanned(t, there[i])
			there[i].conn.Closed()
		}
	}
	for _, i := range []int{6, 13} {
		there[i].say(`{"type":"heartbeat"}`)
		if m := there[i].hear(); typeOf(t, m) != "heartbeat" {
			t.Error(m)
		}
	}
}

func assertBanned(t *testing.T, p *peer) {
	t.Helper()
	p.hear()
	assertClosed(t, p, 1008, "banned")
}
