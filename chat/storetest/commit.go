package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

func testSeq(t *testing.T, f Folder) {
	s := f.Open(t)
	if _, err := s.Last(lobby); !errors.Is(err, chat.ErrNotFound) {
		t.Fatalf("Last of nothing: %v", err)
	}
	batch := commit(t, s,
		chat.Entry{Conversation: lobby, Message: message("u_ada", "1", start)},
		chat.Entry{Conversation: adaBob, Message: message("u_bob", "1", start)},
		chat.Entry{Conversation: lobby, Message: message("u_bob", "2", start)},
		chat.Entry{Conversation: lobby, Message: message("u_ada", "3", start+1)},
	)
	type result struct{ Seq, Last uint64 }
	var got []result
	ids := make(map[string]bool)
	for _, e := range batch {
		got = append(got, result{e.Seq, e.Last})
		if e.ID == "" || ids[e.ID] || e.Duplicate || e.ServerTS != e.Message.ServerTS {
			t.Errorf("result %+v: no new id, a duplicate, or another time", e)
		}
		ids[e.ID] = true
	}
	want := []result{{1, 1}, {1, 1}, {2, 2}, {3, 3}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	tail, err := s.Last(lobby)
	if diff := cmp.Diff(chat.Tail{Seq: 3, ServerTS: start + 1}, tail); diff != "" || err != nil {
		t.Errorf("Last: %v (-want +got):\n%s", err, diff)
	}
}

// A ref is found again although the clock was ahead when it was stored, or is ahead now
// by less than its life.
func testRefsClockBack(t *testing.T, f Folder) {
	s := f.Open(t)
	const year = 365 * 24 * hour
	first := commit(t, s,
		chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "before", start), "before")},
		chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "ahead", start+10*year), "ahead")},
	)
	for range 40 { // while the clock is ahead, old refs are forgotten
		commit(t, s, chat.Entry{Conversation: lobby, Message: message("u_ada", "x", start+10*year)})
	}
	again := commit(t, s,
		chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "before", start+hour), "before")},
		chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "ahead", start+hour), "ahead")},
	)
	for i := range again {
		if !again[i].Duplicate || again[i].Seq != first[i].Seq {
			t.Errorf("%s: %+v, want a duplicate of %+v", first[i].Message.Content, again[i], first[i])
		}
	}
}

// A clock that was wrong on many days leaves none of the others out.
func testRefsManyWrongClocks(t *testing.T, f Folder) {
	s := f.Open(t)
	const year = 365 * 24 * hour
	for i := range int64(6) {
		ref := fmt.Sprint("ahead ", i)
		commit(t, s, chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x", start+(10-i)*year), ref)})
	}
	for i := range int64(3) { // hours
		ref := fmt.Sprint("now ", i)
		first := commit(t, s, chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x", start+i*hour), ref)})[0]
		again := commit(t, s, chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x", start+(i+23)*hour), ref)})[0]
		if !again.Duplicate || again.Seq != first.Seq {
			t.Errorf("%s: %+v, want a duplicate of %+v", ref, again, first)
		}
	}
	e := commit(t, s, chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x", start+25*hour), "ahead 5")})[0]
	if !e.Duplicate {
		t.Errorf("what was stored while the clock was ahead: %+v, want a duplicate", e)
	}
}

func testRefs(t *testing.T, f Folder) {
	s := f.Open(t)
	first := commit(t, s,
		chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "once", start), "r")},
		chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "other words", start), "r")},
		chat.Entry{Conversation: lobby, Message: withRef(message("u_bob", "another sender", start), "r")},
		chat.Entry{Conversation: adaBob, Message: withRef(message("u_ada", "another conversation", start), "r")},
		chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "another ref", start), "q")},
	)
	f.Close(t)
	s = f.Open(t)
	again := commit(t, s, chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "once", start+hour), "r")})
	type result struct {
		Seq, Last uint64
		ServerTS  int64
		Duplicate bool
	}
	var got []result
	for _, e := range append(first, again...) {
		got = append(got, result{e.Seq, e.Last, e.ServerTS, e.Duplicate})
	}
	want := []result{{1, 1, start, false}, {1, 1, start, true}, {2, 2, start, false}, {1, 1, start, false},
		{3, 3, start, false}, {1, 3, start, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if first[0].ID != first[1].ID || first[0].ID != again[0].ID {
		t.Errorf("ids of one message: %q, %q, %q", first[0].ID, first[1].ID, again[0].ID)
	}
	page, err := s.History(chat.HistoryQuery{Conversation: lobby, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"once", "another sender", "another ref"}, contents(page)); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// A ref holds for exactly 24 hours, whatever days these touch, and then is free.
func testRefsExpire(t *testing.T, f Folder) {
	s := f.Open(t)
	life := chat.RefLifetime.Milliseconds()
	ts := start
	seq := uint64(1)
	commit(t, s, chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x", ts), "r")})
	for range 5 {
		e := commit(t, s, chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x", ts+life-1), "r")})[0]
		if !e.Duplicate || e.Seq != seq {
			t.Fatalf("one ms before its end the ref gave %+v", e)
		}
		ts += life
		e = commit(t, s, chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x", ts), "r")})[0]
		seq++
		if e.Duplicate || e.Seq != seq {
			t.Fatalf("at its end the ref gave %+v", e)
		}
		ts += hour * 7 // so that the next ref begins at another time of day
		commit(t, s, chat.Entry{Conversation: lobby, Message: message("u_ada", "x", ts)})
		seq++
		e = commit(t, s, chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x", ts), "r")})[0]
		if !e.Duplicate || e.Seq != seq-1 {
			t.Fatalf("seven hours later the ref gave %+v", e)
		}
		ts += life
		e = commit(t, s, chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x", ts), "r")})[0]
		seq++
		if e.Duplicate || e.Seq != seq {
			t.Fatalf("after a day and seven hours the ref gave %+v", e)
		}
	}
}

// What is stored comes back byte for byte.
func testRoundTrip(t *testing.T, f Folder) {
	s := f.Open(t)
	long := make([]byte, 4096)
	for i := range long {
		long[i] = byte('a' + i%26)
	}
	stored := []*chat.Message{
		{Sender: "u_ada", SenderName: "Ada", Timestamp: "0", Content: "", Metadata: []byte("{}"), ServerTS: start},
		{Sender: "u_bob", SenderName: "Bjørn 🦉", Timestamp: "-1.50e+3", Content: "\x00\n\u2028é🦉", Metadata: []byte("{ \"a\":\t1.0 }"), ServerTS: start},
		{Sender: "u_bob", SenderName: "B", Timestamp: "1", Content: string(long[:2000]), Metadata: long, ServerTS: start},
	}
	var want []chat.Message
	var batch []chat.Entry
	for _, m := range stored {
		want = append(want, *m)
		batch = append(batch, chat.Entry{Conversation: lobby, Message: m})
	}
	commit(t, s, batch...)
	long[0] = '!' // the store keeps nothing that it was given
	want[2].Metadata = append([]byte("a"), long[1:]...)
	page, err := s.History(chat.HistoryQuery{Conversation: lobby, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var got []chat.Message
	for i, m := range page.Messages {
		if m.ID != batch[i].ID || m.Seq != batch[i].Seq {
			t.Errorf("message %d is %q, %d; want %q, %d", i, m.ID, m.Seq, batch[i].ID, batch[i].Seq)
		}
		got = append(got, m.Message)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Readers beside the writer never see a gap, nor that something has gone.
func testConcurrent(t *testing.T, f Folder) {
	s := f.Open(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			var least uint64
			for {
				select {
				case <-done:
					return
				default:
				}
				page, err := s.History(chat.HistoryQuery{Conversation: lobby, Limit: 1 << 20})
				if err != nil {
					t.Errorf("History: %v", err)
					return
				}
				for i, m := range page.Messages {
					if m.Seq != uint64(i)+1 {
						t.Errorf("message %d has seq %d", i, m.Seq)
						return
					}
				}
				if n := uint64(len(page.Messages)); n < least {
					t.Errorf("%d messages, where there were %d", n, least)
					return
				}
				tail, err := s.Last(lobby)
				if err != nil && !errors.Is(err, chat.ErrNotFound) || tail.Seq < uint64(len(page.Messages)) {
					t.Errorf("Last is %d, %v after %d messages were read", tail.Seq, err, len(page.Messages))
					return
				}
				least = tail.Seq
			}
		})
	}
	for i := range 40 {
		batch := make([]chat.Entry, 1+random.IntN(20))
		for j := range batch {
			batch[j] = chat.Entry{Conversation: lobby, Message: withRef(message("u_ada", "x", start), fmt.Sprint(i, j))}
		}
		commit(t, s, batch...)
	}
	close(done)
	readers.Wait()
}
