package redis

import (
	"slices"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// Each hint names the one before it, also one of an earlier version, and none has the number of
// one that was lost.
func TestHintsFollowOneAnother(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	k := e.store.keys
	put := func(other string) {
		t.Helper()
		c := chat.PrivateConversation("u_ada", other)
		for _, r := range hintScript.runAll(ctx, e.client, []call{e.store.hintCall("u_ada", c, chat.Tail{Epoch: "e"})}) {
			if err := r.Error(); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("u_bob")
	// The script of an earlier version counts.
	server.Do("HINCRBY", k.hints(partition("u_ada")), "u_ada", 1)
	number := server.Do("HGET", k.hints(partition("u_ada")), "u_ada").(string)
	server.Do("ZADD", k.inbox("u_ada"), number, "p:u_ada:u_eve 0 0 e 1 "+number)
	put("u_zoe")
	hints, _, err := e.store.Hints(ctx, "u_ada", 0, 10)
	if err != nil || len(hints) != 3 {
		t.Fatal(hints, err)
	}
	before := uint64(0)
	for _, h := range hints {
		if h.Before != before || h.Number <= before {
			t.Errorf("%s has the number %d after %d, which comes after %d", h.Conversation, h.Number, h.Before, before)
		}
		before = h.Number
	}
	if recent, last, err := e.store.Recent(ctx, "u_ada"); len(recent) != 1 || last != before || err != nil {
		t.Errorf("recent are %v up to %d, %v", recent, last, err)
	}

	// A failover loses the last one.
	server.Do("HSET", k.hints(partition("u_ada")), "u_ada", number)
	server.Do("ZREMRANGEBYRANK", k.inbox("u_ada"), -1, -1)
	put("u_kim")
	hints, _, err = e.store.Hints(ctx, "u_ada", before, 10)
	if err != nil || len(hints) != 1 || hints[0].Before == before {
		t.Errorf("after %d come %+v, %v", before, hints, err)
	}
}

// A failover loses the hint to a private conversation, before anything is stored there. Another is
// put, so that its people hear what is.
func TestLostHintIsPutAgain(t *testing.T) {
	for name, failover := range map[string]func(*redistest.Server, *Engine){
		"new connections":    func(server *redistest.Server, _ *Engine) { server.Do("CLIENT", "KILL", "TYPE", "normal") },
		"channels elsewhere": func(_ *redistest.Server, e *Engine) { e.broker.gap(time.Now()) },
		"a failed append":    func(_ *redistest.Server, e *Engine) { e.store.forgetHint(chat.PrivateConversation("u_ada", "u_bob")) },
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			cfg := Config{Addresses: []string{server.Addr}, ProbeEvery: 100 * time.Millisecond}
			e, other := open(t, cfg), open(t, cfg)
			put(t, e, "u_ada", "u_bob")
			n, r := attach(t, other)
			if _, err := n.Connect(ctx, "u_bob"); err != nil {
				t.Fatal(err)
			}
			c := chat.PrivateConversation("u_ada", "u_bob")
			e.store.hint(ctx, []*batch{{c: c}})
			k := e.store.keys
			for _, user := range []string{"u_ada", "u_bob"} {
				server.Do("DEL", k.hints(partition(user)), k.inbox(user), k.talks(user))
			}
			failover(server, e)
			insist(t, e, c, "hello")
			await(t, "the message", func() bool { return slices.Equal(r.of(c), []string{"hello"}) })
			var talks []chat.Talk
			await(t, "a connection that was not cut", func() bool {
				var err error
				talks, _, err = e.store.Talks(ctx, "u_bob", 0, "", 10)
				return err == nil
			})
			if len(talks) != 1 {
				t.Errorf("the talks are %v", talks)
			}
		})
	}
}
