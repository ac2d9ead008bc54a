package redis

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// Nothing that takes long keeps a process from being frozen. The process that goes on does the rest.

// halting is an ear that has something done when it is told of the first who have moved, and knows who they were.
type halting struct {
	*ear
	once   sync.Once
	before func()
	mu     sync.Mutex
	who    map[string]bool // Guarded by mu.
}

func (h *halting) Here(_ string, ev chat.PresenceEvent) {
	h.once.Do(h.before)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.who[ev.User.ID] = true
}

func (h *halting) known() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.who)
}

func TestFreezeDuringSearch(t *testing.T) {
	for _, taken := range []bool{false, true} {
		t.Run(fmt.Sprint("taken over ", taken), func(t *testing.T) {
			server := redistest.Start(t)
			e := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: slowTTL})
			frozen := make(chan error, 1)
			r := &halting{ear: newEar(), who: make(map[string]bool), before: func() {
				go func() { frozen <- (takeover{e}).Freeze(ctx) }()
				for !e.broker.gate.isShut() {
					time.Sleep(time.Millisecond)
				}
			}}
			n := e.broker.Attach(r).(*node)
			t.Cleanup(n.Detach)
			if _, err := n.Subscribe(ctx, lobby); err != nil {
				t.Fatal(err)
			}
			const all = 1000
			for i := range all {
				server.Do("ZADD", e.broker.keys.moves(partition(string(lobby))), time.Now().UnixMilli(), fmt.Sprintf("lobby u_%03d", i))
			}
			e.broker.gap(time.Now())
			if err := <-frozen; err != nil {
				t.Fatal(err)
			}
			told := r.known()
			if told == 0 || told == all {
				t.Errorf("it is frozen when %d of %d are found", told, all)
			}
			if !taken {
				if err := (takeover{e}).Thaw(); err != nil {
					t.Fatal(err)
				}
				await(t, "the others", func() bool { return r.known() == all })
				return
			}
			next := inheritFrom(t, e)
			(takeover{next.Engine}).Start()
			await(t, "the others", func() bool { return next.r.events("left") >= all-told })
			if r.known() != told {
				t.Error("a frozen process goes on with its search")
			}
		})
	}
}

// A process that has just taken over may be replaced before it has looked at anything.
func TestTakeOverAtOnce(t *testing.T) {
	w := newTwoNodes(t)
	freeze(t, w.first)
	say(t, w.other, lobby, "meanwhile")
	w.comes(t, "u_eve", "lobby")
	next := inheritFrom(t, w.first)
	var heard []*ear
	for range 3 {
		heard = append(heard, next.r)
		(takeover{next.Engine}).Start()
		freeze(t, next.Engine)
		next = inheritFrom(t, next.Engine)
	}
	(takeover{next.Engine}).Start()
	heard = append(heard, next.r)
	await(t, "what was said and who has come", func() bool {
		said, came := 0, 0
		for _, r := range heard {
			said += len(r.of(lobby))
			came += r.events("joined")
		}
		return said == 1 && came == 1
	})
}

// The refresh of sessions is interrupted, and the process that goes on begins again.
func TestFreezeDuringRefresh(t *testing.T) {
	w := newTwoNodes(t)
	const all = 5
	for i := range all - 1 {
		if err := w.first.sessions.Begin(ctx, chat.Session{ID: fmt.Sprint("s_", i), UserID: "u_bob", Key: chat.KeyHash{1}}); err != nil {
			t.Fatal(err)
		}
	}
	refreshed := func() (n int) {
		for _, user := range []string{"u_ada", "u_bob"} {
			records, _, err := w.other.sessions.all(ctx, user)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range records {
				if r.Until > 1 {
					n++
				}
			}
		}
		return n
	}
	for _, user := range []string{"u_ada", "u_bob"} { // that were refreshed long ago
		_, stored, err := w.other.sessions.all(ctx, user)
		if err != nil {
			t.Fatal(err)
		}
		for id, text := range stored {
			r, err := parseSession(text)
			if err != nil {
				t.Fatal(err)
			}
			r.Until = 1
			w.server.Do("HSET", w.first.store.keys.sessions(user), id, r.String())
		}
	}
	w.first.sessions.lock("s_2") // the one that takes long
	w.first.refreshSoon()
	await(t, "those before it", func() bool { return refreshed() == 2 })
	frozen := make(chan error, 1)
	go func() { frozen <- (takeover{w.first}).Freeze(ctx) }()
	await(t, "the gate to be shut", w.first.broker.gate.isShut)
	w.first.sessions.unlock("s_2")
	if err := <-frozen; err != nil {
		t.Fatal(err)
	}
	if n := refreshed(); n != 3 {
		t.Errorf("it is frozen when %d of %d are refreshed", n, all)
	}
	next := inheritFrom(t, w.first)
	(takeover{next.Engine}).Start()
	await(t, "all to be refreshed", func() bool { return refreshed() == all })
}
