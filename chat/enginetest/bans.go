package enginetest

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// A ban of a user ends all sessions, holds when the engine is opened again, and can be lifted.
func testBans(h *house) {
	h.put(chat.User{ID: "u_ada", Name: "Ada", Guest: true}, chat.User{ID: "u_bob", Name: "Bob"})
	for i, user := range []string{"u_ada", "u_ada", "u_bob"} {
		h.begin(chat.Session{ID: fmt.Sprint("s_", i), UserID: user, Key: key(1), Began: start.UnixMilli()})
	}
	h.change(h.Members.Join(ctx, "lobby", "u_ada"))(true)
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := h.Bans.Ban(over, chat.Ban{UserID: "u_bob", Reason: "spam"}); err != nil {
		h.banned("u_bob", "", "spam")
		h.Bans.Unban(ctx, "u_bob")
	}
	for _, reason := range []string{"spam", "more spam"} {
		h.ban(chat.Ban{UserID: "u_ada", Reason: reason})
		h.ban(chat.Ban{UserID: "u_nobody", Reason: reason})
		for range 2 {
			h.banned("u_ada", reason)
			h.banned("u_nobody", reason)
			h.banned("u_bob", "")
			h.wantSessions("u_ada")
			h.wantRefused("s_1", key(1))
			h.await("the end of a guest's memberships", func() bool { return len(h.rooms("u_ada")) == 0 })
			h.reopen()
		}
	}
	h.unban("u_nobody", true)
	h.unban("u_nobody", false)
	for range 2 {
		h.banned("u_ada", "more spam")
		h.banned("u_nobody", "")
		h.reopen()
	}
	for _, wrong := range []chat.Ban{
		{Reason: "nobody"},
		{UserID: "u_ada"},
		{UserID: "ada", Reason: "not an id"},
		{UserID: "u_ada", Network: netip.MustParsePrefix("192.0.2.0/24"), Reason: "both"},
		{Network: netip.MustParsePrefix("192.0.2.1/24"), Reason: "not masked"},
	} {
		if err := h.Bans.Ban(ctx, wrong); err == nil {
			h.Errorf("the ban %+v is taken", wrong)
		}
	}
}

// A ban of a network applies to all addresses in it, in any notation; the ban that ends last
// counts, then that of the smallest network.
func testNetworkBans(h *house) {
	ear := newEar()
	n := h.Broker.Attach(ear)
	defer n.Detach()
	now := h.Log.Now()
	ends := map[string]int64{"203.0.113.0/24": now + 600_000, "203.0.113.7/32": now + 60_000, "203.0.113.8/32": now + 900_000}
	for network, reason := range map[string]string{
		"192.0.2.0/24":     "scans",
		"192.0.2.7/32":     "floods",
		"2001:db8:1::/64":  "guesses",
		"2001:db8:2::/48":  "storms",
		"198.51.100.64/26": "junk",
		"203.0.113.0/24":   "storms",
		"203.0.113.7/32":   "floods",
		"203.0.113.8/32":   "scans",
	} {
		h.ban(chat.Ban{Network: netip.MustParsePrefix(network), Reason: reason, By: "a test", Since: start.UnixMilli(), Until: ends[network], Strike: 3})
		h.await("the ban", func() bool { return ear.hasHeardOf(network + " for " + reason) })
	}
	want := map[string]string{
		"192.0.2.1": "scans", "192.0.2.7": "floods", "::ffff:192.0.2.7": "floods", "192.0.3.1": "",
		"2001:db8:1::7": "guesses", "2001:db8:1:1::7": "", "2001:db8:2:9::1%eth0": "storms", "::192.0.2.7": "",
		"198.51.100.127": "junk", "198.51.100.128": "",
		// Addresses that stand for IPv4: NAT64, 6to4, Teredo.
		"64:ff9b::192.0.2.7": "floods", "2002:c000:207::1": "floods", "2001:0:cb00:7101:8000:63bf:3fff:fdf8": "floods", "64:ff9b::192.0.3.1": "",
		"203.0.113.1": "storms", "203.0.113.7": "storms", "203.0.113.8": "scans",
	}
	for range 2 {
		for addr, reason := range want {
			b, banned := h.Bans.OfAddress(netip.MustParseAddr(addr))
			if banned != (reason != "") || b.Reason != reason {
				h.Errorf("%s is banned: %t, for %q; want %q", addr, banned, b.Reason, reason)
			}
		}
		if b, known := h.Bans.Last("192.0.2.0/24"); !known || b.By != "a test" || b.Since != start.UnixMilli() || b.Strike != 3 {
			h.Errorf("%+v, %t", b, known)
		}
		if _, banned := h.Bans.OfAddress(netip.Addr{}); banned {
			h.Error("who has no address is banned")
		}
		h.reopen()
	}
	h.unban("192.0.2.7/32", true)
	h.unban("192.0.2.0/25", false)
	want["192.0.2.7"], want["::ffff:192.0.2.7"] = "scans", "scans"
	for network := range ends {
		h.unban(network, true)
	}
	var listed []string
	for after, more := "", true; more; {
		var page []chat.Ban
		page, more = h.Bans.List(after, 3)
		for _, b := range page {
			listed, after = append(listed, b.Subject()), b.Subject()
		}
	}
	if got := fmt.Sprint(listed); got != "[192.0.2.0/24 198.51.100.64/26 2001:db8:1::/64 2001:db8:2::/48]" {
		h.Errorf("listed are %s", got)
	}
}

// A ban ends at its time, and is remembered for a while.
func testBansEnd(h *house) {
	now := h.Log.Now()
	h.ban(chat.Ban{UserID: "u_ada", Reason: "spam", Since: now, Until: now + 60_000, Strike: 2})
	h.ban(chat.Ban{Network: netip.MustParsePrefix("192.0.2.0/24"), Reason: "scans", Since: now, Until: now + 60_000, Strike: 3})
	addr := netip.MustParseAddr("192.0.2.1")
	if _, banned := h.Bans.OfAddress(addr); !banned {
		h.Error("the network is not banned")
	}
	h.banned("u_ada", "spam")
	h.jump(61 * time.Second)
	for range 2 {
		h.banned("u_ada", "")
		if _, banned := h.Bans.OfAddress(addr); banned {
			h.Error("the network is still banned")
		}
		if list, _ := h.Bans.List("", 10); len(list) > 0 {
			h.Errorf("listed are %+v", list)
		}
		if b, known := h.Bans.Last("u_ada"); !known || b.Strike != 2 {
			h.Errorf("remembered is %+v, %t", b, known)
		}
		if b, known := h.Bans.Last("192.0.2.0/24"); !known || b.Strike != 3 {
			h.Errorf("of the network, remembered is %+v, %t", b, known)
		}
		h.reopen()
	}
	h.unban("u_ada", false)
	if b, known := h.Bans.Last("u_ada"); known {
		h.Errorf("remembered is %+v", b)
	}
}

func (h *house) ban(b chat.Ban) {
	h.Helper()
	if err := h.Bans.Ban(ctx, b); err != nil {
		h.Errorf("Ban(%+v): %v", b, err)
	}
}

func (h *house) unban(subject string, want bool) {
	h.Helper()
	if was, err := h.Bans.Unban(ctx, subject); was != want || err != nil {
		h.Errorf("Unban(%q): %t, %v; want %t", subject, was, err, want)
	}
}

// banned fails unless the reason of a user's ban, "" if there is none, is one of these.
func (h *house) banned(userID string, want ...string) {
	h.Helper()
	b, banned := h.Bans.OfUser(userID)
	for _, reason := range want {
		if b.Reason == reason && banned == (reason != "") {
			return
		}
	}
	h.Errorf("%s is banned: %t, for %q; want %q", userID, banned, b.Reason, want)
}
