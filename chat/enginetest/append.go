package enginetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// Changes and messages are numbered in each conversation by itself, in the order of the
// entries.
func testAppend(h *house) {
	tail, err := h.Log.Tail(ctx, lobby)
	epoch, _ := h.Log.Epoch(ctx)
	if err != nil || tail != (chat.Tail{Epoch: epoch}) || epoch == "" {
		h.Fatalf("Tail of nothing: %+v, %v", tail, err)
	}
	results := h.append(
		chat.Entry{Conversation: lobby, Message: message("u_ada", "1")},
		chat.Entry{Conversation: adaBob, Message: message("u_bob", "1")},
		chat.Entry{Conversation: lobby, Message: message("u_bob", "2")},
	)
	h.clock.Pass(time.Millisecond)
	results = append(results, h.say(lobby, "u_ada", "3"))
	var got []uint64
	ids := make(map[string]bool)
	for i, r := range results {
		c := r.Change
		got = append(got, c.Seq)
		at := start.UnixMilli()
		if i == 3 {
			at++
		}
		if c.ID == "" || ids[c.ID] || r.Duplicate || c.ServerTS != at || c.Number != c.Seq || c.Epoch != epoch || c.Message == nil {
			h.Errorf("result %d is %+v", i, r)
		}
		ids[c.ID] = true
	}
	if results[0].Change.Tag == results[1].Change.Tag && results[1].Change.Tag == results[2].Change.Tag {
		h.Errorf("all changes have the tag %d", results[0].Change.Tag)
	}
	if diff := cmp.Diff([]uint64{1, 1, 2, 3}, got); diff != "" {
		h.Errorf("seq (-want +got):\n%s", diff)
	}
	tail, err = h.Log.Tail(ctx, lobby)
	if diff := cmp.Diff(chat.Tail{Seq: 3, Change: 3, Tag: results[3].Change.Tag, ServerTS: start.UnixMilli() + 1, Epoch: epoch}, tail); diff != "" || err != nil {
		h.Errorf("Tail: %v (-want +got):\n%s", err, diff)
	}
}

// With a context that has ended nothing is stored, and every result says so.
func testContexts(h *house) {
	h.say(lobby, "u_ada", "1")
	over, cancel := context.WithCancel(ctx)
	cancel()
	told := 0
	h.Log.Append(over, []chat.Entry{{Conversation: lobby, Message: message("u_ada", "2")}, {Conversation: attic, Message: message("u_ada", "2")}},
		func(i int, r chat.Result) {
			told++
			if !errors.Is(r.Err, context.Canceled) || errors.Is(r.Err, chat.ErrOutcomeUnknown) {
				h.Errorf("Append: %v", r.Err)
			}
		})
	if told != 2 {
		h.Errorf("%d results of 2", told)
	}
	if tail, _ := h.Log.Tail(ctx, lobby); tail.Seq != 1 {
		h.Errorf("the conversation ends at %d", tail.Seq)
	}
	_, tail := h.Log.Tail(over, lobby)
	_, history := h.Log.History(over, chat.HistoryQuery{Conversation: lobby, Limit: 1})
	_, _, changes := h.Log.Changes(over, lobby, 0, 1)
	_, _, rooms := h.Directory.Rooms(over, chat.RoomPlace{}, "", 1)
	_, _, talks := h.Directory.Talks(over, "u_ada", 0, "", 1)
	_, user := h.Directory.User(over, "u_ada")
	put := h.Directory.PutUser(over, chat.User{ID: "u_eve", Name: "Eve"})
	for i, err := range []error{tail, history, changes, rooms, talks, user, put} {
		if err == nil {
			h.Errorf("call %d ignores its context", i)
		}
	}
	if _, err := h.Directory.User(ctx, "u_eve"); !errors.Is(err, chat.ErrNotFound) {
		h.Errorf("PutUser stored a user and returned an error: %v", err)
	}
}

// When the context of an Append ends, its caller reuses the slice at once. The store and
// the receivers get the earlier content, and no stored entry has an error that says that it
// was not stored.
func testAppendAbandoned(h *house) {
	seed := rand.Uint64()
	h.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	e := newEar()
	node := h.Broker.Attach(e)
	defer node.Detach()
	for _, c := range []chat.Conversation{lobby, attic} {
		if _, err := node.Subscribe(ctx, c); err != nil {
			h.Fatal(err)
		}
	}
	entries := make([]chat.Entry, 20)
	refused := make(map[string]bool)
	for round := range 40 {
		for i := range entries {
			entries[i] = chat.Entry{Conversation: lobby, Message: message("u_ada", fmt.Sprintf("%d.%d", round, i))}
		}
		short, cancel := context.WithCancel(ctx)
		end := random.IntN(len(entries))
		if round%4 == 0 {
			go cancel()
		}
		h.Log.Append(short, entries, func(i int, r chat.Result) {
			if r.Err != nil && !errors.Is(r.Err, chat.ErrOutcomeUnknown) {
				refused[fmt.Sprintf("%d.%d", round, i)] = true
			}
			if i == end {
				cancel()
			}
		})
		for i := range entries {
			entries[i] = chat.Entry{Conversation: attic, Message: message("u_eve", "of another call")}
		}
		cancel()
	}
	last := h.say(lobby, "u_ada", "last").Change.Seq
	if tail, err := h.Log.Tail(ctx, attic); tail.Seq != 0 || err != nil {
		h.Errorf("%d entries were stored that were never given: %v", tail.Seq, err)
	}
	page, err := h.Log.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 1 << 20})
	if err != nil {
		h.Fatal(err)
	}
	for _, content := range contents(page) {
		if refused[content] {
			h.Errorf("%s was stored; its sender was told that it was not", content)
		}
	}
	h.await("the last change", func() bool { return e.last(lobby) == last })
	var want []uint64
	for _, m := range page.Messages {
		want = append(want, m.Seq)
	}
	node.Detach()
	if diff := cmp.Diff(map[chat.Conversation][]uint64{lobby: want}, e.heard); diff != "" {
		h.Errorf("heard (-stored +heard):\n%s", diff)
	}
}

func testRefs(h *house) {
	first := h.append(
		chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "once"), "r")},
		chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "other words"), "r")},
		chat.Entry{Conversation: lobby, Message: withRef(message("u_bob", "another sender"), "r")},
		chat.Entry{Conversation: adaBob, Message: withRef(message("u_ada", "another conversation"), "r")},
		chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "another ref"), "q")},
	)
	h.reopen()
	h.clock.Pass(time.Hour)
	again := h.append(chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "once"), "r")})
	type result struct {
		Seq       uint64
		ServerTS  int64
		Duplicate bool
	}
	var got []result
	for _, r := range append(first, again...) {
		got = append(got, result{r.Change.Seq, r.Change.ServerTS, r.Duplicate})
	}
	at := start.UnixMilli()
	want := []result{{1, at, false}, {1, at, true}, {2, at, false}, {1, at, false}, {3, at, false}, {1, at, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		h.Errorf("(-want +got):\n%s", diff)
	}
	if first[0].Change.Tag != first[1].Change.Tag || first[0].Change.Tag != again[0].Change.Tag {
		h.Errorf("tags of one change: %d, %d, %d", first[0].Change.Tag, first[1].Change.Tag, again[0].Change.Tag)
	}
	if first[0].Change.ID != first[1].Change.ID || first[0].Change.ID != again[0].Change.ID {
		h.Errorf("ids of one message: %q, %q, %q", first[0].Change.ID, first[1].Change.ID, again[0].Change.ID)
	}
	page, err := h.Log.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 10})
	if err != nil {
		h.Fatal(err)
	}
	if diff := cmp.Diff([]string{"once", "another sender", "another ref"}, contents(page)); diff != "" {
		h.Errorf("stored (-want +got):\n%s", diff)
	}
}

// A ref holds for exactly 24 hours, across any days, and then is free.
func testRefsExpire(h *house) {
	put := func() chat.Result {
		return h.append(chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x"), "r")})[0]
	}
	seq := put().Change.Seq
	for range 5 {
		h.clock.Pass(chat.RefLifetime - time.Millisecond)
		if r := put(); !r.Duplicate || r.Change.Seq != seq {
			h.Fatalf("one ms before its end the ref gave %+v", r)
		}
		h.clock.Pass(time.Millisecond)
		seq++
		if r := put(); r.Duplicate || r.Change.Seq != seq {
			h.Fatalf("at its end the ref gave %+v", r)
		}
		h.clock.Pass(7 * time.Hour) // so that the next ref begins at another time of day
		h.say(lobby, "u_ada", "x")
		if r := put(); !r.Duplicate || r.Change.Seq != seq {
			h.Fatalf("seven hours later the ref gave %+v", r)
		}
		seq++
		h.clock.Pass(chat.RefLifetime)
		seq++
		if r := put(); r.Duplicate || r.Change.Seq != seq {
			h.Fatalf("after a day and seven hours the ref gave %+v", r)
		}
	}
}

// A ref is found again even if the clock was ahead when it was stored, or since.
func testRefsClockBack(h *house) {
	const years = 10 * 365 * 24 * time.Hour
	put := func(ref string) chat.Result {
		return h.append(chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", ref), ref)})[0]
	}
	before := put("before")
	h.jump(years)
	ahead := put("ahead")
	for range 40 { // while the clock is ahead, old refs are forgotten
		h.say(lobby, "u_ada", "x")
	}
	h.jump(-years)
	for _, first := range []chat.Result{before, ahead} {
		if r := put(first.Change.Message.Content); !r.Duplicate || r.Change.Seq != first.Change.Seq {
			h.Errorf("%s: %+v, want a duplicate of %+v", first.Change.Message.Content, r, first)
		}
	}
}

// A clock that was wrong on many days does not hide the other days.
func testRefsManyWrongClocks(h *house) {
	const year = 365 * 24 * time.Hour
	put := func(ref string) chat.Result {
		return h.append(chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", ref), ref)})[0]
	}
	for i := range 6 {
		d := time.Duration(10-i) * year
		h.jump(d)
		put(fmt.Sprint("ahead ", i))
		h.jump(-d)
	}
	for i := range 3 {
		ref := fmt.Sprint("now ", i)
		first := put(ref)
		h.clock.Pass(23 * time.Hour)
		if again := put(ref); !again.Duplicate || again.Change.Seq != first.Change.Seq {
			h.Errorf("%s: %+v, want a duplicate of %+v", ref, again, first)
		}
		h.clock.Pass(2 * time.Hour)
	}
	if r := put("ahead 5"); !r.Duplicate {
		h.Errorf("what was stored while the clock was ahead: %+v, want a duplicate", r)
	}
}

// Stored messages come back byte for byte.
func testRoundTrip(h *house) {
	long := make([]byte, 4096)
	for i := range long {
		long[i] = byte('a' + i%26)
	}
	var want []chat.Message
	for _, m := range []*chat.Message{
		{Sender: "u_ada", SenderName: "Ada", Timestamp: "0", Content: "", Metadata: []byte("{}")},
		{Sender: "u_bob", SenderName: "Bjørn 🦉", Timestamp: "-1.50e+3", Content: "\x00\n\u2028é🦉", Metadata: []byte("{ \"a\":\t1.0 }")},
		{Sender: "u_bob", SenderName: "B", Timestamp: "1", Content: string(long[:2000]), Metadata: long},
	} {
		h.append(chat.Entry{Conversation: lobby, Message: m})
		stored := *m
		stored.ServerTS = start.UnixMilli()
		want = append(want, stored)
	}
	page, err := h.Log.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 10})
	if err != nil {
		h.Fatal(err)
	}
	var got []chat.Message
	for _, m := range page.Messages {
		got = append(got, m.Message)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		h.Errorf("(-want +got):\n%s", diff)
	}
}

// Concurrent readers never see a gap, or a message disappear; and writers in two
// conversations do not wait for each other's answers.
func testConcurrent(h *house) {
	seed := rand.Uint64()
	h.Logf("seed %d", seed)
	done := make(chan struct{})
	var readers, writers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			var least uint64
			for {
				select {
				case <-done:
					return
				default:
				}
				page, err := h.Log.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 1 << 20})
				if err != nil {
					h.Errorf("History: %v", err)
					return
				}
				for i, m := range page.Messages {
					if m.Seq != uint64(i)+1 {
						h.Errorf("message %d has seq %d", i, m.Seq)
						return
					}
				}
				n := uint64(len(page.Messages))
				tail, err := h.Log.Tail(ctx, lobby)
				if n < least || err != nil || tail.Seq < n {
					h.Errorf("%d messages, where there were %d; then the tail is %d, %v", n, least, tail.Seq, err)
					return
				}
				least = tail.Seq
			}
		})
	}
	for w := range 4 {
		writers.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			for i := range 20 {
				batch := make([]chat.Entry, 1+random.IntN(10))
				for j := range batch {
					batch[j] = chat.Entry{Conversation: []chat.Conversation{lobby, attic}[random.IntN(2)],
						Message: withRef(message("u_ada", "x"), fmt.Sprint(w, i, j))}
				}
				last := map[chat.Conversation]uint64{}
				h.Log.Append(ctx, batch, func(k int, r chat.Result) {
					c := batch[k].Conversation
					if r.Err != nil || r.Change.Seq <= last[c] {
						h.Errorf("%s: %d after %d, %v", c, r.Change.Seq, last[c], r.Err)
					}
					last[c] = r.Change.Seq
				})
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

func testReopen(h *house) {
	results := h.fill(lobby, 3)
	if err := h.Directory.PutUser(ctx, chat.User{ID: "u_ada", Name: "Ada"}); err != nil {
		h.Fatal(err)
	}
	before, err := h.Log.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 10})
	if err != nil {
		h.Fatal(err)
	}
	if !h.reopen() {
		return
	}
	after, err := h.Log.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 10})
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		h.Errorf("history: %v (-before +after):\n%s", err, diff)
	}
	if r := h.say(attic, "u_ada", "x"); r.Change.Seq != 1 || r.Change.ID == results[0].Change.ID || r.Change.Epoch != results[0].Change.Epoch {
		h.Errorf("after reopening, a new conversation begins with %+v", r)
	}
	if _, err := h.Directory.User(ctx, "u_ada"); err != nil {
		h.Errorf("User: %v", err)
	}
}
