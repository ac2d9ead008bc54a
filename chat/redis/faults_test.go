package redis

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// X01: Redis is killed under load, and comes back. Each message is stored once and heard once, in
// order, and meanwhile nothing waits for longer than it may.
func TestX01KillRedis(t *testing.T) {
	server := redistest.Start(t, redistest.AOF("always"))
	e := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Second})
	_, r := attach(t, e, lobby, attic)
	const writers, messages = 4, 40
	var wg sync.WaitGroup
	half := make(chan struct{}, writers)
	for w := range writers {
		wg.Go(func() {
			c := []chat.Conversation{lobby, attic}[w%2]
			for i := range messages {
				insist(t, e, c, fmt.Sprint(w, ".", i))
				if i == messages/2 {
					half <- struct{}{}
				}
			}
		})
	}
	<-half
	server.Kill()
	await(t, "word that Redis is away", func() bool { return e.Healthy() != nil })
	if err := try(e, lobby, "while it is away", "").Err; err == nil {
		t.Error("a message was stored without Redis")
	}
	server.Restart()
	wg.Wait()
	for _, c := range []chat.Conversation{lobby, attic} {
		want := stored(t, e, c)
		if len(want) != writers/2*messages {
			t.Errorf("%d messages are stored, want %d", len(want), writers/2*messages)
		}
		await(t, "everything", func() bool { return len(r.of(c)) >= len(want) })
		if diff := cmp.Diff(want, r.of(c)); diff != "" || len(r.losses(c)) > 0 {
			t.Errorf("lost %v; heard (-stored +heard):\n%s", r.losses(c), diff)
		}
	}
	await(t, "word that Redis is back", func() bool { return e.Healthy() == nil })
}

// X02: the network swallows everything. Each call fails within its limit, and when the network
// is back everything goes on.
func TestX02Blackhole(t *testing.T) {
	relay := redistest.StartRelay(t, redistest.Start(t).Addr)
	e := open(t, Config{Addresses: []string{relay.Addr}, Timeout: 2 * time.Second, PresenceTTL: time.Second})
	n, r := attach(t, e, lobby)
	say(t, e, lobby, "1")
	relay.Blackhole()
	calls := map[string]func() error{
		"Append": func() error { return try(e, lobby, "swallowed", "r").Err },
		"History": func() error {
			_, err := e.store.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 1})
			return err
		},
		"Tail":    func() error { _, err := e.store.Tail(ctx, lobby); return err },
		"PutUser": func() error { return e.store.PutUser(ctx, chat.User{ID: "u_ada", Name: "Ada"}) },
		"Join":    func() error { _, err := e.store.Join(ctx, "lobby", "u_ada"); return err },
		"Begin":   func() error { return e.sessions.Begin(ctx, chat.Session{ID: "s", UserID: "u_ada"}) },
		"Ban":     func() error { return e.bans.Ban(ctx, chat.Ban{UserID: "u_ada", Reason: "spam"}) },
		"Subscribe": func() error {
			c, cancel := e.store.client.limit(ctx)
			defer cancel()
			_, err := n.Subscribe(c, attic)
			return err
		},
	}
	var wg sync.WaitGroup
	for name, call := range calls {
		wg.Go(func() {
			failed := make(chan error, 1)
			go func() { failed <- call() }()
			select {
			case err := <-failed:
				if err == nil {
					t.Errorf("%s succeeds, although nothing gets through", name)
				}
				if name == "Append" && !errors.Is(err, chat.ErrOutcomeUnknown) {
					t.Errorf("Append: %v, want ErrOutcomeUnknown", err)
				}
			case <-time.After(patience):
				t.Errorf("%s does not return", name)
			}
		})
	}
	wg.Wait()
	await(t, "word that Redis is away", func() bool { return e.Healthy() != nil })
	relay.Open()
	insist(t, e, lobby, "2")
	want := stored(t, e, lobby)
	await(t, "the last message", func() bool { return slices.Contains(r.of(lobby), "2") })
	if diff := cmp.Diff(want, r.of(lobby)); diff != "" {
		t.Errorf("(-stored +heard):\n%s", diff)
	}
}

// X06: an emptied Redis. There is a new epoch, those who are subscribed are told once, and
// everybody who is connected is present again.
func TestX06Flushall(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Second})
	put(t, e, "u_ada")
	n, r := attach(t, e, lobby, attic)
	if _, err := n.Connect(ctx, "u_ada"); err != nil {
		t.Fatal(err)
	}
	n.Enter("lobby", "u_ada")
	before := say(t, e, lobby, "1", "2").Change.Epoch
	await(t, "both", func() bool { return len(r.of(lobby)) == 2 })
	server.Do("FLUSHALL")
	// Before anybody has noticed: the numbers begin again, and so does the epoch.
	after := say(t, e, lobby, "3").Change
	if after.Epoch == before || after.Number != 1 {
		t.Errorf("the first change is %d, of epoch %s, which was %s", after.Number, after.Epoch, before)
	}
	await(t, "word of the loss", func() bool { return len(r.losses(lobby)) == 1 })
	await(t, "a new epoch of the engine", func() bool { epoch, err := e.store.Epoch(ctx); return err == nil && epoch != before })
	say(t, e, lobby, "4")
	await(t, "the last message", func() bool { return slices.Contains(r.of(lobby), "4") })
	if diff := cmp.Diff([]string{after.Epoch}, r.losses(lobby)); diff != "" {
		t.Errorf("told of losses (-want +got):\n%s", diff)
	}
	await(t, "who is there", func() bool {
		users, _, err := presence{e.broker}.Users(ctx, "lobby", 10)
		return err == nil && len(users) == 1
	})
}

// X07: a server that has forgotten the scripts is sent them again, in the order of the calls.
func TestX07NoScript(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	for round := range 3 {
		server.Do("SCRIPT", "FLUSH")
		var entries []chat.Entry
		for i := range 200 {
			c := []chat.Conversation{lobby, attic, chat.PrivateConversation("u_ada", "u_bob")}[i%3]
			entries = append(entries, chat.Entry{Conversation: c, Message: message("u_ada", fmt.Sprint(round, ".", i), fmt.Sprint(round, ".", i))})
		}
		last := make(map[chat.Conversation]uint64)
		e.store.Append(ctx, entries, func(i int, r chat.Result) {
			c := entries[i].Conversation
			if r.Err != nil || r.Change.Number != last[c]+1 && last[c] > 0 {
				t.Errorf("%s: %d after %d, %v", c, r.Change.Number, last[c], r.Err)
			}
			last[c] = r.Change.Number
		})
	}
	if n := len(stored(t, e, lobby)); n != 201 {
		t.Errorf("%d messages, want 201", n)
	}
}
