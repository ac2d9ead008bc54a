package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/doorbell"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

// heir is a process that may take over from an engine.
type heir struct {
	*Engine
	n *node
	r *ear
}

// inheritFrom makes a process that has been told what a frozen engine is, and where the same people are connected.
func inheritFrom(t *testing.T, e *Engine) *heir {
	t.Helper()
	h := openHeir(t, e.cfg)
	h.inherit(t, e)
	return h
}

func (h *heir) inherit(t *testing.T, e *Engine) {
	t.Helper()
	state, files, err := takeover{e}.State()
	if err != nil || files != nil {
		t.Fatal(files, err)
	}
	if err := (takeover{h.Engine}).Inherit(state, nil); err != nil {
		t.Fatal(err)
	}
	old := e.broker.all()[0]
	var sessions []string
	old.mu.Lock()
	for c := range old.subscribed {
		if _, err := h.n.Subscribe(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	old.mu.Unlock()
	old.roster.mu.Lock()
	for id, p := range old.roster.people {
		for range p.connections {
			if _, err := h.n.Connect(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
		for room, times := range p.rooms {
			for range times {
				h.n.Enter(room, id)
			}
		}
	}
	old.roster.mu.Unlock()
	e.sessions.mu.Lock()
	for id, s := range e.sessions.held {
		for range s.open {
			sessions = append(sessions, id)
		}
	}
	e.sessions.mu.Unlock()
	for i, known := range (takeover{h.Engine}).Rejoin(sessions) {
		if !known {
			t.Errorf("session %s is not known", sessions[i])
		}
	}
}

func openHeir(t *testing.T, cfg Config) *heir {
	t.Helper()
	cfg.Inherit = true
	h := &heir{Engine: open(t, cfg), r: newEar()}
	h.n = h.broker.Attach(h.r).(*node)
	return h
}

func freeze(t *testing.T, e *Engine) {
	t.Helper()
	if err := (takeover{e}).Freeze(ctx); err != nil {
		t.Fatal(err)
	}
}

// writes are the commands by which a Redis has been changed so far, but for those of times.
func writes(s *redistest.Server) (n int) {
	for line := range strings.Lines(s.Do("INFO", "commandstats").(string)) {
		var calls int
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":")
		if !slices.Contains([]string{"zadd", "hset", "hdel", "sadd", "srem", "zrem", "xadd", "del", "set", "rpush", "ltrim", "eval", "evalsha", "zincrby", "hincrby", "pexpire"}, name) {
			continue
		}
		fmt.Sscanf(rest, "calls=%d", &calls)
		n += calls
	}
	return n
}

// twoNodes is a Redis with two nodes: one that will be replaced, with two people in two rooms, and another one
// with somebody who watches.
type twoNodes struct {
	server       *redistest.Server
	first, other *Engine
	n            *node
	r, watching  *ear
}

// comes has a user come to a room at the other node, which is returned.
func (w *twoNodes) comes(t *testing.T, user, room string) *node {
	t.Helper()
	there := w.other.broker.all()[0]
	if _, err := there.Connect(ctx, user); err != nil {
		t.Fatal(err)
	}
	there.Enter(room, user)
	if err := there.roster.flush(ctx); err != nil {
		t.Fatal(err)
	}
	return there
}

func newTwoNodes(t *testing.T) *twoNodes {
	server := redistest.Start(t)
	w := newTwoNodesOn(t, Config{Addresses: []string{server.Addr}})
	w.server = server
	return w
}

func newTwoNodesOn(t *testing.T, cfg Config) *twoNodes {
	w := new(twoNodes)
	cfg.PresenceTTL, cfg.ProbeEvery = slowTTL, time.Hour
	w.first, w.other = open(t, cfg), open(t, cfg)
	for _, id := range []string{"u_ada", "u_bob", "u_eve"} {
		put(t, w.first, id)
	}
	_, w.watching = attach(t, w.other, lobby, attic)
	w.n, w.r = attach(t, w.first, lobby, attic)
	for _, id := range []string{"u_ada", "u_bob"} {
		if _, err := w.n.Connect(ctx, id); err != nil {
			t.Fatal(err)
		}
		w.n.Enter("lobby", id)
	}
	w.n.Enter("attic", "u_ada")
	if err := w.n.roster.flush(ctx); err != nil {
		t.Fatal(err)
	}
	if err := w.first.sessions.Begin(ctx, chat.Session{ID: "s_ada", UserID: "u_ada", Key: chat.KeyHash{1}}); err != nil {
		t.Fatal(err)
	}
	await(t, "those who have come", func() bool { return w.watching.events("joined") == 3 && w.r.events("joined") == 3 })
	return w
}

// assertPlaces checks that everybody is where they were, and nobody was seen to leave.
func (w *twoNodes) assertPlaces(t *testing.T, e *Engine) {
	t.Helper()
	for room, want := range map[string]int{"lobby": 2, "attic": 1} {
		if users, _, err := (presence{w.other.broker}).Users(ctx, room, 10); err != nil || len(users) != want {
			t.Errorf("in %s are %v, %v", room, users, err)
		}
	}
	list, err := e.sessions.List(ctx, "u_ada")
	if err != nil || len(list) != 1 || list[0].Open != 1 {
		t.Errorf("sessions: %+v, %v", list, err)
	}
	if left := w.watching.events("left"); left != 0 {
		t.Errorf("%d have been seen to leave", left)
	}
}

// A process goes on as the node of another one, as often as one likes: others see nobody leave or come, everything that
// is said and everybody who comes meanwhile is heard once, and nothing is heard again.
func TestTakeOver(t *testing.T) { takeOver(t, newTwoNodes(t)) }

// The same with a cluster.
func TestTakeOverInCluster(t *testing.T) {
	takeOver(t, newTwoNodesOn(t, Config{Addresses: redistest.StartCluster(t).Addrs()}))
}

func takeOver(t *testing.T, w *twoNodes) {
	e, n, r := w.first, w.n, w.r
	process := e.sessions.process()
	joined := 3
	for i := range 4 {
		say(t, w.other, lobby, fmt.Sprint(i, " before"))
		say(t, w.other, chat.PrivateConversation("u_eve", "u_bob"), fmt.Sprint(i, " before, to Bob"))
		await(t, "what is said before", func() bool {
			return slices.Contains(r.of(lobby), fmt.Sprint(i, " before")) && slices.Contains(r.of(chat.PrivateConversation("u_eve", "u_bob")), fmt.Sprint(i, " before, to Bob"))
		})
		before := len(r.of(lobby))
		freeze(t, e)
		say(t, w.other, lobby, fmt.Sprint(i, " meanwhile"))
		say(t, w.other, chat.PrivateConversation("u_eve", "u_bob"), fmt.Sprint(i, " meanwhile, to Bob"))
		say(t, w.other, chat.PrivateConversation("u_eve", "u_ada"), fmt.Sprint(i, " to Ada, the first"))
		who := fmt.Sprintf("u_new%d", i)
		put(t, w.other, who)
		there := w.comes(t, who, "attic")
		joined++
		await(t, "who has come", func() bool { return w.watching.events("joined") == joined })
		next := inheritFrom(t, e)
		if err := (takeover{next.Engine}).Ready(ctx); err != nil {
			t.Fatal(err)
		}
		if heard := len(r.of(lobby)); heard != before {
			t.Errorf("round %d: a frozen node was told %d changes: %q", i, heard, r.of(lobby))
		}
		(takeover{next.Engine}).Start()
		e, n, r = next.Engine, next.n, next.r
		say(t, e, lobby, fmt.Sprint(i, " after"))
		await(t, "what was said and who has come", func() bool {
			return len(r.of(lobby)) == 2 && len(r.of(chat.PrivateConversation("u_eve", "u_bob"))) == 1 && r.events("joined") == 1
		})
		await(t, "the first message to Ada", func() bool { return len(r.of(chat.PrivateConversation("u_eve", "u_ada"))) == 1 })
		if diff := cmp.Diff([]string{fmt.Sprint(i, " meanwhile"), fmt.Sprint(i, " after")}, r.of(lobby)); diff != "" {
			t.Errorf("round %d: (-want +got):\n%s", i, diff)
		}
		if e.sessions.process() != process || n.roster.id != w.n.roster.id {
			t.Errorf("round %d: it has other ids", i)
		}
		there.Disconnect(who)
		if err := there.roster.flush(ctx); err != nil {
			t.Fatal(err)
		}
		await(t, "who has left", func() bool { return r.events("left") == 1 && w.watching.events("left") == i+1 })
	}
	w.watching.mu.Lock()
	w.watching.here["left"] -= 4
	w.watching.mu.Unlock()
	w.assertPlaces(t, e)
	if w.watching.events("joined") != joined {
		t.Errorf("%d have been seen to come, not %d", w.watching.events("joined"), joined)
	}

	// It really is the node.
	n.Disconnect("u_bob")
	e.sessions.Release("s_ada")
	await(t, "Bob to leave", func() bool { return w.watching.events("left") == 1 })
	if list, err := e.sessions.List(ctx, "u_ada"); err != nil || len(list) != 1 || list[0].Open != 0 {
		t.Errorf("sessions: %+v, %v", list, err)
	}
	if _, err := w.other.sessions.Resume(ctx, "s_ada", chat.KeyHash{1}, chat.KeyHash{2}, chat.Origin{}); err != nil {
		t.Errorf("the session does not resume elsewhere: %v", err)
	}
}

// After Retire, nothing that the old process does by itself changes Redis; nor does what a new one does before Start,
// or one that has refused.
func TestStrayProcess(t *testing.T) {
	w := newTwoNodes(t)
	freeze(t, w.first)
	refused := inheritFrom(t, w.first)
	next := inheritFrom(t, w.first)
	(takeover{next.Engine}).Start()
	(takeover{w.first}).Retire()
	w.first.wg.Wait() // a heartbeat may be on its way
	await(t, "the first heartbeat", func() bool { return len(next.broker.beatNow) == 0 })
	if err := next.broker.gate.close(ctx); err != nil { // it has done what it begins with, and does nothing more
		t.Fatal(err)
	}
	await(t, "the others to be idle", func() bool {
		before := writes(w.server)
		time.Sleep(50 * time.Millisecond)
		return writes(w.server) == before
	})
	before := writes(w.server)
	for _, stray := range []*Engine{w.first, refused.Engine} {
		select {
		case stray.broker.beatNow <- struct{}{}:
		default:
		}
		stray.refreshSoon()
		stray.broker.enoughAgain()
		stray.broker.gap(time.Now())
		n := stray.broker.all()[0]
		n.roster.tellUnsure()
		stray.broker.unregister(ctx, n.roster.id)
		stray.sessions.Release("s_ada")
		n.Disconnect("u_ada")
		stray.broker.hear("", "r")
		n.Detach()
		stray.Close(ctx)
	}
	if after := writes(w.server); after != before {
		t.Errorf("%d commands of stray processes have changed something", after-before)
	}
	next.broker.gate.open()
	w.assertPlaces(t, next.Engine)
	if err := next.broker.pulse(ctx); err != nil || next.n.roster.id != w.n.roster.id {
		t.Errorf("the node is not what it was: %v", err)
	}
}

// If the new process dies or refuses, at whatever step, the old one goes on under the same ids, and with everything that
// has happened meanwhile.
func TestTakeOverUndone(t *testing.T) {
	w := newTwoNodes(t)
	id, process := w.n.roster.id, w.first.sessions.process()
	for i, until := range []string{"frozen", "written", "opened", "inherited", "ready"} {
		freeze(t, w.first)
		say(t, w.other, lobby, fmt.Sprint(i))
		there := w.comes(t, "u_eve", "lobby")
		switch until {
		case "written":
			if _, _, err := (takeover{w.first}).State(); err != nil {
				t.Fatal(err)
			}
		case "opened":
			openHeir(t, w.first.cfg)
		case "inherited", "ready":
			next := inheritFrom(t, w.first)
			if until == "ready" {
				if err := (takeover{next.Engine}).Ready(ctx); err != nil {
					t.Fatal(err)
				}
			}
			next.n.Detach()
			next.Close(ctx)
		}
		if got := len(w.r.of(lobby)); got != i {
			t.Errorf("%s: a frozen node was told something", until)
		}
		if err := (takeover{w.first}).Thaw(); err != nil {
			t.Fatal(err)
		}
		await(t, until+": what was said and who has come", func() bool { return len(w.r.of(lobby)) == i+1 && w.r.events("joined") == 4+i })
		if w.n.roster.id != id || w.first.sessions.process() != process {
			t.Errorf("%s: it has other ids", until)
		}
		there.Disconnect("u_eve")
		await(t, "who has left", func() bool { return w.r.events("left") == i+1 })
		if err := w.first.broker.pulse(ctx); err != nil {
			t.Fatal(err)
		}
	}
	w.watching.mu.Lock()
	w.watching.here["left"] -= 5
	w.watching.mu.Unlock()
	w.assertPlaces(t, w.first)
}

// Until it retires, the old process keeps its node alive, however long the new one takes. It does nothing else: it
// neither declares another node dead nor begins anew, should it be thought dead itself.
func TestFrozenNodeStaysAlive(t *testing.T) {
	w := newTwoNodes(t)
	nodes := w.first.broker.keys.nodes()
	score := func(id string) float64 {
		text, _ := w.server.Do("ZSCORE", nodes, id).(string)
		at, _ := strconv.ParseFloat(text, 64)
		return at
	}
	silent := func(ids ...string) {
		for _, id := range ids {
			w.server.Do("ZINCRBY", nodes, fmt.Sprint(-(slowTTL/2 + time.Minute).Milliseconds()), id)
		}
	}
	id, process := w.n.roster.id, w.first.sessions.process()
	freeze(t, w.first)
	next := inheritFrom(t, w.first)
	before := score(id)
	w.server.Do("ZADD", nodes, "1", "silent")
	silent(id, process)
	w.first.broker.beatNow <- struct{}{}
	await(t, "a heartbeat", func() bool { return score(id) >= before && score(process) >= before })
	if score("silent") != 1 {
		t.Error("a frozen process declares nodes dead")
	}
	w.server.Do("ZREM", nodes, "silent")
	if err := w.other.broker.pulse(ctx); err != nil {
		t.Fatal(err)
	}
	if err := (takeover{next.Engine}).Ready(ctx); err != nil {
		t.Error(err)
	}
	for _, gone := range []string{"-1", ""} {
		w.server.Do("ZREM", nodes, id)
		if gone != "" {
			w.server.Do("ZADD", nodes, gone, id)
		}
		if _, err := w.first.broker.keepAlive(ctx); err != errThoughtDead {
			t.Errorf("a node with the score %q: %v", gone, err)
		}
		if text, _ := w.server.Do("ZSCORE", nodes, id).(string); text != gone || w.n.roster.id != id {
			t.Errorf("a node with the score %q has %q now, and the id %s", gone, text, w.n.roster.id)
		}
	}
	w.server.Do("ZADD", nodes, fmt.Sprint(int64(before)), id)
	(takeover{next.Engine}).Start()
	(takeover{w.first}).Retire()
	w.first.wg.Wait()
	w.assertPlaces(t, next.Engine)
	if next.n.roster.id != id || next.sessions.process() != process {
		t.Error("it has other ids")
	}
}

// A node that others take for dead is not taken over; nor is one of another Redis, or of a server that does not have
// what the old process has told last.
func TestTooLate(t *testing.T) {
	w := newTwoNodes(t)
	freeze(t, w.first)
	next := inheritFrom(t, w.first)
	ready := func(want string) {
		t.Helper()
		if err := (takeover{next.Engine}).Ready(ctx); want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	ready("")
	w.server.Do("ZINCRBY", next.broker.keys.nodes(), -1, w.n.roster.id)
	ready("has not had the node's last heartbeat")
	w.server.Do("ZADD", next.broker.keys.nodes(), "-1", w.n.roster.id)
	ready("takes it for dead")
	w.server.Do("ZREM", next.broker.keys.nodes(), w.n.roster.id)
	ready("does not know")
	w.server.Kill()
	if err := (takeover{next.Engine}).Ready(ctx); err == nil {
		t.Error("it may take over although Redis is away")
	}
}

// Without Redis there is no upgrade, and the node goes on.
func TestFreezeWithoutRedis(t *testing.T) {
	w := newTwoNodes(t)
	w.server.Pause()
	limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := (takeover{w.first}).Freeze(limited); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	w.server.Resume()
	say(t, w.other, lobby, "after")
	await(t, "what is said", func() bool { return len(w.r.of(lobby)) == 1 })
}

// While another node's death is being found out, somebody may be believed to be gone. Only this process knows.
func TestFreezeDuringRemoval(t *testing.T) {
	w := newTwoNodes(t)
	b := w.first.broker
	b.mu.Lock()
	b.registry.known["dead"] = dead
	b.mu.Unlock()
	b.hide(move{"lobby", "u_eve"}, []string{"dead"})
	w.server.Do("ZADD", b.keys.nodes(), "-1", "dead")
	if err := (takeover{w.first}).Freeze(ctx); err != errRemoval {
		t.Errorf("%v", err)
	}
	w.server.Do("ZREM", b.keys.nodes(), "dead")
	freeze(t, w.first)
}

// What the old process could not tell Redis, the new one does.
func TestTakeOverUntold(t *testing.T) {
	w := newTwoNodes(t)
	freeze(t, w.first)
	w.n.Leave("attic", "u_ada")
	w.first.sessions.Release("s_ada")
	next := inheritFrom(t, w.first)
	(takeover{next.Engine}).Start()
	await(t, "who has left", func() bool { return w.watching.events("left") == 1 })
	await(t, "the session to be without a connection", func() bool {
		list, err := w.other.sessions.List(ctx, "u_ada")
		return err == nil && len(list) == 1 && list[0].Open == 0
	})
	if next.n.roster.id != w.n.roster.id {
		t.Error("it has another id")
	}
}

// What is handed over is read as it was written, and no part of it is taken for the whole.
func TestHandedOver(t *testing.T) {
	want := &handedOver{
		node: "node", process: "process", registered: true, epoch: "e", deaf: 1, refreshed: 2, beat: 16, control: "17-0", gapped: true,
		places: []doorbell.Place{{Conversation: lobby, Subscribed: true, Tail: chat.Tail{Seq: 1, Change: 2, Tag: 1 << 31, ServerTS: 4, Epoch: "e"},
			Told: chat.Tail{Seq: 5, Change: 6, Tag: 7, ServerTS: 8, Epoch: "f"}, Idle: 9}},
		people: []handedPerson{{user: chat.User{ID: "u_ada", Name: "Ada", Created: -1, Guest: true, ValidFrom: 10}, known: true, rev: 11, rooms: []string{"lobby", "attic"},
			inbox: doorbell.InboxPlace{User: "u_ada", Last: 12, Started: true, Again: true}}},
		untold:   []handedMove{{move{"lobby", "u_ada"}, true, true}},
		recent:   []move{{"", "u_bob"}},
		known:    map[move]int64{{"attic", "u_eve"}: 13},
		sessions: []handedSession{{id: "s_1", user: "u_ada", released: 1, seen: 14, record: "{}", sure: 15}},
	}
	state := want.append(nil)
	opts := cmp.AllowUnexported(handedOver{}, handedPerson{}, handedMove{}, move{}, handedSession{})
	for _, one := range [][]byte{state, append(slices.Clone(state), 99, 1, 7)} { // a field of a later version
		got, err := parseHandedOver(one)
		if diff := cmp.Diff(want, got, opts); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	for n := range len(state) {
		got, err := parseHandedOver(state[:n])
		if err == nil && cmp.Equal(want, got, opts) {
			t.Errorf("%d of %d bytes are everything", n, len(state))
		}
	}
	if _, err := parseHandedOver(append([]byte{1, 1, 2}, state[3:]...)); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a later version: %v", err)
	}
}
