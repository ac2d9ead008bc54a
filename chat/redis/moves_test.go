package redis

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// watcher is a chat.Receiver that knows who is in a room from what it is told.
type watcher struct {
	chat.Receiver
	mu   sync.Mutex
	here map[string]string // Guarded by mu. by id, their names
}

func (w *watcher) Here(_ string, ev chat.PresenceEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.here[ev.User.ID] = ev.User.Name; ev.Kind == chat.Left {
		delete(w.here, ev.User.ID)
	}
}

func (*watcher) Member(string, string, bool) {}

func (*watcher) Lost(chat.Conversation, chat.Tail) {}

func (w *watcher) sees(ids ...string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Equal(slices.Sorted(maps.Keys(w.here)), ids)
}

// A node that was cut off from Redis has not heard who came and went. When it is back, its
// watchers know, although nothing else happens.
func TestPresenceAfterCut(t *testing.T) {
	server := redistest.Start(t)
	relay := redistest.StartRelay(t, server.Addr)
	engine := func(address string) *Engine {
		e, err := Open(ctx, Config{Addresses: []string{address}, Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close(ctx) })
		return e
	}
	here, there := engine(server.Addr), engine(relay.Addr)
	for _, id := range []string{"u_ann", "u_bob", "u_eve"} {
		if err := here.store.PutUser(ctx, chat.User{ID: id, Name: "Name of " + id, Created: 1}); err != nil {
			t.Fatal(err)
		}
	}
	w := &watcher{here: map[string]string{}}
	far := there.broker.Attach(w)
	defer far.Detach()
	if _, err := far.Subscribe(ctx, chat.RoomConversation("lobby")); err != nil {
		t.Fatal(err)
	}
	n := here.broker.Attach(&watcher{here: map[string]string{}})
	defer n.Detach()
	come := func(id string) {
		if _, err := n.Connect(ctx, id); err != nil {
			t.Fatal(err)
		}
		n.Enter("lobby", id)
	}
	wait := func(ids ...string) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !w.sees(ids...); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the other node's watchers see %v, not %v", w.here, ids)
			}
		}
	}
	come("u_ann")
	come("u_bob")
	wait("u_ann", "u_bob")
	relay.Cut()
	come("u_eve")
	n.Disconnect("u_bob")
	if err := n.(*node).roster.flush(ctx); err != nil {
		t.Fatal(err)
	}
	relay.Open()
	wait("u_ann", "u_eve")
}

// Redis has lost everything, and somebody leaves before it was told again who is there.
func TestPresenceAfterFlush(t *testing.T) {
	server := redistest.Start(t)
	e, err := Open(ctx, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Hour}) // no heartbeat finds out
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(ctx)
	if err := e.store.PutUser(ctx, chat.User{ID: "u_ann", Name: "Ann", Created: 1}); err != nil {
		t.Fatal(err)
	}
	w := &watcher{here: map[string]string{}}
	n := e.broker.Attach(w)
	defer n.Detach()
	if _, err := n.Subscribe(ctx, chat.RoomConversation("lobby")); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Connect(ctx, "u_ann"); err != nil {
		t.Fatal(err)
	}
	n.Enter("lobby", "u_ann")
	for !w.sees("u_ann") {
		time.Sleep(time.Millisecond)
	}
	server.Do("FLUSHALL")
	n.Disconnect("u_ann")
	for end := time.Now().Add(time.Minute); !w.sees(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("somebody is still there who has left")
		}
	}
}

// Redis has lost which nodes there are, and a node stores who has come before it finds that out.
// Then its people count, the watchers are told, and nothing stays when they leave.
func TestPresenceUnderLostNode(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Hour}) // no heartbeat but those below
	w := &watcher{here: map[string]string{}}
	n := e.broker.Attach(w).(*node)
	defer n.Detach()
	if _, err := n.Subscribe(ctx, lobby); err != nil {
		t.Fatal(err)
	}
	put(t, e, "u_bob")
	crowdOf(t, n, "u_bob") // the node is known
	server.Do("FLUSHALL")
	put(t, e, "u_ann")
	crowdOf(t, n, "u_ann")
	w.mu.Lock()
	w.here = map[string]string{} // as a client has it that asked now
	w.mu.Unlock()
	if err := e.broker.pulse(ctx); err != nil {
		t.Fatal(err)
	}
	present(t, e, 2)
	await(t, "the watchers' knowledge", func() bool { return w.sees("u_ann", "u_bob") })
	n.Disconnect("u_ann")
	n.Disconnect("u_bob")
	present(t, e, 0)
	await(t, "the watchers' knowledge", func() bool { return w.sees() })
	noGhosts(t, server)
}

// A user is at a node that is dead, which is not removed yet. They do not count; but when they
// come to another node, those who watch hear of it.
func TestPresenceBesideDeadNode(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Hour}) // nobody removes anything
	put(t, e, "u_ann", "u_bob")
	w := &watcher{here: map[string]string{}}
	n := e.broker.Attach(w).(*node)
	defer n.Detach()
	if _, err := n.Subscribe(ctx, lobby); err != nil {
		t.Fatal(err)
	}
	crowdOf(t, n, "u_bob") // the node is known
	gone, _ := attach(t, e)
	crowdOf(t, gone, "u_ann")
	await(t, "the watchers' knowledge", func() bool { return w.sees("u_ann", "u_bob") })
	e.broker.mu.Lock()
	e.broker.registry.known[gone.roster.id] = dead
	e.broker.mu.Unlock()
	present(t, e, 1)
	findMoves(n) // finds what is stored: the removal will be told
	if !w.sees("u_ann", "u_bob") {
		t.Error("a search tells what nobody else is told")
	}
	w.mu.Lock()
	w.here = map[string]string{"u_bob": ""} // as a client has it that asked now
	w.mu.Unlock()
	crowdOf(t, n, "u_ann")
	await(t, "the watchers' knowledge", func() bool { return w.sees("u_ann", "u_bob") })
}

func crowdOf(t *testing.T, n *node, id string) {
	t.Helper()
	if _, err := n.Connect(ctx, id); err != nil {
		t.Fatal(err)
	}
	n.Enter("lobby", id)
	if err := n.roster.flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// Somebody was heard to come during a search for what was missed, and the word that they have left
// is missed. The next search finds it, although the first one is still under way.
func TestSearchesForMovesOverlap(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}, PresenceTTL: time.Hour})
	put(t, e, "u_ann")
	w := &watcher{here: map[string]string{}}
	n := e.broker.Attach(w).(*node)
	defer n.Detach()
	if _, err := n.Subscribe(ctx, lobby); err != nil {
		t.Fatal(err)
	}
	n.moves.mu.Lock()
	n.moves.searches, n.moves.heard = 1, make(map[move]uint64)
	n.moves.mu.Unlock()
	n.here("lobby", chat.PresenceEvent{Kind: chat.Joined, User: chat.User{ID: "u_ann", Name: "Ann"}}, 0)
	if !w.sees("u_ann") {
		t.Fatal("the word was not passed on")
	}
	server.Do("ZADD", e.broker.keys.moves(partition(string(lobby))), time.Now().UnixMilli(), "lobby u_ann")
	findMoves(n)
	if !w.sees() {
		t.Error("somebody is still there who has left")
	}
}

// findMoves searches for moves.
func findMoves(n *node) {
	n.b.gate.stay()
	defer n.b.gate.leave()
	n.findMoves(time.Now(), false)
}
