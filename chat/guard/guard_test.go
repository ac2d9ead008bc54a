package guard_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/guard"
	"github.com/hawser-ws/hawser/chat/local"
)

// house has a guard in a synctest bubble, whose clock stands still until every goroutine waits.
type house struct {
	*testing.T
	bans    *local.Bans
	guard   *guard.Guard
	reports []string
	users   map[string]netip.Addr
	created map[string]int64
	broken  error // what the engine says
	cfg     guard.Config
}

// breakable is a chat.Bans that may fail.
type breakable struct {
	*local.Bans
	h *house
}

func (b breakable) Ban(ctx context.Context, one chat.Ban) error {
	if b.h.broken != nil {
		return b.h.broken
	}
	return b.Bans.Ban(ctx, one)
}

func newHouse(t *testing.T, change func(*guard.Config)) *house {
	h := &house{T: t, users: map[string]netip.Addr{}, created: map[string]int64{}}
	clock := chat.SystemClock()
	now := func() int64 { return clock.Now().UnixMilli() }
	h.bans = local.NewBans(local.BansConfig{Now: now, Banned: func(chat.Ban) {}}, nil)
	cfg := guard.Config{
		Bans: breakable{h.bans, h}, Clock: clock, Log: slog.New(slog.DiscardHandler), Now: now,
		Report: func(r guard.Report) {
			text := fmt.Sprint(r.Kind)
			switch {
			case r.Err != nil:
				text += ": " + r.Err.Error()
			case r.Kind == guard.Attack:
				text += fmt.Sprint(" ", r.Count)
			default:
				text += fmt.Sprintf(" %s for %q, strike %d, %v", r.Ban.Subject(), r.Ban.Reason, r.Ban.Strike, time.Duration(r.Ban.Until-r.Ban.Since)*time.Millisecond)
			}
			h.reports = append(h.reports, text)
		},
		UsersAt: func(p netip.Prefix, limit int) (ids []string) {
			for id, addr := range h.users {
				if p.Contains(addr) {
					ids = append(ids, id)
				}
			}
			return ids
		},
		Allowed: func(p netip.Prefix) bool { return p == netip.MustParsePrefix("192.0.2.99/32") },
		User: func(_ context.Context, id string) (chat.User, error) {
			return chat.User{ID: id, Guest: id[:3] == "u_g", Created: h.created[id]}, nil
		},
	}
	if change != nil {
		change(&cfg)
	}
	h.cfg = cfg
	h.guard = guard.New(cfg)
	t.Cleanup(func() { h.guard.Close() })
	time.Sleep(2 * time.Minute) // the clock is not at 0, and the server has been there for a while
	return h
}

// offend commits n offences, with the given time between them.
func (h *house) offend(k chat.OffenceKind, user, addr string, n int, apart time.Duration) {
	for range n {
		o := chat.Offence{Kind: k, UserID: user}
		if addr != "" {
			o.Address = netip.MustParseAddr(addr)
		}
		h.guard.Offended(o)
		time.Sleep(apart)
	}
	synctest.Wait()
}

func (h *house) want(reports ...string) {
	h.Helper()
	synctest.Wait()
	if !slices.Equal(h.reports, reports) {
		h.Errorf("reported are\n\t%q\nwant\n\t%q", h.reports, reports)
	}
	h.reports = nil
}

func bubble(t *testing.T, change func(*guard.Config), f func(h *house)) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t, change)
		f(h)
	})
}

// Five offences within a minute are a ban of ten minutes, and each further one is twice as long.
func TestBansDouble(t *testing.T) {
	bubble(t, nil, func(h *house) {
		h.offend(chat.TooFast, "u_eve", "192.0.2.1", 4, time.Second)
		h.want()
		h.offend(chat.TooFast, "u_eve", "192.0.2.1", 1, time.Second)
		h.want(`banned u_eve for "too_fast", strike 1, 10m0s`)
		if b, banned := h.bans.OfUser("u_eve"); !banned || b.By != guard.By {
			h.Errorf("%+v, %t", b, banned)
		}
		if _, banned := h.bans.OfAddress(netip.MustParseAddr("192.0.2.1")); banned {
			h.Error("the address is banned for what a user has done")
		}
		for strike, length := range []string{"20m0s", "40m0s", "1h20m0s", "2h40m0s", "5h20m0s", "10h40m0s", "21h20m0s", "24h0m0s", "24h0m0s"} {
			b, _ := h.bans.Last("u_eve")
			time.Sleep(time.Until(time.UnixMilli(b.Until)))
			if _, banned := h.bans.OfUser("u_eve"); banned {
				h.Error("still banned")
			}
			h.offend(chat.TooFast, "u_eve", "192.0.2.1", 5, 2*time.Second)
			h.want(fmt.Sprintf(`banned u_eve for "too_fast", strike %d, %s`, strike+2, length))
		}
	})
}

// Offences within a second count as one, and those older than the window no longer count.
func TestWindow(t *testing.T) {
	bubble(t, nil, func(h *house) {
		h.offend(chat.TooFast, "u_eve", "192.0.2.1", 1000, 3*time.Millisecond)
		h.want() // in three seconds
		time.Sleep(time.Minute)
		h.offend(chat.TooFast, "u_eve", "192.0.2.1", 20, 16*time.Second)
		h.want()
	})
}

// An address is blamed for what happens before log-in, IPv6 by /64, but not if well-behaved users
// share it or its network is allowed.
func TestAddresses(t *testing.T) {
	bubble(t, nil, func(h *house) {
		h.offend(chat.BadToken, "", "::ffff:192.0.2.1", 5, time.Second)
		h.want(`banned 192.0.2.1/32 for "bad_token", strike 1, 10m0s`)
		for i := range 5 {
			h.offend(chat.BadToken, "", fmt.Sprintf("2001:db8::%d", i), 1, time.Second)
		}
		h.want(`banned 2001:db8::/64 for "bad_token", strike 1, 10m0s`)
		h.offend(chat.BadToken, "", "192.0.2.99", 50, time.Second)
		h.want()

		h.users["u_ada"] = netip.MustParseAddr("192.0.2.2")
		h.offend(chat.BadToken, "", "192.0.2.2", 10, time.Second)
		h.want(`spared 192.0.2.2/32 for "bad_token", strike 0, 0s`) // once in a minute
		time.Sleep(2 * time.Minute)
		h.offend(chat.TooFast, "u_ada", "192.0.2.2", 1, time.Second) // she is not well-behaved either
		h.offend(chat.BadToken, "", "192.0.2.2", 5, time.Second)
		h.want(`banned 192.0.2.2/32 for "bad_token", strike 1, 10m0s`)
		h.offend(chat.BadToken, "", "", 10, time.Second) // nobody to ban
		h.want()

		// A new guest proves nothing about an address.
		h.users["u_guest"], h.created["u_guest"] = netip.MustParseAddr("192.0.2.8"), time.Now().UnixMilli()
		h.offend(chat.BadToken, "", "192.0.2.8", 5, time.Second)
		h.want(`banned 192.0.2.8/32 for "bad_token", strike 1, 10m0s`)
		time.Sleep(10 * time.Minute)
		h.offend(chat.BadToken, "", "192.0.2.8", 5, time.Second)
		h.want(`spared 192.0.2.8/32 for "bad_token", strike 0, 0s`)
	})
}

// If a guest comes back as another guest, the address is banned in the end.
func TestGuests(t *testing.T) {
	bubble(t, nil, func(h *house) {
		for i := range 2 {
			h.offend(chat.TooManyErrors, fmt.Sprint("u_guest", i), "192.0.2.3", 3, 2*time.Second)
		}
		h.want(`banned u_guest0 for "too_many_errors", strike 1, 10m0s`, `banned u_guest1 for "too_many_errors", strike 1, 10m0s`,
			`banned 192.0.2.3/32 for "banned_guest", strike 1, 10m0s`)
	})
}

// A browser that asks for a few missing pages is not a scan; one that asks for many is.
func TestScan(t *testing.T) {
	bubble(t, nil, func(h *house) {
		h.offend(chat.BadRequest, "", "192.0.2.4", 19, 10*time.Millisecond)
		h.want()
		h.offend(chat.BadRequest, "", "192.0.2.4", 1, 10*time.Millisecond)
		h.want(`banned 192.0.2.4/32 for "bad_request", strike 1, 10m0s`)
	})
}

// A node that knows well-behaved users at a network spares it, if another node has banned it by
// itself; what an administrator has banned stays.
func TestSpares(t *testing.T) {
	bubble(t, nil, func(h *house) {
		h.users["u_ada"] = netip.MustParseAddr("192.0.2.2")
		for _, c := range []struct {
			network, by string
			want        bool
		}{{"192.0.2.2/32", guard.By, true}, {"192.0.2.2/32", "ada", false}, {"192.0.2.3/32", guard.By, false}} {
			if got := h.guard.Spares(&chat.Ban{Network: netip.MustParsePrefix(c.network), By: c.by}); got != c.want {
				t.Errorf("%s banned by %s is spared: %t", c.network, c.by, got)
			}
		}
	})
}

// Running into a ban is not an offence: it does not make the ban longer.
func TestBannedMeetsBan(t *testing.T) {
	bubble(t, nil, func(h *house) {
		h.offend(chat.BadRequest, "", "192.0.2.4", 1000, 10*time.Millisecond)
		h.want(`banned 192.0.2.4/32 for "bad_request", strike 1, 10m0s`)
	})
}

// A client that opens needless connections, as monitors do, gets no longer ban each time, and none
// at all when the server has just started.
func TestUnused(t *testing.T) {
	bubble(t, nil, func(h *house) {
		for range 3 {
			h.offend(chat.Unused, "", "192.0.2.5", 25, 10*time.Millisecond)
			h.want(`banned 192.0.2.5/32 for "unused", strike 1, 10m0s`)
			time.Sleep(11 * time.Minute)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := &house{T: t}
		g := guard.New(guard.Config{Bans: local.NewBans(local.BansConfig{Now: func() int64 { return time.Now().UnixMilli() }, Banned: func(chat.Ban) {}}, nil),
			Report: func(r guard.Report) { h.reports = append(h.reports, fmt.Sprint(r.Kind)) }})
		defer g.Close()
		for range 1000 {
			g.Offended(chat.Offence{Kind: chat.NoAuth, Address: netip.MustParseAddr("192.0.2.6")})
			time.Sleep(50 * time.Millisecond)
		}
		h.want()
	})
}

// Bans by others stay, and a failing engine is reported.
func TestOthersBans(t *testing.T) {
	bubble(t, nil, func(h *house) {
		network := netip.MustParsePrefix("192.0.2.5/32")
		h.bans.Apply(chat.Ban{Network: network, Reason: "spam", By: "admin"})
		h.offend(chat.BadToken, "", "192.0.2.5", 5, time.Second)
		h.want()
		if b, _ := h.bans.OfAddress(network.Addr()); b.By != "admin" {
			h.Errorf("%+v", b)
		}
		h.broken = errors.New("out of order")
		h.offend(chat.BadToken, "", "192.0.2.6", 5, time.Second)
		h.want("failed: banning 192.0.2.6/32: out of order")
		h.broken = nil
		h.offend(chat.BadToken, "", "192.0.2.6", 5, time.Second)
		h.want(`banned 192.0.2.6/32 for "bad_token", strike 1, 10m0s`)
	})
}

// Many bans within a minute are an attack, which is reported once in five minutes.
func TestAttack(t *testing.T) {
	bubble(t, nil, func(h *house) {
		for i := range 25 {
			for range 5 {
				h.guard.Offended(chat.Offence{Kind: chat.TooManyErrors, Address: netip.AddrFrom4([4]byte{10, 0, 0, byte(i)})})
				time.Sleep(time.Second / 2)
			}
		}
		synctest.Wait()
		attacks := 0
		for _, r := range h.reports {
			if r == "attack 10" {
				attacks++
			}
		}
		if attacks != 1 || len(h.reports) != 26 {
			h.Errorf("%d attacks in %q", attacks, h.reports)
		}
	})
}

// A15: a million addresses and users take bounded memory, and those that continue are banned.
func TestA15Millions(t *testing.T) {
	bubble(t, nil, func(h *house) {
		for i := range 1 << 20 {
			addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			h.guard.Offended(chat.Offence{Kind: chat.BadToken, Address: addr})
			if i < 1<<17 {
				h.guard.Offended(chat.Offence{Kind: chat.TooFast, UserID: fmt.Sprint("u_", i), Address: addr})
			}
		}
		if users, networks := h.guard.Counted(); users > 1<<16 || networks > 1<<16 {
			h.Errorf("%d users and %d networks are counted", users, networks)
		}
		h.offend(chat.BadToken, "", "192.0.2.7", 5, time.Second)
		h.want(`banned 192.0.2.7/32 for "bad_token", strike 1, 10m0s`)
		if n := h.guard.Offences(chat.TooFast); n != 1<<17 {
			h.Errorf("%d offences", n)
		}
	})
}

// A guest vouches for one address, once in the time of the longest ban, however old and quiet they
// are. Each of several does, and a registered user again and again.
func TestGuestsVouchOnce(t *testing.T) {
	bubble(t, func(cfg *guard.Config) { cfg.Longest = time.Hour }, func(h *house) {
		idle := time.Now()
		h.users["u_guest"], h.created["u_guest"] = netip.MustParseAddr("192.0.2.8"), idle.UnixMilli()
		time.Sleep(20 * time.Minute)
		attack := func(addr, want string) {
			h.Helper()
			h.offend(chat.BadToken, "", addr, 5, time.Second)
			h.want(fmt.Sprintf(want, addr))
		}
		const spared, banned = `spared %s/32 for "bad_token", strike 0, 0s`, `banned %s/32 for "bad_token", strike 1, 10m0s`
		attack("192.0.2.8", spared)
		attack("192.0.2.8", banned)
		h.users["u_guest"] = netip.MustParseAddr("192.0.2.9") // the same one at the attacker's next address
		attack("192.0.2.9", banned)
		for i := range 3 { // people behind one address
			id := fmt.Sprint("u_guest of an office ", i)
			h.users[id], h.created[id] = netip.MustParseAddr("192.0.2.10"), idle.UnixMilli()
		}
		for range 3 {
			time.Sleep(time.Minute) // a spared network is reported once in a minute
			attack("192.0.2.10", spared)
		}
		attack("192.0.2.10", banned)
		time.Sleep(time.Hour)
		h.users["u_guest"] = netip.MustParseAddr("192.0.2.11")
		attack("192.0.2.11", spared)
		attack("192.0.2.11", banned)
		h.users["u_ada"] = netip.MustParseAddr("192.0.2.12")
		for range 4 {
			time.Sleep(time.Minute)
			attack("192.0.2.12", spared)
		}
	})
}

// A network's ban after its first one has run out is twice as long, also after a restart, and on
// another node.
func TestStrikesOutliveTheNode(t *testing.T) {
	bubble(t, nil, func(h *house) {
		h.offend(chat.BadToken, "", "192.0.2.7", 5, time.Second)
		h.want(`banned 192.0.2.7/32 for "bad_token", strike 1, 10m0s`)
		time.Sleep(11 * time.Minute)
		now := func() int64 { return time.Now().UnixMilli() }
		h.guard.Close()
		h.guard = guard.New(guard.Config{
			Bans: local.NewBans(local.BansConfig{Now: now, Banned: func(chat.Ban) {}}, h.bans.All()), // as an engine stores them
			Now:  now, Log: slog.New(slog.DiscardHandler),
			Report: func(r guard.Report) {
				h.reports = append(h.reports, fmt.Sprintf("%s, strike %d, %d min", r.Ban.Subject(), r.Ban.Strike, (r.Ban.Until-r.Ban.Since)/60_000))
			},
		})
		defer h.guard.Close()
		h.offend(chat.BadToken, "", "192.0.2.7", 5, time.Second)
		h.want("192.0.2.7/32, strike 2, 20 min")
	})
}
