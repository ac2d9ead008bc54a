package redis

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// crowd connects users who enter the lobby.
func crowd(t *testing.T, n *node, users int) (ids []string) {
	t.Helper()
	for i := range users {
		id := fmt.Sprintf("u_%03d", i)
		if _, err := n.Connect(ctx, id); err != nil {
			t.Fatal(err)
		}
		n.Enter("lobby", id)
		ids = append(ids, id)
	}
	return ids
}

func present(t *testing.T, e *Engine, want int) {
	t.Helper()
	await(t, fmt.Sprint(want, " who are there"), func() bool {
		users, _, err := presence{e.broker}.Users(ctx, "lobby", 1000)
		counts, err2 := presence{e.broker}.Counts(ctx, []string{"lobby"})
		return err == nil && err2 == nil && len(users) == want && counts[0] == want
	})
}

// noGhosts verifies that Redis holds no presence.
func noGhosts(t *testing.T, server *redistest.Server) {
	t.Helper()
	await(t, "the end of all traces", func() bool {
		for _, key := range server.Do("KEYS", "*").([]any) {
			_, rest, ok := strings.Cut(fmt.Sprint(key), "}")
			if ok && strings.ContainsAny(rest[:1], "zpon") {
				return false
			}
		}
		return true
	})
}

// X08: everybody leaves while Redis is slow. Nothing waits for it, and afterwards nobody is left.
func TestX08MassDisconnect(t *testing.T) {
	server := redistest.Start(t)
	relay := redistest.StartRelay(t, server.Addr)
	e := open(t, Config{Addresses: []string{relay.Addr}})
	other := open(t, Config{Addresses: []string{server.Addr}})
	const users = 200
	for i := range users {
		put(t, other, fmt.Sprintf("u_%03d", i))
	}
	_, r := attach(t, other, lobby)
	n, _ := attach(t, e)
	ids := crowd(t, n, users)
	present(t, other, users)
	relay.Stall()
	for _, id := range ids {
		n.Disconnect(id)
	}
	relay.Open()
	present(t, other, 0)
	noGhosts(t, server)
	await(t, "everybody's leaving", func() bool { return r.events("left") == users })
	if joined := r.events("joined"); joined != users {
		t.Errorf("%d joined", joined)
	}
}

// X09: a node dies. Nobody counts as present because of it after Config.PresenceTTL, those who
// remain are told, and nothing is left of it. If it was not dead at all, its people come back.
func TestX09NodeDies(t *testing.T) {
	server := redistest.Start(t)
	relay := redistest.StartRelay(t, server.Addr)
	const ttl = 400 * time.Millisecond
	e := open(t, Config{Addresses: []string{relay.Addr}, PresenceTTL: ttl, Timeout: time.Second})
	other := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: ttl})
	for i := range 20 {
		put(t, other, fmt.Sprintf("u_%03d", i))
	}
	witness, r := attach(t, other, lobby)
	if _, err := witness.Connect(ctx, "u_000"); err != nil { // one of them is here, too
		t.Fatal(err)
	}
	witness.Enter("lobby", "u_000")
	n, _ := attach(t, e)
	crowd(t, n, 20)
	present(t, other, 20)
	relay.Cut()
	present(t, other, 1)
	online, err := presence{other.broker}.Online(ctx, []string{"u_000", "u_001"})
	if len(online) != 1 || err != nil {
		t.Errorf("online are %v, %v", online, err)
	}
	await(t, "the others' leaving", func() bool { return r.events("left") == 19 })
	relay.Open()
	present(t, other, 20)
	n.Detach()
	present(t, other, 1)
	witness.Disconnect("u_000")
	present(t, other, 0)
	noGhosts(t, server)
}

// A node that joins a room while another one is unknown to it counts at once.
func TestPresenceOfNewNode(t *testing.T) {
	server := redistest.Start(t)
	cfg := Config{Addresses: []string{server.Addr}, PresenceTTL: time.Hour} // no heartbeat tells of it
	e, other := open(t, cfg), open(t, cfg)
	put(t, e, "u_000")
	n, _ := attach(t, e)
	crowd(t, n, 1)
	if err := n.roster.flush(ctx); err != nil {
		t.Fatal(err)
	}
	users, _, err := presence{other.broker}.Users(ctx, "lobby", 10)
	if len(users) != 1 || err != nil || users[0] != (chat.User{ID: "u_000", Name: "Name of u_000"}) {
		t.Errorf("%+v, %v", users, err)
	}
}

// What a master told that was replaced, its successor may not know: that somebody has left one node,
// say. So when nodes tell again where somebody is, everybody hears that, whatever is stored.
func TestPlacesThatAreDoubted(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	redistest.Start(t, redistest.Config(fmt.Sprintf("replicaof 127.0.0.1 %d", server.Port)))
	e := open(t, Config{Addresses: []string{server.Addr}, Ack: Ack{Replicas: 1}, ProbeEvery: time.Hour, PresenceTTL: time.Hour})
	_, r := attach(t, e, lobby)
	insist(t, e, attic, "the replica is there")
	place := func(node string, here, doubted bool, kind string, want int) {
		t.Helper()
		c := presenceChange{room: "lobby", user: "u_ada", here: here, doubted: doubted, as: chat.User{ID: "u_ada", Name: "Ada"}}
		if err := placeScript.run(ctx, e.client, e.broker.placeCall(node, c)).Error(); err != nil {
			t.Fatal(err)
		}
		await(t, kind, func() bool { return r.events(kind) == want })
	}
	place("one", true, false, "joined", 1)
	place("two", true, true, "joined", 2)
	place("one", false, true, "joined", 3)
	place("two", false, true, "left", 1)

	put(t, e, "u_bob")
	n, _ := attach(t, e)
	if _, err := n.Connect(ctx, "u_bob"); err != nil {
		t.Fatal(err)
	}
	n.Enter("lobby", "u_bob")
	for want := 4; want < 6; want++ { // also when connections have broken
		await(t, "joined", func() bool { return r.events("joined") >= want })
		n.roster.tellRecent()
	}
}

// A failover may bring back that somebody is at a node of long ago, which nobody buries again. They
// come and go as if that were not so.
func TestPlaceOfAForgottenNode(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Hour})
	put(t, e, "u_ada")
	_, r := attach(t, e, lobby)
	n, _ := attach(t, e)
	c := presenceChange{room: "lobby", user: "u_ada", here: true, as: chat.User{ID: "u_ada", Name: "Ada"}}
	back := func() {
		t.Helper()
		if err := placeScript.run(ctx, e.client, e.broker.placeCall("forgotten", c)).Error(); err != nil {
			t.Fatal(err)
		}
	}
	back()
	await(t, "the failover", func() bool { return r.events("joined") == 1 })
	if users, _, err := (presence{e.broker}).Users(ctx, "lobby", 10); len(users) != 0 || err != nil {
		t.Errorf("%+v, %v", users, err)
	}
	if _, err := n.Connect(ctx, "u_ada"); err != nil {
		t.Fatal(err)
	}
	n.Enter("lobby", "u_ada")
	await(t, "joined", func() bool { return r.events("joined") == 2 })
	back()
	n.Leave("lobby", "u_ada")
	await(t, "left", func() bool { return r.events("left") == 1 })
	if err := n.roster.flush(ctx); err != nil {
		t.Fatal(err)
	}
	if counts, err := (presence{e.broker}).Counts(ctx, []string{"lobby"}); err != nil || counts[0] != 0 {
		t.Errorf("%v, %v", counts, err)
	}
}

// A user who comes and goes while Redis does not answer is reported once, as gone. A dead node that has the
// user, too, does not bring them back.
func TestComeAndGone(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Hour})
	put(t, e, "u_ada")
	_, r := attach(t, e, lobby)
	n, _ := attach(t, e)
	if _, err := n.Connect(ctx, "u_ada"); err != nil {
		t.Fatal(err)
	}
	if err := n.roster.flush(ctx); err != nil {
		t.Fatal(err)
	}
	there := presenceChange{room: "lobby", user: "u_ada", here: true, as: chat.User{ID: "u_ada", Name: "Ada"}}
	if err := placeScript.run(ctx, e.client, e.broker.placeCall("forgotten", there)).Error(); err != nil {
		t.Fatal(err)
	}
	n.roster.mu.Lock() // so that nothing is told in between
	ada := n.roster.people["u_ada"]
	ada.rooms["lobby"] = 1
	n.roster.push("lobby", ada)
	delete(ada.rooms, "lobby")
	n.roster.push("lobby", ada)
	n.roster.mu.Unlock()
	await(t, "left", func() bool { return r.events("left") == 1 })
	if err := n.roster.flush(ctx); err != nil {
		t.Fatal(err)
	}
	if counts, err := (presence{e.broker}).Counts(ctx, []string{"lobby"}); err != nil || counts[0] != 0 {
		t.Errorf("%v, %v", counts, err)
	}
}
