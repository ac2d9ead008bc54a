package redis

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// meanwhile does something before or after the next change of a session.
type meanwhile struct {
	rueidis.Client
	armed         atomic.Bool
	before, after func()
}

func (m *meanwhile) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	args := cmd.Commands()
	now := len(args) > 1 && args[0] == "EVALSHA" && args[1] == sessionScript.sha && m.armed.CompareAndSwap(true, false)
	if now && m.before != nil {
		m.before()
	}
	r := m.Client.Do(ctx, cmd)
	if now && m.after != nil {
		m.after()
	}
	return r
}

func begin(t *testing.T, e *Engine) {
	t.Helper()
	if err := e.sessions.Begin(ctx, chat.Session{ID: "s_1", UserID: "u_ada", Key: chat.KeyHash{1}, Began: e.store.Now()}); err != nil {
		t.Fatal(err)
	}
}

// A session that is just being stored is not taken for one that has ended.
func TestRefreshWhileASessionBegins(t *testing.T) {
	e := open(t, Config{Addresses: []string{startRedis(t)}})
	put(t, e, "u_ada")
	n, r := attach(t, e)
	if _, err := n.Connect(ctx, "u_ada"); err != nil {
		t.Fatal(err)
	}
	m := &meanwhile{Client: e.client.Client, before: func() { e.refresh(ctx) }}
	m.armed.Store(true)
	e.client.Client = m
	begin(t, e)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ends) > 0 {
		t.Errorf("a session that has just begun: %q", r.ends)
	}
}

// A refresh does not count a connection again while Redis is being told of its end.
func TestRefreshWhileAConnectionEnds(t *testing.T) {
	e := open(t, Config{Addresses: []string{startRedis(t)}})
	put(t, e, "u_ada")
	begin(t, e)
	refreshed := make(chan error, 1)
	m := &meanwhile{Client: e.client.Client, after: func() {
		go func() { refreshed <- e.sessions.refreshOne(ctx, "s_1", "u_ada", e.sessions.process()) }()
		select {
		case err := <-refreshed:
			refreshed <- err
		case <-time.After(100 * time.Millisecond): // it waits for the release
		}
	}}
	m.armed.Store(true)
	e.client.Client = m
	e.sessions.Release("s_1")
	if err := e.sessions.flush(ctx, func(string, string) bool { return true }); err != nil {
		t.Fatal(err)
	}
	if err := <-refreshed; err != nil {
		t.Error(err)
	}
	if list, err := e.sessions.List(ctx, "u_ada"); err != nil || len(list) != 1 || list[0].Open != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// That all sessions of a user have ended is remembered, however many have since.
func TestEndOfAllIsRemembered(t *testing.T) {
	e := open(t, Config{Addresses: []string{startRedis(t)}})
	put(t, e, "u_ada")
	if _, err := e.sessions.End(ctx, "u_ada", "", chat.LoggedOut); err != nil {
		t.Fatal(err)
	}
	var gone []change
	for i := range 1001 {
		gone = append(gone, change{fmt.Sprint("s_", i), "", ""})
	}
	time.Sleep(2 * time.Millisecond) // as they end later
	if done, _, err := e.sessions.replace(ctx, "u_ada", changes{of: gone}); !done || err != nil {
		t.Fatal(done, err)
	}
	r := e.client.Do(ctx, e.client.B().Zscore().Key(e.store.keys.endedSessions("u_ada")).Member("-").Build())
	if _, err := r.AsFloat64(); err != nil {
		t.Error(err)
	}
}
