package chat_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// connectFrom opens a session from an address.
func (h *house) connectFrom(addr string) *peer {
	p := &peer{t: h.t}
	p.arrived.L = &p.mu
	p.conn = h.hub.Open(p, chat.ConnectionInfo{RemoteAddr: netip.AddrPortFrom(netip.MustParseAddr(addr), 1)})
	return p
}

// A05, A14: a banned network disconnects who is in it, whether they have authenticated or not and
// in whatever form their address came, keeps others out, and says until when.
func TestA05NetworkBan(t *testing.T) {
	c := newClock()
	h := newHouseAt(t, c, func(cfg *chat.Config) { cfg.Engine = newMemory(t, c) })
	inside, silent, outside := h.connectFrom("192.0.2.7"), h.connectFrom("::ffff:192.0.2.8"), h.connectFrom("192.0.3.7")
	for p, name := range map[*peer]string{inside: "ada", outside: "bob"} {
		p.say(`{"type":"auth","token":"token-of-` + name + `"}`)
		if m := p.hear(); typeOf(t, m) != "auth_ok" {
			t.Fatal(m)
		}
	}
	network := netip.MustParsePrefix("192.0.2.0/24")
	now := c.Now().UnixMilli()
	if err := h.hub.Ban(ctx, chat.Ban{Network: network, Reason: "floods", Until: now + 60_000}); err != nil {
		t.Fatal(err)
	}
	late := h.connectFrom("192.0.2.9")
	for _, p := range []*peer{inside, silent, late} {
		if m := p.hear(); !strings.Contains(m, `"reason":"banned"`) || !strings.Contains(m, `"retry_after_ms":60000`) {
			t.Error(m)
		}
		assertClosed(t, p, 1008, "banned")
		p.conn.Closed()
	}
	outside.say(`{"type":"heartbeat"}`)
	if m := outside.hear(); typeOf(t, m) != "heartbeat" {
		t.Error(m)
	}
	if was, err := h.hub.Unban(ctx, network.String()); !was || err != nil {
		t.Errorf("Unban: %t, %v", was, err)
	}
	back := h.connectFrom("192.0.2.7")
	back.say(`{"type":"auth","token":"token-of-ada"}`)
	if m := back.hear(); typeOf(t, m) != "auth_ok" {
		t.Error(m)
	}
}

// What an administrator writes is one of the forms of who is banned, or an error that names it.
func TestParseBanSubject(t *testing.T) {
	for in, want := range map[string]string{
		"u_ada": "u_ada", "192.0.2.1": "192.0.2.1/32", "192.0.2.1/24": "192.0.2.0/24", "::ffff:192.0.2.1": "192.0.2.1/32",
		"64:ff9b::c000:201": "192.0.2.1/32", "2001:db8::1": "2001:db8::/64", "2001:db8::/32": "2001:db8::/32", "::ffff:192.0.2.0/120": "192.0.2.0/24",
		"": "!", "ada": "!", "u_": "!", "192.0.2": "!", "192.0.2.1/33": "!", "fe80::1%eth0": "!", "::ffff:0.0.0.0/95": "!",
	} {
		b, err := chat.ParseBanSubject(in)
		if err != nil {
			if want != "!" || !strings.Contains(err.Error(), strings.TrimSuffix(in, "/95")) {
				t.Errorf("%q: %v", in, err)
			}
			continue
		}
		if b.Subject() != want {
			t.Errorf("%q is %s, want %s", in, b.Subject(), want)
		}
		if b.Reason = "a test"; b.Check() != nil {
			t.Errorf("%q: %v", in, b.Check())
		}
	}
}

// banningSessions ban the user between two steps of a logout.
type banningSessions struct {
	chat.Sessions
	bans chat.Bans
}

func (s banningSessions) End(ctx context.Context, userID, id string, why chat.Ending) (int, error) {
	if why == chat.LoggedOut {
		if err := s.bans.Ban(ctx, chat.Ban{UserID: userID, Reason: "spam"}); err != nil {
			return 0, err
		}
	}
	return s.Sessions.End(ctx, userID, id, why)
}

// A user who is banned while they log out another session is told that they are banned.
func TestBannedWhileLoggingOut(t *testing.T) {
	c := newClock()
	h := newHouseAt(t, c, func(cfg *chat.Config) {
		cfg.Engine = newMemory(t, c)
		cfg.Engine.Sessions = banningSessions{cfg.Engine.Sessions, cfg.Engine.Bans}
	})
	p := h.enter("ada", "")
	p.say(`{"type":"logout","session_id":"s_another"}`)
	h.wantTold(p, "error banned")
	assertClosed(t, p, 1008, "banned")
}
