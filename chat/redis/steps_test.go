package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// dying is a client of a process that dies after some commands.
type dying struct {
	rueidis.Client
	left atomic.Int64
}

var errDead = errors.New("the process is dead")

func (d *dying) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	if d.left.Add(-1) < 0 {
		return rueidis.NewErrorResult(errDead)
	}
	return d.Client.Do(ctx, cmd)
}

// DoMulti executes the commands one after the other, so that it can die between any two.
func (d *dying) DoMulti(ctx context.Context, cmds ...rueidis.Completed) (results []rueidis.RedisResult) {
	for _, cmd := range cmds {
		results = append(results, d.Do(ctx, cmd))
	}
	return results
}

// What lies in several slots is right whenever the process dies: between any two commands of an
// operation. Another process finds it as it was before, or as it is after, and can do it again.
func TestDeathBetweenSteps(t *testing.T) {
	address := startRedis(t)
	adaBob := chat.PrivateConversation("u_ada", "u_bob")
	for _, op := range []struct {
		name string
		do   func(e *Engine) error
		ok   func(t *testing.T, e *Engine) // after it was repeated
		half func(t *testing.T, e *Engine) // after the death
	}{
		{"a private message",
			func(e *Engine) error { return try(e, adaBob, "hello", "r").Err },
			func(t *testing.T, e *Engine) {
				if got := stored(t, e, adaBob); !slices.Equal(got, []string{"hello"}) {
					t.Errorf("stored are %q", got)
				}
				for _, user := range []string{"u_ada", "u_bob"} {
					if talks, _, err := e.store.Talks(ctx, user, 0, "", 10); len(talks) != 1 || err != nil {
						t.Errorf("talks of %s: %v, %v", user, talks, err)
					}
				}
			},
			func(t *testing.T, e *Engine) {
				n := len(stored(t, e, adaBob))
				for _, user := range []string{"u_ada", "u_bob"} {
					if talks, _, err := e.store.Talks(ctx, user, 0, "", 10); len(talks) != n || err != nil {
						t.Errorf("talks of %s: %v, %v, where %d messages are stored", user, talks, err, n)
					}
				}
			}},
		{"a new room",
			func(e *Engine) error { return try(e, lobby, "hello", "r").Err },
			func(t *testing.T, e *Engine) {
				if err := e.store.sweep(ctx, partition(string(lobby))); err != nil {
					t.Error(err)
				}
				if rooms, _, err := e.store.Rooms(ctx, chat.RoomPlace{}, "", 10); len(rooms) != 1 || err != nil {
					t.Errorf("rooms are %v, %v", rooms, err)
				}
			}, nil},
		{"a new name",
			func(e *Engine) error { return e.store.PutUser(ctx, chat.User{ID: "u_ada", Name: "Paula"}) },
			func(t *testing.T, e *Engine) {
				if err := e.store.PutUser(ctx, chat.User{ID: "u_eve", Name: "PauIa"}); !errors.Is(err, chat.ErrNameTaken) {
					t.Errorf("a name with the same look: %v", err)
				}
				// Nobody has the name before any more.
				if err := e.store.PutUser(ctx, chat.User{ID: "u_eve", Name: "PauI"}); err != nil {
					t.Error(err)
				}
			},
			func(t *testing.T, e *Engine) {
				// Whichever name the user has, nobody gets one that looks like it.
				u, err := e.store.User(ctx, "u_ada")
				if err != nil {
					t.Fatal(err)
				}
				alike := map[string]string{"Paul": "Pau1", "Paula": "Pau1a"}[u.Name]
				if err := e.store.PutUser(ctx, chat.User{ID: "u_zoe", Name: alike}); !errors.Is(err, chat.ErrNameTaken) {
					t.Errorf("%s, beside %s: %v", alike, u.Name, err)
				}
			}},
		{"joining",
			func(e *Engine) error { _, err := e.store.Join(ctx, "lobby", "u_ada"); return err },
			func(t *testing.T, e *Engine) { members(t, e, "u_ada") },
			func(t *testing.T, e *Engine) {
				if is, err := e.store.IsMember(ctx, "lobby", "u_ada"); err != nil {
					t.Error(err)
				} else if is {
					members(t, e, "u_ada")
				} else {
					members(t, e)
				}
			}},
		{"leaving",
			func(e *Engine) error { _, err := e.store.Leave(ctx, "attic", "u_ada"); return err },
			func(t *testing.T, e *Engine) {
				if m, _, err := e.store.MembersOf(ctx, "attic", "", 10); len(m) > 0 || err != nil {
					t.Errorf("members are %v, %v", m, err)
				}
			}, nil},
		{"the end of all sessions, and a ban",
			func(e *Engine) error { return e.bans.Ban(ctx, chat.Ban{UserID: "u_ada", Reason: "spam"}) },
			func(t *testing.T, e *Engine) {
				if list, err := e.sessions.List(ctx, "u_ada"); len(list) > 0 || err != nil {
					t.Errorf("sessions are %v, %v", list, err)
				}
			},
			func(t *testing.T, e *Engine) {
				await(t, "the word of the ban, or a session that goes on", func() bool {
					_, banned := e.bans.OfUser("u_ada")
					list, err := e.sessions.List(ctx, "u_ada")
					if err != nil {
						t.Fatal(err)
					}
					return banned || len(list) > 0
				})
			}},
		{"a session",
			func(e *Engine) error {
				err := e.sessions.Begin(ctx, chat.Session{ID: "s_2", UserID: "u_ada", Key: chat.KeyHash{2}})
				if list, _ := e.sessions.List(ctx, "u_ada"); len(list) == 2 {
					return nil // it was stored the first time
				}
				return err
			},
			func(t *testing.T, e *Engine) {
				if _, err := e.sessions.Resume(ctx, "s_2", chat.KeyHash{2}, chat.KeyHash{3}, chat.Origin{}); err != nil {
					t.Error(err)
				}
			}, nil},
		{"the deletion of a user",
			func(e *Engine) error { return directory{e.store, e.sessions}.DeleteUser(ctx, "u_ada") },
			func(t *testing.T, e *Engine) {
				if _, err := e.store.User(ctx, "u_ada"); !errors.Is(err, chat.ErrNotFound) {
					t.Errorf("the user: %v", err)
				}
				if rooms, _, err := e.store.RoomsOf(ctx, "u_ada", "", 10); len(rooms) > 0 || err != nil {
					t.Errorf("rooms are %v, %v", rooms, err)
				}
			}, nil},
	} {
		t.Run(op.name, func(t *testing.T) {
			for steps, over := int64(0), false; !over; steps++ {
				if steps > 100 {
					t.Fatal("it never succeeds")
				}
				cfg := Config{Addresses: []string{address}, Prefix: fmt.Sprintf("step%d:", places.Add(1))}
				e := open(t, cfg)
				for id, name := range map[string]string{"u_ada": "Paul", "u_bob": "Bob"} {
					if err := e.store.PutUser(ctx, chat.User{ID: id, Name: name}); err != nil {
						t.Fatal(err)
					}
				}
				if _, err := e.store.Join(ctx, "attic", "u_ada"); err != nil {
					t.Fatal(err)
				}
				if err := e.sessions.Begin(ctx, chat.Session{ID: "s_1", UserID: "u_ada", Key: chat.KeyHash{1}, Began: time.Now().UnixMilli()}); err != nil {
					t.Fatal(err)
				}
				over = die(t, cfg, steps, op.do) == nil
				if op.half != nil {
					op.half(t, e)
				}
				if err := op.do(e); err != nil {
					t.Errorf("again, after %d steps: %v", steps, err)
				}
				op.ok(t, e)
				e.Close(ctx)
				if t.Failed() {
					t.Fatalf("the process died after %d steps", steps)
				}
			}
		})
	}
}

// die does something in a process that dies after some commands.
func die(t *testing.T, cfg Config, steps int64, do func(*Engine) error) error {
	t.Helper()
	cfg = cfg.withDefaults()
	client, err := rueidis.NewClient(cfg.options(cfg.Timeout))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	d := &dying{Client: client}
	d.left.Store(steps)
	e := newEngine(cfg, &bounded{d, time.Second}, &bounded{d, time.Second}) // begins nothing of its own
	err = do(e)
	d.left.Store(0)
	e.cancel()
	e.broker.cancel()
	return err
}

func members(t *testing.T, e *Engine, want ...string) {
	t.Helper()
	list, _, err := e.store.MembersOf(ctx, "lobby", "", 10)
	var got []string
	for _, m := range list {
		got = append(got, m.UserID)
	}
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("members are %q, %v; want %q", got, err, want)
	}
}
