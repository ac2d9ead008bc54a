package enginetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hawser-ws/hawser/chat"
)

// historyCase is a query and the contents of its answer, which here are the seqs.
type historyCase struct {
	name  string
	query chat.HistoryQuery
	want  []string
	more  bool
}

func (h *house) history(cases []historyCase) {
	for _, c := range cases {
		h.Run(c.name, func(t *testing.T) {
			if c.query.Conversation == "" {
				c.query.Conversation = lobby
			}
			page, err := h.Log.History(ctx, c.query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, contents(page), cmpopts.EquateEmpty()); diff != "" || page.More != c.more || page.First != 1 {
				t.Errorf("more is %t, the first is %d (-want +got):\n%s", page.More, page.First, diff)
			}
		})
	}
}

func testHistoryBySeq(h *house) {
	// Neighbours on both sides, which must not appear.
	h.say(attic, "u_ada", "attic")
	h.fill(lobby, 5)
	h.say(adaBob, "u_ada", "private")
	h.history([]historyCase{
		{"all", chat.HistoryQuery{Limit: 5}, []string{"1", "2", "3", "4", "5"}, false},
		{"all, newest", chat.HistoryQuery{Limit: 5, Newest: true}, []string{"1", "2", "3", "4", "5"}, false},
		{"first", chat.HistoryQuery{Limit: 2}, []string{"1", "2"}, true},
		{"last", chat.HistoryQuery{Limit: 2, Newest: true}, []string{"4", "5"}, true},
		{"before", chat.HistoryQuery{BeforeSeq: 4, Limit: 2, Newest: true}, []string{"2", "3"}, true},
		{"before, to the edge", chat.HistoryQuery{BeforeSeq: 3, Limit: 2, Newest: true}, []string{"1", "2"}, false},
		{"before the first", chat.HistoryQuery{BeforeSeq: 1, Limit: 2, Newest: true}, nil, false},
		{"before the future", chat.HistoryQuery{BeforeSeq: 99, Limit: 1, Newest: true}, []string{"5"}, true},
		{"after", chat.HistoryQuery{AfterSeq: 1, Limit: 2}, []string{"2", "3"}, true},
		{"after, to the edge", chat.HistoryQuery{AfterSeq: 3, Limit: 2}, []string{"4", "5"}, false},
		{"after the last", chat.HistoryQuery{AfterSeq: 5, Limit: 2}, nil, false},
		{"after the future", chat.HistoryQuery{AfterSeq: 1 << 53, Limit: 2}, nil, false},
		{"between", chat.HistoryQuery{AfterSeq: 1, BeforeSeq: 5, Limit: 2}, []string{"2", "3"}, true},
		{"between, all", chat.HistoryQuery{AfterSeq: 1, BeforeSeq: 5, Limit: 3}, []string{"2", "3", "4"}, false},
		{"between, crossed", chat.HistoryQuery{AfterSeq: 4, BeforeSeq: 2, Limit: 3}, nil, false},
		{"absent conversation", chat.HistoryQuery{Conversation: "r:nowhere", Limit: 3}, nil, false},
	})
}

func testHistoryByTime(h *house) {
	start := start.UnixMilli()
	h.fill(lobby, 5) // at 0, 10, 20, 30 and 40 ms
	h.step(-10 * time.Millisecond)
	// Two more at the time of the last.
	h.say(lobby, "u_ada", "6")
	h.say(lobby, "u_ada", "7")
	h.history([]historyCase{
		{"since the first", chat.HistoryQuery{Since: start, Limit: 2}, []string{"1", "2"}, true},
		{"since between two", chat.HistoryQuery{Since: start + 11, Limit: 2}, []string{"3", "4"}, true},
		{"since exactly one", chat.HistoryQuery{Since: start + 20, Limit: 2}, []string{"3", "4"}, true},
		{"since several at once", chat.HistoryQuery{Since: start + 40, Limit: 9}, []string{"5", "6", "7"}, false},
		{"since the future", chat.HistoryQuery{Since: start + 41, Limit: 9}, nil, false},
		{"until the first", chat.HistoryQuery{Until: start, Limit: 9, Newest: true}, nil, false},
		{"until exactly one", chat.HistoryQuery{Until: start + 20, Limit: 9, Newest: true}, []string{"1", "2"}, false},
		{"until several at once", chat.HistoryQuery{Until: start + 40, Limit: 2, Newest: true}, []string{"3", "4"}, true},
		{"until the future", chat.HistoryQuery{Until: start + 99, Limit: 1, Newest: true}, []string{"7"}, true},
		{"both", chat.HistoryQuery{Since: start + 10, Until: start + 40, Limit: 2}, []string{"2", "3"}, true},
		{"both, empty", chat.HistoryQuery{Since: start + 11, Until: start + 20, Limit: 2}, nil, false},
		{"both, crossed", chat.HistoryQuery{Since: start + 30, Until: start + 10, Limit: 2}, nil, false},
		{"absent conversation", chat.HistoryQuery{Conversation: "r:nowhere", Since: start, Limit: 3}, nil, false},
		{"absent conversation, until", chat.HistoryQuery{Conversation: "r:nowhere", Until: start, Limit: 3, Newest: true}, nil, false},
	})
}

// If the clock went back, queries by time give the same as a scan of all messages.
func testHistoryClockBack(h *house) {
	seed := rand.Uint64()
	h.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var times []int64 // by seq - 1
	for range 120 {
		switch random.IntN(12) {
		case 0:
			h.jump(-time.Duration(2+random.IntN(60)) * time.Minute)
		case 1:
			h.jump(time.Duration(2+random.IntN(60)) * time.Minute)
		default:
			h.clock.Pass(time.Duration(random.IntN(20_000)) * time.Millisecond)
		}
		r := h.say(lobby, "u_ada", fmt.Sprint(len(times)+1))
		times = append(times, r.Change.ServerTS)
	}
	edge := func() int64 { return times[random.IntN(len(times))] + random.Int64N(3) - 1 }
	for range 300 {
		q := chat.HistoryQuery{Conversation: lobby, Limit: 1 + random.IntN(60), Newest: random.IntN(2) == 0}
		if random.IntN(4) > 0 {
			q.Since = edge()
		}
		if random.IntN(4) > 0 {
			q.Until = edge()
		}
		if random.IntN(4) == 0 {
			q.AfterSeq, q.BeforeSeq = random.Uint64N(120), random.Uint64N(150)
		}
		var want []string
		for i, ts := range times {
			seq := uint64(i + 1)
			if ts >= q.Since && (q.Until == 0 || ts < q.Until) && seq > q.AfterSeq && (q.BeforeSeq == 0 || seq < q.BeforeSeq) {
				want = append(want, fmt.Sprint(seq))
			}
		}
		more := len(want) > q.Limit
		if more && q.Newest {
			want = want[len(want)-q.Limit:]
		} else if more {
			want = want[:q.Limit]
		}
		page, err := h.Log.History(ctx, q)
		if diff := cmp.Diff(want, contents(page), cmpopts.EquateEmpty()); diff != "" || err != nil || page.More != more {
			h.Fatalf("%+v: %v, more is %t (-want +got):\n%s", q, err, page.More, diff)
		}
	}
}

// An engine drops the beginning of a conversation, and each page says where it begins now.
func testHistoryDropped(h *house) {
	place, ok := h.place.(Bounded)
	if !ok {
		return // it keeps everything, which the other tests verify
	}
	const keep = 50
	place.Keep(keep)
	h.reopen()
	results := h.fill(lobby, 4*keep)
	all, err := h.Log.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 5 * keep})
	if err != nil {
		h.Fatal(err)
	}
	first := all.First
	if n := uint64(len(all.Messages)); first < 2 || n < keep || first+n != 4*keep+1 || all.Messages[0].Seq != first || all.More {
		h.Fatalf("%d messages are kept, from %d on; more is %t", n, first, all.More)
	}
	at := func(seq uint64) int64 { return results[seq-1].Change.ServerTS }
	for _, c := range []struct {
		query chat.HistoryQuery
		want  []uint64
		more  bool
	}{
		{chat.HistoryQuery{Limit: 2}, []uint64{first, first + 1}, true},
		{chat.HistoryQuery{Limit: 2, Newest: true}, []uint64{4*keep - 1, 4 * keep}, true},
		{chat.HistoryQuery{BeforeSeq: first + 2, Limit: 2, Newest: true}, []uint64{first, first + 1}, false},
		{chat.HistoryQuery{BeforeSeq: first + 1, Limit: 2, Newest: true}, []uint64{first}, false},
		{chat.HistoryQuery{BeforeSeq: first, Limit: 2, Newest: true}, nil, false},
		{chat.HistoryQuery{BeforeSeq: 1, Limit: 2, Newest: true}, nil, false},
		{chat.HistoryQuery{AfterSeq: 1, BeforeSeq: first + 1, Limit: 2}, []uint64{first}, false},
		{chat.HistoryQuery{AfterSeq: 4 * keep, Limit: 2}, nil, false},
		{chat.HistoryQuery{Until: at(first) + 1, Limit: 2, Newest: true}, []uint64{first}, false},
		{chat.HistoryQuery{Until: at(first), Limit: 2, Newest: true}, nil, false},
		{chat.HistoryQuery{Since: at(1), Limit: 1}, []uint64{first}, true},
		{chat.HistoryQuery{Since: at(4*keep) + 1, Limit: 1}, nil, false},
	} {
		c.query.Conversation = lobby
		page, err := h.Log.History(ctx, c.query)
		var got []uint64
		for _, m := range page.Messages {
			got = append(got, m.Seq)
		}
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" || err != nil || page.More != c.more || page.First != first {
			h.Errorf("%+v: %v, more is %t, the first is %d and not %d (-want +got):\n%s", c.query, err, page.More, page.First, first, diff)
		}
	}
	if _, err := h.Log.Locate(ctx, lobby, results[first-2].Change.ID); !errors.Is(err, chat.ErrNotFound) {
		h.Errorf("a message that was dropped is located: %v", err)
	}
}

func testLocate(h *house) {
	results := h.fill(lobby, 40)
	other := h.fill(attic, 2)
	for _, r := range results {
		if seq, err := h.Log.Locate(ctx, lobby, r.Change.ID); err != nil || seq != r.Change.Seq {
			h.Errorf("Locate(%q) = %d, %v; want %d", r.Change.ID, seq, err, r.Change.Seq)
		}
	}
	for _, id := range []string{other[0].Change.ID, results[39].Change.ID + "0", "0" + results[0].Change.ID, "", "-", "x"} {
		if seq, err := h.Log.Locate(ctx, lobby, id); !errors.Is(err, chat.ErrNotFound) {
			h.Errorf("Locate(%q) = %d, %v; want ErrNotFound", id, seq, err)
		}
	}
	if _, err := h.Log.Locate(ctx, "r:nowhere", results[0].Change.ID); !errors.Is(err, chat.ErrNotFound) {
		h.Errorf("Locate in an absent conversation: %v", err)
	}
}

// Changes equal the results of Append, from any number on.
func testChanges(h *house) {
	results := h.fill(lobby, 7)
	for after := uint64(0); after <= 8; after++ {
		for limit := 1; limit <= 8; limit++ {
			var want []chat.Change
			for _, r := range results {
				if r.Change.Number > after && len(want) < limit {
					want = append(want, r.Change)
				}
			}
			got, more, err := h.Log.Changes(ctx, lobby, after, limit)
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil || more != (after+uint64(limit) < 7) {
				h.Fatalf("after %d, limit %d: %v, more is %t (-want +got):\n%s", after, limit, err, more, diff)
			}
		}
	}
	if got, more, err := h.Log.Changes(ctx, "r:nowhere", 0, 5); len(got) != 0 || more || err != nil {
		h.Errorf("of an absent conversation: %v, %t, %v", got, more, err)
	}
}
