package enginetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// patience bounds the wait for what must happen.
const patience = 30 * time.Second

// ear is a chat.Receiver that remembers.
type ear struct {
	mu sync.Mutex
	// Guarded by mu.
	heard map[chat.Conversation][]uint64
	lost  map[chat.Conversation]int
	here  []string
	names []string // new ones

	notices []string // of memberships and sessions
	bans    []string
}

func newEar() *ear {
	return &ear{heard: make(map[chat.Conversation][]uint64), lost: make(map[chat.Conversation]int)}
}

func (e *ear) Deliver(c chat.Conversation, ch *chat.Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard[c] = append(e.heard[c], ch.Number)
}

func (e *ear) Lost(c chat.Conversation, _ chat.Tail) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost[c]++
}

func (e *ear) Here(room string, ev chat.PresenceEvent) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.here = append(e.here, fmt.Sprint(ev.Kind, " ", ev.User.Name, " ", room))
}

func (e *ear) Renamed(u chat.User) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.names = append(e.names, u.Name)
}

func (e *ear) Member(userID, room string, joined bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notices = append(e.notices, fmt.Sprintf("%s in %q: %t", userID, room, joined))
}

func (e *ear) Ended(userID, sessionID string, why chat.Ending) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notices = append(e.notices, fmt.Sprintf("%s %q %s", userID, sessionID, why))
}

func (e *ear) Banned(b chat.Ban) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.bans = append(e.bans, b.Subject()+" for "+b.Reason)
}

func (e *ear) hasHeardOf(ban string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Contains(e.bans, ban)
}

// noticed reports whether one of these was the last notice about a user's memberships and
// sessions.
func (e *ear) noticed(userID string, any ...string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, n := range slices.Backward(e.notices) {
		if strings.HasPrefix(n, userID+" ") {
			return slices.Contains(any, n)
		}
	}
	return false
}

func (e *ear) last(c chat.Conversation) uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n := len(e.heard[c]); n > 0 {
		return e.heard[c][n-1]
	}
	return 0
}

// await waits until something is true.
func (h *house) await(what string, holds func() bool) {
	h.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			h.Fatalf("waited in vain for %s", what)
		}
	}
}

// Nodes that subscribe and unsubscribe while others write get everything after the position,
// in order and once, and nothing that they got before is later than it.
func testSubscriptions(h *house) {
	seed := rand.Uint64()
	h.Logf("seed %d", seed)
	done := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			for i := range 150 {
				h.say(lobby, "u_ada", fmt.Sprint(w, i))
			}
		})
	}
	for r := range 3 {
		readers.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(r)))
			for over := false; !over; {
				select {
				case <-done:
					over = true
				default:
				}
				e := newEar()
				n := h.Broker.Attach(e)
				tail, err := n.Subscribe(ctx, lobby)
				if err != nil {
					h.Errorf("Subscribe: %v", err)
					return
				}
				for range random.IntN(20) {
					if now, _ := h.Log.Tail(ctx, lobby); now.Change == 300 {
						break
					}
				}
				if now, _ := h.Log.Tail(ctx, lobby); now.Change > tail.Change {
					h.await("what was stored after the position", func() bool { return e.last(lobby) >= now.Change })
				}
				n.Detach()
				next := tail.Change + 1
				for _, number := range e.heard[lobby] {
					switch {
					case number <= tail.Change && next == tail.Change+1: // before the position
					case number != next:
						h.Errorf("subscribed at %d, and was given %v", tail.Change, e.heard[lobby])
						return
					default:
						next++
					}
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

// put stores users.
func (h *house) put(users ...chat.User) {
	h.Helper()
	for _, u := range users {
		if err := h.Directory.PutUser(ctx, u); err != nil {
			h.Fatal(err)
		}
	}
}

// connect connects a user at a node, and returns the user's name.
func (h *house) connect(n chat.Node, userID string) string {
	h.Helper()
	u, err := n.Connect(ctx, userID)
	if err != nil || u.ID != userID {
		h.Fatalf("Connect: %+v, %v", u, err)
	}
	return u.Name
}

// A node with a connected user hears the user's private conversations, each change once,
// until it has disconnected the user as often.
func testFollow(h *house) {
	e := newEar()
	n := h.Broker.Attach(e)
	h.put(chat.User{ID: "u_ada", Name: "Ada"}, chat.User{ID: "u_bob", Name: "Bob"})
	for _, user := range []string{"u_ada", "u_bob", "u_ada"} {
		h.connect(n, user)
	}
	adaEve, eveZoe := chat.PrivateConversation("u_ada", "u_eve"), chat.PrivateConversation("u_eve", "u_zoe")
	h.say(adaBob, "u_ada", "both")
	h.say(adaEve, "u_eve", "one")
	h.say(eveZoe, "u_eve", "none")
	h.say(adaBob, "u_bob", "both")
	h.await("four", func() bool { return e.last(adaBob) == 2 })
	n.Disconnect("u_ada")
	h.say(adaEve, "u_eve", "one")
	h.await("the second", func() bool { return e.last(adaEve) == 2 })
	n.Disconnect("u_ada")
	n.Disconnect("u_bob")
	h.say(adaBob, "u_bob", "nobody")
	h.say(adaEve, "u_bob", "nobody")
	n.Detach()
	want := map[chat.Conversation][]uint64{adaBob: {1, 2}, adaEve: {1, 2}}
	if diff := cmp.Diff(want, e.heard); diff != "" {
		h.Errorf("(-want +got):\n%s", diff)
	}
}

func testPresence(h *house) {
	e := newEar()
	n := h.Broker.Attach(e)
	defer n.Detach()
	if _, err := n.Subscribe(ctx, lobby); err != nil {
		h.Fatal(err)
	}
	p := h.Presence
	ada, bob := chat.User{ID: "u_ada", Name: "Ada"}, chat.User{ID: "u_bob", Name: "Bob"}
	h.put(ada, bob)
	for _, id := range []string{"u_ada", "u_ada", "u_bob"} {
		h.connect(n, id)
	}
	n.Enter("lobby", "u_ada")
	n.Enter("lobby", "u_ada")
	n.Enter("attic", "u_ada")
	n.Enter("lobby", "u_bob")
	users, more, err := p.Users(ctx, "lobby", 10)
	if diff := cmp.Diff([]chat.User{ada, bob}, users); diff != "" || more || err != nil {
		h.Errorf("Users: %t, %v (-want +got):\n%s", more, err, diff)
	}
	if users, more, _ := p.Users(ctx, "lobby", 1); len(users) != 1 || !more {
		h.Errorf("one of two: %v, %t", users, more)
	}
	counts, err := p.Counts(ctx, []string{"attic", "cellar", "lobby"})
	if diff := cmp.Diff([]int{1, 0, 2}, counts); diff != "" || err != nil {
		h.Errorf("Counts: %v (-want +got):\n%s", err, diff)
	}
	grace := chat.User{ID: "u_ada", Name: "Grace"}
	h.put(grace, grace, chat.User{ID: "u_zoe", Name: "Zoe"})
	n.Leave("lobby", "u_ada")
	n.Leave("attic", "u_ada")
	n.Disconnect("u_ada")
	online, err := p.Online(ctx, []string{"u_ada", "u_bob", "u_zoe"})
	if diff := cmp.Diff(map[string]chat.User{"u_ada": grace, "u_bob": bob}, online); diff != "" || err != nil {
		h.Errorf("Online: %v (-want +got):\n%s", err, diff)
	}
	n.Leave("lobby", "u_ada")
	n.Disconnect("u_ada")
	if online, _ := p.Online(ctx, []string{"u_ada"}); len(online) != 0 {
		h.Errorf("after the last connection: %v", online)
	}
	h.await("the events", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.here) == 4
	})
	if diff := cmp.Diff([]string{"joined Ada lobby", "joined Bob lobby", "renamed Grace lobby", "left Grace lobby"}, e.here); diff != "" {
		h.Errorf("events (-want +got):\n%s", diff)
	}
}

// A node is told the new names of the users connected there, and of no others. A user who is
// not in the directory cannot be connected, and one user's extra Connect or Disconnect does
// no harm to others.
func testRenamed(h *house) {
	here, there := newEar(), newEar()
	n, m := h.Broker.Attach(here), h.Broker.Attach(there)
	defer m.Detach()
	defer n.Detach()
	if _, err := n.Connect(ctx, "u_ada"); !errors.Is(err, chat.ErrNotFound) {
		h.Errorf("Connect of nobody: %v", err)
	}
	n.Disconnect("u_ada")
	n.Disconnect("u_ada") // once too often
	h.put(chat.User{ID: "u_ada", Name: "Ada"}, chat.User{ID: "u_bob", Name: "Bob"})
	h.connect(n, "u_ada")
	h.connect(m, "u_bob")
	h.put(chat.User{ID: "u_ada", Name: "Grace"})
	if name := h.connect(m, "u_ada"); name != "Grace" {
		h.Errorf("connected as %s", name)
	}
	h.put(chat.User{ID: "u_ada", Name: "Hopper"})
	n.Disconnect("u_ada")
	h.put(chat.User{ID: "u_ada", Name: "Admiral"})
	want := func(e *ear, names ...string) {
		h.Helper()
		h.await("the names", func() bool {
			e.mu.Lock()
			defer e.mu.Unlock()
			return len(e.names) >= len(names)
		})
		if diff := cmp.Diff(names, e.names); diff != "" {
			h.Errorf("(-want +got):\n%s", diff)
		}
	}
	want(here, "Grace", "Hopper")
	want(there, "Hopper", "Admiral")
}
