package bolt

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

func newestOf(t *testing.T, s *Store, name chat.Conversation, limit int) chat.Page {
	t.Helper()
	page, err := s.History(bg, chat.HistoryQuery{Conversation: name, Newest: true, Limit: limit})
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// Answers from memory equal those from disk, for any query, and while more messages arrive. The
// caller may modify them.
func TestLatestAsOnDisk(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	said := 0
	talk := func(n int) {
		var entries []chat.Entry
		for range n {
			said++
			m := message(fmt.Sprint(said), fmt.Sprint("ref", said))
			if m.Metadata = []byte(`{"n":1}`); said%3 == 0 {
				m.Metadata = nil
			}
			entries = append(entries, chat.Entry{Conversation: lobby, Message: m})
		}
		if err := commit(s, append(entries, entries[0])); err != nil { // the last one is a duplicate
			t.Fatal(err)
		}
	}
	disk := newLatest() // an empty one
	talk(40)
	hits := 0
	for round := range 60 {
		for _, q := range []chat.HistoryQuery{
			{Limit: 50}, {Limit: 1}, {Limit: 7, AfterSeq: uint64(said) - 5}, {Limit: 5, AfterSeq: uint64(said) - 5}, {Limit: 3, AfterSeq: uint64(said)},
			{Limit: 3, AfterSeq: uint64(said) + 9}, {Limit: 10, BeforeSeq: uint64(said) - 3}, {Limit: 10, BeforeSeq: 4}, {Limit: 10, BeforeSeq: 1},
			{Limit: 10, BeforeSeq: uint64(said) + 5, AfterSeq: uint64(said) - 20}, {Limit: 200}, {Limit: 10, Since: 1},
		} {
			q.Conversation, q.Newest = lobby, true
			if _, ok := s.latest.page(&q, s.epoch); ok {
				hits++
			}
			got, err := s.History(bg, q)
			if err != nil {
				t.Fatal(err)
			}
			latest := s.latest
			s.latest = disk
			want, err := s.History(bg, q)
			s.latest = latest
			disk.mu.Lock()
			clear(disk.of)
			disk.mu.Unlock()
			if err != nil || got.More != want.More || got.Epoch != want.Epoch || len(got.Messages)+len(want.Messages) > 0 && !reflect.DeepEqual(got.Messages, want.Messages) {
				t.Fatalf("round %d, %+v: %+v; want %+v, %v", round, q, got, want, err)
			}
			for i := range got.Messages {
				got.Messages[i].Content = "changed"
				for j := range got.Messages[i].Metadata {
					got.Messages[i].Metadata[j] = 'x'
				}
			}
		}
		talk(1 + round%12)
	}
	if hits < 300 {
		t.Errorf("%d answers from memory", hits)
	}
}

// The memory has a bound, and contains the most recently read conversations.
func TestLatestBound(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	s.latest.limit = 64 << 10
	rooms := make([]chat.Conversation, 20)
	for i := range rooms {
		rooms[i] = chat.RoomConversation(fmt.Sprint(i))
		var entries []chat.Entry
		for range 10 {
			entries = append(entries, chat.Entry{Conversation: rooms[i], Message: message(strings.Repeat("x", 1000), "")})
		}
		if err := commit(s, entries); err != nil {
			t.Fatal(err)
		}
		newestOf(t, s, rooms[i], 10)
		newestOf(t, s, rooms[0], 10)
	}
	if n := len(s.latest.of); n < 3 || n > 6 || s.latest.bytes > s.latest.limit || !s.latest.has(rooms[0]) || !s.latest.has(rooms[19]) || s.latest.has(rooms[1]) {
		t.Errorf("%d rooms in %d bytes", n, s.latest.bytes)
	}
	for range 300 { // and one room with many messages
		if err := commit(s, []chat.Entry{{Conversation: rooms[0], Message: message("short", "")}}); err != nil {
			t.Fatal(err)
		}
	}
	if page := newestOf(t, s, rooms[0], 200); len(page.Messages) != 200 {
		t.Errorf("%d messages", len(page.Messages))
	}
	total := 0
	for e := s.latest.used.Front(); e != nil; e = e.Next() {
		m, size := e.Value.(*latestMessages), 0
		for i := range m.messages {
			size += sizeOf(&m.messages[i])
		}
		if size != m.bytes || len(m.messages) > maxLatestOf+latestSpare {
			t.Errorf("%s: %d messages, %d bytes for %d", m.name, len(m.messages), m.bytes, size)
		}
		total += size
	}
	if total != s.latest.bytes {
		t.Errorf("%d bytes for %d", s.latest.bytes, total)
	}
}

// A caller that was told that a message is stored finds it, and no other is missing, however
// many read and write at once.
func TestLatestConcurrent(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Log: quiet.Log, every: 20, piece: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(bg)
	s.db.NoSync = true
	s.latest.limit = 20_000 // a few rooms of six
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 150 {
				room := chat.RoomConversation(fmt.Sprint((i*7 + w) % 6))
				rs, err := results(s, []chat.Entry{{Conversation: room, Message: message(fmt.Sprint(w, i), "")}})
				if err != nil {
					t.Error(err)
					return
				}
				page, err := s.History(bg, chat.HistoryQuery{Conversation: room, Newest: true, Limit: 60})
				if err != nil {
					t.Error(err)
					return
				}
				found := false
				for k, m := range page.Messages {
					found = found || m.ID == rs[0].Change.ID && m.Content == fmt.Sprint(w, i)
					if m.Seq != page.Messages[0].Seq+uint64(k) {
						t.Errorf("%s: message %d after %d others from %d on", room, m.Seq, k, page.Messages[0].Seq)
					}
				}
				if !found {
					t.Errorf("%s: message %d is not among the last %d", room, rs[0].Change.Seq, len(page.Messages))
				}
				if tail, _ := s.Tail(bg, room); page.Messages[len(page.Messages)-1].Seq > tail.Seq {
					t.Errorf("%s: it ends at %d, and has message %d", room, tail.Seq, page.Messages[len(page.Messages)-1].Seq)
				}
			}
		})
	}
	all.Wait()
}

func BenchmarkNewest(b *testing.B) {
	s, err := Open(b.TempDir(), Options{Log: quiet.Log})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close(bg)
	var entries []chat.Entry
	for range 200 {
		entries = append(entries, chat.Entry{Conversation: lobby, Message: message(strings.Repeat("x", 128), "")})
	}
	if err := commit(s, entries); err != nil {
		b.Fatal(err)
	}
	q := chat.HistoryQuery{Conversation: lobby, Newest: true, Limit: 50}
	b.Run("memory", func(b *testing.B) {
		for b.Loop() {
			s.History(bg, q)
		}
	})
	b.Run("disk", func(b *testing.B) {
		s.latest = newLatest()
		s.latest.limit = 0
		for b.Loop() {
			s.History(bg, q)
		}
	})
}
