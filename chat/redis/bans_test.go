package redis

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// A17: bans survive a flush of Redis, and one that is lost with the control stream's entry for it
// is still heard of.
func TestA17BansSurviveAFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	cfg := Config{Addresses: []string{server.Addr}, PresenceTTL: 400 * time.Millisecond}
	one, other := open(t, cfg), open(t, cfg)
	network := netip.MustParsePrefix("192.0.2.0/24")
	inForce := func(e *Engine, subjects ...string) func() bool {
		return func() bool {
			for _, s := range subjects {
				if b, known := e.bans.Last(s); !known || !b.InForce(e.store.Now()) {
					return false
				}
			}
			return true
		}
	}
	for _, b := range []chat.Ban{{Network: network, Reason: "scans"}, {UserID: "u_eve", Reason: "spam"}} {
		if err := one.bans.Ban(ctx, b); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the bans at the other node", inForce(other, "192.0.2.0/24", "u_eve"))
	await(t, "all changes", func() bool {
		other.bans.mu.Lock()
		defer other.bans.mu.Unlock()
		return other.bans.changes == 2
	})

	server.Do("FLUSHALL")
	count := func() bool {
		n, err := one.client.Do(ctx, one.client.B().Hlen().Key(one.broker.keys.bans()).Build()).AsInt64()
		return err == nil && n == 3
	}
	await(t, "the bans to be stored again", count)
	late := open(t, cfg)
	for _, e := range []*Engine{one, other, late} {
		await(t, "the bans after the flush", inForce(e, "192.0.2.0/24", "u_eve"))
	}
	if was, err := late.bans.Unban(ctx, "u_eve"); !was || err != nil {
		t.Errorf("lifting a ban: %t, %v", was, err)
	}
	await(t, "the end of the ban", func() bool { return !inForce(other, "u_eve")() })

	// A change of which nobody is told.
	key := one.broker.keys.bans()
	server.Do("HSET", key, "u_mallory", `{"user":"u_mallory","reason":"spam","since":1,"later":"version"}`)
	server.Do("HDEL", key, "192.0.2.0/24")
	server.Do("HINCRBY", key, countField, "2")
	for _, e := range []*Engine{one, other, late} {
		await(t, "the change of which nobody told", func() bool { return inForce(e, "u_mallory")() && !inForce(e, "192.0.2.0/24")() })
	}
}

// A17: a flush is noticed if more bans follow it than there were before.
func TestA17BansAfterAFlush(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	ban := func(subjects ...string) {
		t.Helper()
		for _, s := range subjects {
			if err := e.bans.Ban(ctx, chat.Ban{UserID: s, Reason: "spam"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	ban("u_eve")
	e.bans.check(ctx)
	server.Do("FLUSHALL")
	if err := e.bans.changed(ctx, "", "u_eve", 1); err != nil { // word of it comes late
		t.Fatal(err)
	}
	ban("u_a", "u_b", "u_c")
	for range 3 { // the count is ahead
		if err := e.bans.check(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for name, e := range map[string]*Engine{"the node that knew it": e, "one that starts then": open(t, e.cfg)} {
		if _, banned := e.bans.OfUser("u_eve"); !banned {
			t.Errorf("u_eve is not banned on %s", name)
		}
	}
}

// A17: a failover loses the last changes, and others come after it.
func TestA17BansAfterAFailover(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	key, control := e.broker.keys.bans(), e.broker.keys.control()
	ban := func(e *Engine, user string, since int64) {
		t.Helper()
		if err := e.bans.Ban(ctx, chat.Ban{UserID: user, Reason: fmt.Sprint(since), Since: since}); err != nil {
			t.Fatal(err)
		}
	}
	ban(e, "u_ada", 1)
	ban(e, "u_bob", 1)
	e.bans.check(ctx)
	before := server.Do("HGET", key, "u_ada")
	kept := server.Do("XLEN", control).(int64)
	ban(e, "u_ada", 2)
	ban(e, "u_bob", 2)
	ban(e, "u_eve", 2)
	// All at once, as a failover does: a look at half of it would find other things lost.
	server.Do("EVAL", `local entries = redis.call('XRANGE', KEYS[2], '-', '+')
for i = ARGV[2] + 1, #entries do
	redis.call('XDEL', KEYS[2], entries[i][1])
end
redis.call('HSET', KEYS[1], 'u_ada', ARGV[1], '#', '2')
redis.call('HDEL', KEYS[1], 'u_eve', 'u_bob')
return 1`, 2, key, control, before, kept)
	later := open(t, e.cfg)
	ban(later, "u_bob", 3)
	for i := range 5 {
		ban(later, fmt.Sprint("u_", i), 3)
	}
	await(t, "the changes after the failover", func() bool { _, banned := e.bans.OfUser("u_4"); return banned })
	if err := e.bans.check(ctx); err != nil {
		t.Fatal(err)
	}
	await(t, "word of what was stored again", func() bool { later.bans.check(ctx); _, banned := later.bans.OfUser("u_eve"); return banned })
	for _, e := range []*Engine{e, later, open(t, e.cfg)} {
		for user, since := range map[string]int64{"u_ada": 2, "u_bob": 3, "u_eve": 2, "u_0": 3} {
			if b, _ := e.bans.OfUser(user); b.Since != since {
				t.Errorf("the ban of %s is of %d, want %d", user, b.Since, since)
			}
		}
	}

	// Nothing is lost: what another node has lifted stays lifted.
	if _, err := later.bans.Unban(ctx, "u_eve"); err != nil {
		t.Fatal(err)
	}
	if err := e.bans.check(ctx); err != nil {
		t.Fatal(err)
	}
	if there := server.Do("HEXISTS", key, "u_eve"); there != int64(0) {
		t.Error("a ban that was lifted is stored again")
	}
}

// Bans that have ended make room; those by hand have some to themselves.
func TestBansMakeRoom(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	cfg := Config{Addresses: []string{server.Addr}, maxBans: 2000}.withDefaults()
	key := keys{prefix: cfg.Prefix}.bans()
	now := time.Now().UnixMilli()
	args := []any{"HSET", key, countField, "2000"}
	for i := range cfg.maxBans {
		args = append(args, fmt.Sprint("u_", i), fmt.Sprintf(`{"user":"u_%d","reason":"unused","since":%d,"until":%d,"strike":1}`, i, now-30*3600_000, now-3600_000))
	}
	server.Do(args...)
	e, other := open(t, cfg), open(t, cfg)
	if n := len(e.bans.All()); n != cfg.maxBans {
		t.Fatalf("%d bans are read", n)
	}
	ban := func(user string, strike int) error {
		return e.bans.Ban(ctx, chat.Ban{UserID: user, Reason: "spam", Until: now + 3600_000, Strike: strike})
	}
	for _, strike := range []int{0, 1} {
		var err error
		for range 10 { // so many are forgotten at a time that automatic ones have room
			if err = ban(fmt.Sprint("u_eve", strike), strike); err == nil {
				break
			}
			e.broker.readControl(ctx)
		}
		if err != nil {
			t.Errorf("a ban with strike %d: %v", strike, err)
		}
	}
	want := server.Do("HLEN", key).(int64) - 1
	if want >= int64(cfg.maxBans) {
		t.Errorf("there are %d bans", want)
	}
	for _, e := range []*Engine{e, other} {
		await(t, "fewer bans in memory", func() bool { return int64(len(e.bans.All())) == want })
	}
}

func TestBansAreFull(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}, maxBans: 20})
	for i := range 21 {
		strike := 1
		if i >= 18 {
			strike = 0
		}
		one := chat.Ban{UserID: fmt.Sprint("u_", i), Reason: "spam", Strike: strike}
		if i == 18 {
			automatic := one
			automatic.Strike = 1
			if err := e.bans.Ban(ctx, automatic); !errors.Is(err, chat.ErrTooManyBans) {
				t.Errorf("an automatic ban takes what is reserved: %v", err)
			}
		}
		if err := e.bans.Ban(ctx, one); (err == nil) != (i < 20) || err != nil && !errors.Is(err, chat.ErrTooManyBans) {
			t.Errorf("ban %d: %v", i, err)
		}
	}
	if err := e.bans.Ban(ctx, chat.Ban{UserID: "u_3", Reason: "spam", Strike: 2}); err != nil {
		t.Errorf("another ban of one who is banned: %v", err)
	}
}
