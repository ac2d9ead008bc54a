package redis

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// X05: a replica becomes the primary without the last changes. Those who have heard them are told
// that the conversation is another one, whether they append first, or another node does that knows
// nothing and gives out the same numbers again. What had lost nothing goes on.
func TestX05FailoverLosesTheLast(t *testing.T) {
	t.Parallel()
	for name, strangers := range map[string]int{"the node itself goes on": 0, "a stranger writes less": 1, "as much": 2, "more": 4} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := redistest.StartSentinel(t, redistest.Replicas(1))
			cfg := Config{Addresses: g.Addrs(), Master: g.Name, PresenceTTL: time.Second, ProbeEvery: 200 * time.Millisecond}
			e := open(t, cfg)
			_, r := attach(t, e, lobby, attic)
			safe := cfg
			safe.Ack.Replicas = 1
			s := open(t, safe)
			say(t, s, attic, "a")
			before := say(t, s, lobby, "1", "2", "3").Change.Epoch
			await(t, "what is safe", func() bool { return len(r.of(lobby)) == 3 && len(r.of(attic)) == 1 })
			master := g.Master()
			replica := g.Servers[slices.IndexFunc(g.Servers, func(s *redistest.Server) bool { return s != master })]
			replica.Pause()
			master.Do("CLIENT", "KILL", "TYPE", "replica")
			say(t, e, lobby, "lost 1", "lost 2")
			await(t, "what will be lost", func() bool { return len(r.of(lobby)) == 5 })
			master.Kill()
			replica.Resume()
			g.AwaitFailover(master)
			if strangers > 0 {
				stranger := open(t, cfg)
				for i := range strangers {
					insist(t, stranger, lobby, string(rune('A'+i)))
				}
				await(t, "word of the loss", func() bool { return len(r.losses(lobby)) > 0 })
			}
			insist(t, e, lobby, "last")
			insist(t, e, attic, "b")
			await(t, "the last message", func() bool {
				return slices.Contains(r.of(lobby), "last") || strangers == 0 && len(r.losses(lobby)) > 0
			})
			await(t, "the other conversation", func() bool { return slices.Contains(r.of(attic), "b") })
			tail, err := e.store.Tail(ctx, lobby)
			if err != nil || tail.Epoch == before {
				t.Errorf("the conversation is at %+v, %v", tail, err)
			}
			if diff := cmp.Diff([]string{tail.Epoch}, r.losses(lobby)); diff != "" || len(r.losses(attic)) > 0 {
				t.Errorf("lost %v; (-want +got):\n%s", r.losses(attic), diff)
			}
			if got := r.of(attic); !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("the other conversation: %q", got)
			}
		})
	}
}

// A planned failover loses nothing, and nobody is told of anything.
func TestFailoverThatLosesNothing(t *testing.T) {
	t.Parallel()
	g := redistest.StartSentinel(t, redistest.Replicas(1))
	e := open(t, Config{Addresses: g.Addrs(), Master: g.Name, Ack: Ack{Replicas: 1}, PresenceTTL: time.Second})
	_, r := attach(t, e, lobby)
	say(t, e, lobby, "1", "2")
	g.Failover()
	insist(t, e, lobby, "3")
	await(t, "all", func() bool { return slices.Equal(r.of(lobby), []string{"1", "2", "3"}) })
	if got := r.losses(lobby); len(got) > 0 {
		t.Errorf("lost: %v", got)
	}
}
