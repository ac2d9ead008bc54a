package redis

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// If something does not end in time, the node goes on, and knows what has happened meanwhile.
func TestFreezeInVain(t *testing.T) {
	w := newTwoNodes(t)
	b := w.first.broker
	if !b.gate.try() { // something that does not end
		t.Fatal("the gate is shut")
	}
	defer b.gate.leave()
	limited, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	go func() { failed <- (takeover{w.first}).Freeze(limited) }()
	await(t, "the gate to be shut", b.gate.isShut)
	there := w.other.broker.all()[0]
	if _, err := there.Connect(ctx, "u_eve"); err != nil {
		t.Fatal(err)
	}
	there.Enter("lobby", "u_eve")
	await(t, "who has come", func() bool { return w.watching.events("joined") == 4 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	await(t, "who has come meanwhile", func() bool { return w.r.events("joined") == 4 })
}

// A node that was thought dead has to remove what it had under its earlier id. Meanwhile it is not handed over, as the
// new process would know nothing of that.
func TestFreezeDuringOwnRemoval(t *testing.T) {
	w := newTwoNodes(t)
	b, earlier := w.first.broker, w.n.roster.id
	removing := make(chan bool, 1)
	keep := b.keep
	b.keep = func(ctx context.Context, sc *script, calls []call, each func(int, rueidis.RedisResult)) (bool, error) {
		if sc == onlineScript && len(calls) > 0 && calls[0].args[0] == earlier { // the gate is shut between two steps
			select {
			case removing <- true:
				for !b.gate.isShut() && ctx.Err() == nil {
					time.Sleep(time.Millisecond)
				}
			default:
			}
		}
		return keep(ctx, sc, calls, each)
	}
	w.server.Do("ZADD", b.keys.nodes(), "-1", earlier)
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := (takeover{w.first}).Freeze(limited); err != errRevived {
		t.Errorf("%v", err)
	}
	await(t, "the removal to end", func() bool { return (takeover{w.first}).Freeze(ctx) == nil })
	if w.n.roster.id == earlier {
		t.Error("it has no other id")
	}
}

// If connections break while a node is handed over, or what Redis was told is not safe yet, it may have lost that. It is
// told again, by the process that goes on.
func TestLossDuringHandover(t *testing.T) {
	for name, lose := range map[string]func(*twoNodes) *heir{
		"the old process notices": func(w *twoNodes) *heir {
			w.first.broker.gap(time.Now())
			return inheritFrom(t, w.first)
		},
		"the new one notices": func(w *twoNodes) *heir {
			next := inheritFrom(t, w.first)
			next.broker.gap(time.Now())
			return next
		},
		"nobody notices": func(w *twoNodes) *heir {
			w.n.roster.mu.Lock()
			w.n.roster.unsure = map[[2]string]bool{{"lobby", "u_ada"}: true, {"lobby", "u_bob"}: true}
			w.n.roster.mu.Unlock()
			return inheritFrom(t, w.first)
		},
		"there are too few replicas": func(w *twoNodes) *heir {
			w.first.store.setFew("", true)
			return inheritFrom(t, w.first)
		},
		"the new one refuses": func(w *twoNodes) *heir {
			w.first.broker.gap(time.Now())
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwoNodes(t)
			freeze(t, w.first)
			w.server.Do("DEL", w.first.broker.keys.presence(lobby), w.first.broker.keys.present(lobby))
			if next := lose(w); next != nil {
				(takeover{next.Engine}).Start()
			} else if err := (takeover{w.first}).Thaw(); err != nil {
				t.Fatal(err)
			}
			await(t, "those who are there", func() bool {
				users, _, err := (presence{w.other.broker}).Users(ctx, "lobby", 10)
				return err == nil && len(users) == 2
			})
		})
	}
}

// What all nodes are told is heeded by the new process, even if the old one had not read it when it was frozen, and the
// new one had begun after it.
func TestTakeOverUnread(t *testing.T) {
	w := newTwoNodes(t)
	freeze(t, w.first)
	if n, err := w.other.sessions.End(ctx, "u_ada", "s_ada", chat.LoggedOut); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	next := inheritFrom(t, w.first)
	(takeover{next.Engine}).Start()
	await(t, "the end of the session", func() bool {
		next.r.mu.Lock()
		defer next.r.mu.Unlock()
		return slices.Contains(next.r.ends, `u_ada "s_ada" logged out`)
	})
}

// aheadClock is a clock that is ahead.
type aheadClock struct {
	chat.Clock
	by time.Duration
}

func (c aheadClock) Now() time.Time { return c.Clock.Now().Add(c.by) }

// The new process hears of those who came when the old one was frozen, even if it hangs before it reads the state.
func TestTakeOverAfterAHang(t *testing.T) {
	w := newTwoNodes(t)
	freeze(t, w.first)
	w.comes(t, "u_eve", "lobby")
	const hang = time.Minute
	w.server.Do("ZINCRBY", w.first.broker.keys.moves(partition(string(lobby))), -hang.Milliseconds(), "lobby u_eve")
	w.first.cfg.Clock = aheadClock{chat.SystemClock(), hang} // the new one's
	next := inheritFrom(t, w.first)
	(takeover{next.Engine}).Start()
	await(t, "who has come", func() bool { return next.r.events("joined") == 1 })
}

// A frozen process does not tell what was used of the limits: the timer for that knows nothing of the engine.
func TestFrozenUsage(t *testing.T) {
	w := newTwoNodes(t)
	heard := make(chan string, 2)
	w.other.Usage().Receive(func(used []chat.Usage) { heard <- used[0].UserID })
	freeze(t, w.first)
	w.first.Usage().Send([]chat.Usage{{UserID: "u_frozen"}})
	if err := (takeover{w.first}).Thaw(); err != nil {
		t.Fatal(err)
	}
	w.first.Usage().Send([]chat.Usage{{UserID: "u_thawed"}})
	if got := <-heard; got != "u_thawed" {
		t.Errorf("a frozen process tells what %s has used", got)
	}
}

// Nobody waits for a frozen process any more when it is closed.
func TestCloseWhileFrozen(t *testing.T) {
	w := newTwoNodes(t)
	freeze(t, w.first)
	w.n.Leave("attic", "u_ada")
	w.first.sessions.Release("s_ada")
	all := func(string, string) bool { return true }
	waits := make(chan error, 2)
	go func() { waits <- w.n.roster.flush(ctx) }()
	go func() { waits <- w.first.sessions.flush(ctx, all) }()
	await(t, "those who wait", func() bool {
		w.n.roster.mu.Lock()
		defer w.n.roster.mu.Unlock()
		return len(w.n.roster.waiting) == 1
	})
	if err := w.first.Close(ctx); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		select {
		case <-waits:
		case <-time.After(patience):
			t.Fatal("somebody waits for ever")
		}
	}
	limited, cancel := context.WithTimeout(ctx, patience) // nor does anybody who comes after that
	defer cancel()
	if err := errors.Join(w.n.roster.flush(limited), w.first.sessions.flush(limited, all)); err != nil {
		t.Error(err)
	}
}
