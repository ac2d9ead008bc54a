package redis

import (
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
