package redis

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// A failover loses a session that has a connection: what was stored of it, or its last resume.
// It is stored again, unless it was ended meanwhile, or its user was; then it stays ended, and the
// connections are told, also if word of that was lost.
func TestLostSessions(t *testing.T) {
	for _, c := range []struct {
		name string
		lose func(t *testing.T, server *redistest.Server, e, other *Engine)
		want []string // what the receiver is told
	}{
		{"the session", func(t *testing.T, server *redistest.Server, e, _ *Engine) {
			server.Do("DEL", e.store.keys.sessions("u_ada"), e.store.keys.sessionUser("s_1"))
		}, nil},
		{"the last resume", func(t *testing.T, server *redistest.Server, e, _ *Engine) {
			key := e.store.keys.sessions("u_ada")
			before := server.Do("HGET", key, "s_1").(string)
			if _, err := e.sessions.Resume(ctx, "s_1", chat.KeyHash{1}, chat.KeyHash{2}, chat.Origin{}); err != nil {
				t.Fatal(err)
			}
			if _, err := e.sessions.Resume(ctx, "s_1", chat.KeyHash{2}, chat.KeyHash{1}, chat.Origin{Device: "phone"}); err != nil {
				t.Fatal(err)
			}
			server.Do("HSET", key, "s_1", before)
		}, nil},
		{"nothing, and it was ended", func(t *testing.T, server *redistest.Server, e, other *Engine) {
			end(t, server, e, other, "s_1")
		}, []string{`u_ada "s_1" logged out`}},
		{"the session, and it was ended", func(t *testing.T, server *redistest.Server, e, other *Engine) {
			server.Do("DEL", e.store.keys.sessions("u_ada"))
			end(t, server, e, other, "s_1")
		}, []string{`u_ada "s_1" logged out`}},
		{"the session, and all were ended", func(t *testing.T, server *redistest.Server, e, other *Engine) {
			server.Do("DEL", e.store.keys.sessions("u_ada"))
			end(t, server, e, other, "")
		}, []string{`u_ada "s_1" logged out`}},
		{"the session, and the user was banned", func(t *testing.T, server *redistest.Server, e, other *Engine) {
			server.Do("DEL", e.store.keys.sessions("u_ada"), e.store.keys.endedSessions("u_ada"))
			if err := e.bans.Ban(ctx, chat.Ban{UserID: "u_ada", Reason: "spam"}); err != nil {
				t.Fatal(err)
			}
			server.Do("DEL", e.store.keys.endedSessions("u_ada"))
		}, []string{`u_ada "s_1" logged out`}},
		{"everything", func(t *testing.T, server *redistest.Server, e, _ *Engine) {
			server.Do("FLUSHALL")
		}, []string{`u_ada "s_1" logged out`}},
		{"the session, long ago", func(t *testing.T, server *redistest.Server, e, _ *Engine) {
			server.Do("DEL", e.store.keys.sessions("u_ada"))
			e.sessions.mu.Lock()
			e.sessions.held["s_1"].sure = time.Now().Add(-e.sessions.kept())
			e.sessions.mu.Unlock()
		}, []string{`u_ada "s_1" logged out`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := redistest.Start(t)
			e, other := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Hour}), open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Hour})
			put(t, e, "u_ada")
			n, r := attach(t, e)
			if _, err := n.Connect(ctx, "u_ada"); err != nil {
				t.Fatal(err)
			}
			if err := e.sessions.Begin(ctx, chat.Session{ID: "s_1", UserID: "u_ada", Key: chat.KeyHash{1}, Features: []string{"ack"}, Began: e.store.Now()}); err != nil {
				t.Fatal(err)
			}
			c.lose(t, server, e, other)
			if err := e.refresh(ctx); err != nil {
				t.Fatal(err)
			}
			r.mu.Lock()
			ends := slices.Clone(r.ends)
			r.mu.Unlock()
			if last := ends[max(0, len(ends)-1):]; !slices.Equal(last, c.want) {
				t.Errorf("told %q, want %q", ends, c.want)
			}
			list, err := other.sessions.List(ctx, "u_ada")
			if err != nil || (len(list) == 1) != (c.want == nil) {
				t.Fatalf("the sessions are %+v, %v", list, err)
			}
			s, err := other.sessions.Resume(ctx, "s_1", chat.KeyHash{1}, chat.KeyHash{3}, chat.Origin{})
			if c.want != nil {
				if !errors.Is(err, chat.ErrSessionRefused) {
					t.Errorf("resumed %+v, %v", s, err)
				}
				return
			}
			if err != nil || s.UserID != "u_ada" || !slices.Equal(s.Features, []string{"ack"}) || s.Open < 2 {
				t.Errorf("resumed %+v, %v", s, err)
			}
		})
	}
}

// end ends sessions of u_ada, of which the first engine hears nothing.
func end(t *testing.T, server *redistest.Server, e, other *Engine, id string) {
	t.Helper()
	server.Do("XADD", e.broker.keys.control(), "*", "w", "u_nobody s_0 0") // so that the stream is no new one
	e.broker.mu.Lock()
	e.broker.control = "9999999999999-0"
	e.broker.mu.Unlock()
	if _, err := other.sessions.End(ctx, "u_ada", id, chat.LoggedOut); err != nil {
		t.Fatal(err)
	}
}

// The last connection of a session that was lost ends. It can be resumed all the same.
func TestLostSessionIsReleased(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	put(t, e, "u_ada")
	if err := e.sessions.Begin(ctx, chat.Session{ID: "s_1", UserID: "u_ada", Key: chat.KeyHash{1}, Began: e.store.Now()}); err != nil {
		t.Fatal(err)
	}
	server.Do("DEL", e.store.keys.sessions("u_ada"))
	e.sessions.Release("s_1")
	if list, err := e.sessions.List(ctx, "u_ada"); err != nil || len(list) != 1 || list[0].Open != 0 {
		t.Errorf("the sessions are %+v, %v", list, err)
	}
	if _, err := e.sessions.Resume(ctx, "s_1", chat.KeyHash{1}, chat.KeyHash{2}, chat.Origin{}); err != nil {
		t.Error(err)
	}
}

// Those who are connected while Redis loses everything do not stay connected as users that do not
// exist.
func TestFlushallEndsSessions(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Second})
	put(t, e, "u_ada")
	n, r := attach(t, e)
	if _, err := n.Connect(ctx, "u_ada"); err != nil {
		t.Fatal(err)
	}
	if err := e.sessions.Begin(ctx, chat.Session{ID: "s_1", UserID: "u_ada", Key: chat.KeyHash{1}, Began: e.store.Now()}); err != nil {
		t.Fatal(err)
	}
	server.Do("FLUSHALL")
	await(t, "the end", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return slices.Contains(r.ends, `u_ada "s_1" logged out`)
	})
}

// A client asks again after an answer was lost, and what it had asked first is done after that, by
// a node that is late. The key that the client has is good, and the others are until it is used.
func TestLateResume(t *testing.T) {
	e := open(t, Config{Addresses: []string{startRedis(t)}})
	resume := func(key, next byte) error {
		_, err := e.sessions.Resume(ctx, "s_1", chat.KeyHash{key}, chat.KeyHash{next}, chat.Origin{})
		return err
	}
	if err := e.sessions.Begin(ctx, chat.Session{ID: "s_1", UserID: "u_ada", Key: chat.KeyHash{1}, Began: e.store.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		key, next byte
		refused   bool
	}{
		{1, 10, false}, {1, 11, false}, // the first one is the last that was asked
		{10, 2, false}, {11, 99, true}, {1, 99, true},
		{2, 20, false}, {2, 21, false}, {2, 22, false}, {2, 23, false}, {2, 24, false},
		{20, 99, true}, // too many
		{21, 3, false}, {22, 99, true}, {24, 99, true}, {2, 99, true},
		{21, 30, false}, {30, 4, false}, {3, 99, true},
	} {
		if err := resume(c.key, c.next); (err != nil) != c.refused || c.refused && !errors.Is(err, chat.ErrSessionRefused) {
			t.Errorf("%d for %d: %v", c.next, c.key, err)
		}
	}
	// A version that does not know of rivals has replaced the key for which they were given out.
	if err := resume(4, 40); err != nil {
		t.Error(err)
	}
	if err := resume(4, 41); err != nil {
		t.Error(err)
	}
	records, stored, err := e.sessions.all(ctx, "u_ada")
	if err != nil {
		t.Fatal(err)
	}
	r := records["s_1"]
	used, next := chat.KeyHash{41}, chat.KeyHash{5}
	r.Before, r.Key = used[:], next[:]
	if done, _, err := e.sessions.replace(ctx, "u_ada", changes{check: r.Until, of: []change{{"s_1", stored["s_1"], r.String()}}}); !done || err != nil {
		t.Fatal(done, err)
	}
	if err := resume(40, 99); !errors.Is(err, chat.ErrSessionRefused) {
		t.Errorf("an old key: %v", err)
	}
}
