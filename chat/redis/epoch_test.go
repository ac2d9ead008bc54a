package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

func TestEpochsHaveAnOrder(t *testing.T) {
	t.Parallel()
	rising := []string{
		"abcdefghij234", // of an earlier version
		base36(0, 9) + "0001",
		base36(uint64(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()), 9) + "zzzz",
		base36(uint64(time.Date(2026, 1, 1, 0, 0, 0, 1e6, time.UTC).UnixMilli()), 9) + "0000",
		base36(uint64(time.Date(2140, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()), 9) + "0000",
	}
	address := startRedis(t)
	e := open(t, Config{Addresses: []string{address}})
	script := newScript("local salt = ARGV[3]\n" + epochText + "\nreturn {later(ARGV[1], ARGV[2]) and 1 or 0, begin(ARGV[1], ARGV[2])}")
	for i, a := range rising {
		for j, b := range rising {
			if got, want := later(a, b), i > j; got != want {
				t.Errorf("%s is later than %s: %t", a, b, got)
			}
			values, err := e.store.run(ctx, script, nil, []string{a, b, "0a1z"}).ToArray()
			if err != nil {
				t.Fatal(err)
			}
			if n, _ := values[0].AsInt64(); (n == 1) != (i > j) {
				t.Errorf("to the script, %s is later than %s: %d", a, b, n)
			}
			fresh, _ := values[1].ToString()
			if len(fresh) != epochLength || !strings.HasSuffix(fresh, "0a1z") || !later(fresh, a) || !later(fresh, b) {
				t.Errorf("after %s and %s begins %s", a, b, fresh)
			}
		}
	}
	if a, b := "abcdefghij234", "bbcdefghij234"; later(a, b) || later(b, a) {
		t.Error("epochs of an earlier version have an order")
	}
	fresh, err := e.store.newEpoch(ctx)
	if at := base36(uint64(time.Now().Add(time.Minute).UnixMilli()), 9); err != nil || !later(fresh, rising[2]) || later(fresh, at+"0000") {
		t.Errorf("a new epoch is %s, %v", fresh, err)
	}
}

// A store has lost the epoch that its nodes are in, as it fails over twice, and is in an earlier
// one, or in one of an earlier version. Nobody is led back: those who listen, those who append and
// those who come later are all told one epoch that is later than both.
func TestLostEpoch(t *testing.T) {
	for name, lost := range map[string]func(epoch string) string{
		"the one before":       func(epoch string) string { return base36(1, 9) + "0000" },
		"an earlier version's": func(epoch string) string { return "abcdefghij234" },
	} {
		for _, appends := range []bool{false, true} {
			t.Run(fmt.Sprint(name, ", appends: ", appends), func(t *testing.T) {
				server := redistest.Start(t)
				e := open(t, Config{Addresses: []string{server.Addr}, ProbeEvery: 100 * time.Millisecond})
				k := e.store.keys
				_, r := attach(t, e, lobby, attic)
				first := say(t, e, lobby, "1").Change
				await(t, "the first", func() bool { return len(r.of(lobby)) == 1 })
				empty, err := e.store.Tail(ctx, attic)
				if err != nil {
					t.Fatal(err)
				}
				tail := server.Do("HGET", k.tailsOf(lobby), string(lobby)).(string)
				server.Do("HSET", k.tailsOf(lobby), string(lobby), strings.Replace(tail, first.Epoch, lost(first.Epoch), 1))
				server.Do("HSET", k.tailsOf(attic), "#", lost(empty.Epoch))
				var told string
				if appends {
					told = say(t, e, lobby, "2").Change.Epoch
					await(t, "word of it", func() bool { return len(r.losses(lobby)) > 0 })
				} else {
					await(t, "word of it", func() bool { return len(r.losses(lobby)) > 0 })
					told = r.losses(lobby)[0]
				}
				await(t, "word of the empty one", func() bool { return len(r.losses(attic)) > 0 })
				if !later(told, first.Epoch) || !later(r.losses(attic)[0], empty.Epoch) {
					t.Errorf("after %s comes %s, after %s %s", first.Epoch, told, empty.Epoch, r.losses(attic)[0])
				}
				say(t, e, lobby, "3")
				say(t, e, attic, "a")
				await(t, "the last ones", func() bool { return slices.Contains(r.of(lobby), "3") && slices.Contains(r.of(attic), "a") })
				now, err := e.store.Tail(ctx, lobby)
				if diff := cmp.Diff([]string{now.Epoch}, r.losses(lobby)); diff != "" || err != nil || now.Epoch != told {
					t.Errorf("told of %s, and now it is %s, %v (-now +told of losses):\n%s", told, now.Epoch, err, diff)
				}
				if n := len(r.losses(attic)); n != 1 {
					t.Errorf("%d losses of the empty one", n)
				}
			})
		}
	}
}

// Where only what was stored before is sent again, and the epoch is found to be lost, the one that
// is told is stored.
func TestLostEpochOfDuplicates(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}})
	k := e.store.keys
	ch := try(e, lobby, "1", "ref").Change
	known := ch.Epoch
	e.store.position = func(chat.Conversation) chat.Tail { return chat.Tail{Change: 1, Tag: ch.Tag, Epoch: known} }
	tail := server.Do("HGET", k.tailsOf(lobby), string(lobby)).(string)
	server.Do("HSET", k.tailsOf(lobby), string(lobby), strings.Replace(tail, ch.Epoch, base36(1, 9)+"0000", 1))
	again := try(e, lobby, "1", "ref")
	if again.Err != nil || !again.Duplicate || !later(again.Change.Epoch, known) {
		t.Errorf("again: %+v", again)
	}
	if now, err := e.store.Tail(ctx, lobby); now.Epoch != again.Change.Epoch || now.Change != 1 || err != nil {
		t.Errorf("stored is %+v, %v, where %s was told", now, err, again.Change.Epoch)
	}
}

// A result that comes after its node was told of a later epoch is not told.
func TestResultOfAnEarlierEpoch(t *testing.T) {
	e := open(t, Config{Addresses: []string{startRedis(t)}})
	say(t, e, lobby, "1")
	told := e.store.result
	e.store.result = func(chat.Conversation, chat.Tail, func()) bool {
		e.store.result = told
		e.store.position = func(chat.Conversation) chat.Tail { return chat.Tail{Epoch: "1yyyyyyyy0000"} }
		return false
	}
	if r := try(e, lobby, "2", "ref"); r.Err == nil {
		t.Errorf("acknowledged is %+v", r.Change)
	}
	if r := try(e, lobby, "2", "ref"); r.Err != nil || !later(r.Change.Epoch, "1yyyyyyyy0000") || !r.Duplicate {
		t.Errorf("again: %+v", r)
	}
}

// Who has had an answer from a new epoch is given nothing of the old one after it, although a doorbell
// of that is on its way, and the node has not noticed anything else.
func TestNothingEarlierAfterAnAnswer(t *testing.T) {
	for name, ask := range map[string]func(*Engine) (epoch string){
		"an append": func(e *Engine) string { return say(t, e, lobby, "new").Change.Epoch },
		"a page of history": func(e *Engine) string {
			page, err := e.store.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 9})
			if err != nil {
				t.Error(err)
			}
			return page.Epoch
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			e := open(t, Config{Addresses: []string{server.Addr}, ProbeEvery: time.Hour})
			_, r := attach(t, e, lobby)
			first := say(t, e, lobby, "1").Change
			await(t, "the first", func() bool { return len(r.of(lobby)) == 1 })
			server.Do("FLUSHALL")
			epoch := ask(e)
			e.broker.hear("", encodeChanges(lobby, []published{{
				&chat.Change{Number: 2, Seq: 2, Tag: 7, Epoch: first.Epoch, Message: &chat.Message{Sender: "u_ada", Content: "late"}}, first.Tag}}))
			await(t, "word of it", func() bool { return len(r.losses(lobby)) > 0 })
			if told := r.losses(lobby)[0]; !later(epoch, first.Epoch) || told != epoch {
				t.Errorf("after %s comes %s, and the node is told of %s", first.Epoch, epoch, told)
			}
			if heard := r.of(lobby); slices.Contains(heard, "late") {
				t.Errorf("heard %q", heard)
			}
		})
	}
}

// A page of history of an earlier epoch than people have been told of is not shown: the store has
// lost the later one, and begins another.
func TestPageOfAnEarlierEpoch(t *testing.T) {
	server := redistest.Start(t)
	e := open(t, Config{Addresses: []string{server.Addr}, ProbeEvery: time.Hour})
	_, r := attach(t, e, lobby)
	k := e.store.keys
	first := say(t, e, lobby, "1").Change
	await(t, "the first", func() bool { return len(r.of(lobby)) == 1 })
	tail := server.Do("HGET", k.tailsOf(lobby), string(lobby)).(string)
	server.Do("HSET", k.tailsOf(lobby), string(lobby), strings.Replace(tail, first.Epoch, base36(1, 9)+"0000", 1))
	ask := func() (chat.Page, error) {
		return e.store.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 9})
	}
	if page, err := ask(); !errors.Is(err, errPast) {
		t.Errorf("shown is a page of epoch %s, %v", page.Epoch, err)
	}
	await(t, "word of it", func() bool { return len(r.losses(lobby)) > 0 })
	if page, err := ask(); err != nil || page.Epoch != r.losses(lobby)[0] || !later(page.Epoch, first.Epoch) {
		t.Errorf("then shown is a page of epoch %s, %v", page.Epoch, err)
	}
}

// What must be at a replica is told to nobody before it is: not to those who listen, nor to those
// who read, nor that another epoch has begun. When the engine knows that there are no replicas,
// people see what the primary has, and nothing is acknowledged.
func TestNothingIsSeenThatIsNotAtReplicas(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	replica := redistest.Start(t, redistest.Config(fmt.Sprintf("replicaof 127.0.0.1 %d", server.Port)))
	e := open(t, Config{Addresses: []string{server.Addr}, Ack: Ack{Replicas: 1}, PresenceTTL: time.Hour, ProbeEvery: 50 * time.Millisecond, Timeout: time.Second})
	_, r := attach(t, e, lobby)
	insist(t, e, lobby, "1")
	await(t, "the first", func() bool { return slices.Equal(r.of(lobby), []string{"1"}) })
	replica.Pause()
	if r := try(e, lobby, "2", "2"); r.Err == nil {
		t.Error("acknowledged without a replica")
	}
	reads := map[string]func() error{
		"History": func() error {
			_, err := e.store.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 1})
			return err
		},
		"Changes": func() error { _, _, err := e.store.Changes(ctx, lobby, 0, 9); return err },
		"Check":   func() error { _, err := e.store.Check(ctx, lobby, chat.Tail{Change: 7, Epoch: "e"}); return err },
		"Join":    func() error { _, err := e.store.Join(ctx, "lobby", "u_ada"); return err },
		"hint":    func() error { return try(e, chat.PrivateConversation("u_ada", "u_bob"), "hello", "").Err },
	}
	var all sync.WaitGroup
	for name, read := range reads {
		all.Go(func() {
			if err := read(); err == nil {
				t.Errorf("%s succeeds without a replica", name)
			}
		})
	}
	all.Wait()
	if got := r.of(lobby); !slices.Equal(got, []string{"1"}) {
		t.Errorf("heard without a replica: %q", got)
	}
	e.store.mu.Lock()
	e.store.standingOf("").few = time.Now().Add(-fewPatience) // as the heartbeat finds out
	e.store.mu.Unlock()
	if got := stored(t, e, lobby); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("stored are %q", got)
	}
	await(t, "what is not safe", func() bool { return slices.Equal(r.of(lobby), []string{"1", "2"}) })
	replica.Resume()
	insist(t, e, lobby, "2")
	insist(t, e, lobby, "3")
	await(t, "the last", func() bool { return slices.Equal(r.of(lobby), []string{"1", "2", "3"}) })
	if !e.store.waits(visible, "") {
		t.Error("the replica is back, and nobody waits for it")
	}
}

// A message that became safe only after its sender had given up is heard without another one.
func TestLateMessageIsHeard(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	replica := redistest.Start(t, redistest.Config(fmt.Sprintf("replicaof 127.0.0.1 %d", server.Port)))
	e := open(t, Config{Addresses: []string{server.Addr}, Ack: Ack{Replicas: 1}, ProbeEvery: time.Hour, Timeout: time.Second})
	_, r := attach(t, e, lobby)
	insist(t, e, lobby, "1")
	await(t, "the first", func() bool { return slices.Equal(r.of(lobby), []string{"1"}) })
	replica.Pause()
	c, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	var late chat.Result
	e.store.Append(c, []chat.Entry{{Conversation: lobby, Message: message("u_ada", "2", "2")}}, func(_ int, r chat.Result) { late = r })
	replica.Resume()
	if late.Err == nil {
		t.Fatal("acknowledged without a replica")
	}
	await(t, "the late one", func() bool { return slices.Equal(r.of(lobby), []string{"1", "2"}) })
}

// What could not be read while no replica answered is read when one answers again, and not only
// at the next probe.
func TestReplicaIsBack(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	replica := redistest.Start(t, redistest.Config(fmt.Sprintf("replicaof 127.0.0.1 %d", server.Port)))
	e := open(t, Config{Addresses: []string{server.Addr}, Ack: Ack{Replicas: 1}, ProbeEvery: time.Hour, PresenceTTL: time.Hour, Timeout: time.Second})
	n, r := attach(t, e, lobby, attic)
	insist(t, e, lobby, "1")
	await(t, "the first", func() bool { return slices.Equal(r.of(lobby), []string{"1"}) })
	replica.Pause()
	if r := try(e, lobby, "2", "2"); r.Err == nil {
		t.Error("acknowledged without a replica")
	}
	n.bell.Ring(lobby)
	for range 3 { // by then it could not be read
		e.store.Changes(ctx, lobby, 0, 9)
	}
	replica.Resume()
	insist(t, e, attic, "a")
	await(t, "what was missing", func() bool { return slices.Equal(r.of(lobby), []string{"1", "2"}) })
}
