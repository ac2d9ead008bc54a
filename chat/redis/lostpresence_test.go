package redis

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// Who comes and goes while no replica hears of it is told again, in case a failover loses that.
func TestPresenceIsKept(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	replica := redistest.Start(t, redistest.Config(fmt.Sprintf("replicaof 127.0.0.1 %d", server.Port)))
	e := open(t, Config{Addresses: []string{server.Addr}, Ack: Ack{Replicas: 1}, PresenceTTL: time.Hour})
	put := func(id string) {
		await(t, "a user", func() bool { return e.store.PutUser(ctx, chat.User{ID: id, Name: "Name of " + id}) == nil })
	}
	put("u_ada")
	put("u_bob")
	n, _ := attach(t, e)
	for _, id := range []string{"u_ada", "u_bob"} {
		if _, err := n.Connect(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
	here := func() []string { return inLobby(t, e) }
	n.Enter("lobby", "u_ada")
	await(t, "ada", func() bool { return slices.Equal(here(), []string{"u_ada"}) })
	k := e.store.keys
	saved := server.Do("HGET", k.presence(lobby), "u_ada").(string)
	e.store.setFew("", false)
	replica.Pause()
	n.Leave("lobby", "u_ada")
	n.Enter("lobby", "u_bob")
	await(t, "bob", func() bool { return slices.Equal(here(), []string{"u_bob"}) })
	await(t, "doubt", func() bool { n.roster.mu.Lock(); defer n.roster.mu.Unlock(); return len(n.roster.unsure) == 2 })
	// A failover loses both.
	server.Do("DEL", k.presence(lobby), k.present(lobby))
	server.Do("HSET", k.presence(lobby), "u_ada", saved)
	server.Do("ZADD", k.present(lobby), 0, "u_ada")
	replica.Resume()
	await(t, "how it is", func() bool { return slices.Equal(here(), []string{"u_bob"}) })
}

// A primary that comes back before the sentinels make it a replica takes what it is told, and loses
// it. So who came and went lately is told again when there are enough replicas again.
func TestPresenceAfterAStalePrimary(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	redistest.Start(t, redistest.Config(fmt.Sprintf("replicaof 127.0.0.1 %d", server.Port)))
	e := open(t, Config{Addresses: []string{server.Addr}, Ack: Ack{Replicas: 1}, PresenceTTL: time.Hour})
	await(t, "a user", func() bool { return e.store.PutUser(ctx, chat.User{ID: "u_ada", Name: "Ada"}) == nil })
	n, _ := attach(t, e)
	if _, err := n.Connect(ctx, "u_ada"); err != nil {
		t.Fatal(err)
	}
	n.Enter("lobby", "u_ada")
	await(t, "ada", func() bool { return slices.Equal(inLobby(t, e), []string{"u_ada"}) })
	await(t, "no doubt", func() bool { n.roster.mu.Lock(); defer n.roster.mu.Unlock(); return len(n.roster.unsure) == 0 })
	e.store.setFew("", true)
	k := e.store.keys
	server.Do("DEL", k.presence(lobby), k.present(lobby))
	e.store.setFew("", false)
	await(t, "how it is", func() bool { return slices.Equal(inLobby(t, e), []string{"u_ada"}) })
}

func inLobby(t *testing.T, e *Engine) (ids []string) {
	t.Helper()
	users, _, err := presence{e.broker}.Users(ctx, "lobby", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		ids = append(ids, u.ID)
	}
	return ids
}

// Who has come or gone just before a failover that lost it is told again, also where nothing waits
// for replicas, or not any more.
func TestPresenceIsToldAgain(t *testing.T) {
	for name, ack := range map[string]Ack{"in memory": {}, "too few replicas": {Replicas: 1}} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			e := open(t, Config{Addresses: []string{server.Addr}, Ack: ack, PresenceTTL: time.Hour})
			fewForLong(e, "")
			put(t, e, "u_ada", "u_bob")
			n, _ := attach(t, e)
			for _, id := range []string{"u_ada", "u_bob"} {
				if _, err := n.Connect(ctx, id); err != nil {
					t.Fatal(err)
				}
			}
			n.Enter("lobby", "u_ada")
			await(t, "ada", func() bool { return slices.Equal(inLobby(t, e), []string{"u_ada"}) })
			k := e.store.keys
			saved := server.Do("HGET", k.presence(lobby), "u_ada").(string)
			n.Leave("lobby", "u_ada")
			n.Enter("lobby", "u_bob")
			await(t, "bob", func() bool { return slices.Equal(inLobby(t, e), []string{"u_bob"}) })
			server.Do("DEL", k.presence(lobby), k.present(lobby))
			server.Do("HSET", k.presence(lobby), "u_ada", saved)
			server.Do("ZADD", k.present(lobby), 0, "u_ada")
			if ack == (Ack{}) {
				server.Do("CLIENT", "KILL", "TYPE", "pubsub")
			}
			await(t, "how it is", func() bool { return slices.Equal(inLobby(t, e), []string{"u_bob"}) })
		})
	}
}
