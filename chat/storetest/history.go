package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

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

func runHistory(t *testing.T, s chat.Store, cases []historyCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.query.Conversation == "" {
				c.query.Conversation = lobby
			}
			page, err := s.History(c.query)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, contents(page), cmpopts.EquateEmpty()); diff != "" || page.More != c.more {
				t.Errorf("more is %t (-want +got):\n%s", page.More, diff)
			}
		})
	}
}

func testHistoryBySeq(t *testing.T, f Folder) {
	s := f.Open(t)
	// Neighbours on both sides, which must not be seen.
	commit(t, s, chat.Entry{Conversation: attic, Message: message("u_ada", "attic", start)})
	fill(t, s, lobby, 5)
	commit(t, s, chat.Entry{Conversation: adaBob, Message: message("u_ada", "private", start)})
	runHistory(t, s, []historyCase{
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

func testHistoryByTime(t *testing.T, f Folder) {
	s := f.Open(t)
	fill(t, s, lobby, 5) // at 0, 10, 20, 30 and 40 ms
	// Two more at the time of the last.
	commit(t, s, chat.Entry{Conversation: lobby, Message: message("u_ada", "6", start+40)},
		chat.Entry{Conversation: lobby, Message: message("u_ada", "7", start+40)})
	runHistory(t, s, []historyCase{
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

// Where the clock went back, queries by time are what going through all messages gives.
func testHistoryClockBack(t *testing.T, f Folder) {
	s := f.Open(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var times []int64 // by seq - 1
	now := start
	for range 200 {
		switch random.IntN(10) {
		case 0:
			now -= random.Int64N(300)
		case 1:
			now += random.Int64N(300)
		default:
			now += random.Int64N(5)
		}
		times = append(times, now)
		commit(t, s, chat.Entry{Conversation: lobby, Message: message("u_ada", fmt.Sprint(len(times)), now)})
	}
	for range 300 {
		q := chat.HistoryQuery{Conversation: lobby, Limit: 1 + random.IntN(60), Newest: random.IntN(2) == 0}
		if random.IntN(4) > 0 {
			q.Since = start - 200 + random.Int64N(1000)
		}
		if random.IntN(4) > 0 {
			q.Until = start - 200 + random.Int64N(1000)
		}
		if random.IntN(4) == 0 {
			q.AfterSeq, q.BeforeSeq = random.Uint64N(200), random.Uint64N(250)
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
		page, err := s.History(q)
		if diff := cmp.Diff(want, contents(page), cmpopts.EquateEmpty()); diff != "" || err != nil || page.More != more {
			t.Fatalf("%+v: %v, more is %t (-want +got):\n%s", q, err, page.More, diff)
		}
	}
}

func testLocate(t *testing.T, f Folder) {
	s := f.Open(t)
	batch := fill(t, s, lobby, 40)
	other := fill(t, s, attic, 2)
	for _, e := range batch {
		if seq, err := s.Locate(lobby, e.ID); err != nil || seq != e.Seq {
			t.Errorf("Locate(%q) = %d, %v; want %d", e.ID, seq, err, e.Seq)
		}
	}
	for _, id := range []string{other[0].ID, batch[39].ID + "0", "0" + batch[0].ID, "", "-", "x"} {
		if seq, err := s.Locate(lobby, id); !errors.Is(err, chat.ErrNotFound) {
			t.Errorf("Locate(%q) = %d, %v; want ErrNotFound", id, seq, err)
		}
	}
	if _, err := s.Locate("r:nowhere", batch[0].ID); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("Locate in an absent conversation: %v", err)
	}
}
