package bolt

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// reopened is a store in which some messages are not in the index yet, and whose committer is
// idle.
func reopened(t *testing.T) (s *Store, want []string) {
	t.Helper()
	s = mustOpen(t, t.TempDir())
	for i := range 70 {
		want = append(want, fmt.Sprint(i))
		if err := commit(s, []chat.Entry{{Conversation: lobby, Message: message(want[i], want[i])}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, filepath.Dir(s.path)), want
}

// A batch whose list is damaged is read from the log itself, and a message that is damaged
// before it is in the index is known to be missing.
func TestDamagedBeforeCheckpoint(t *testing.T) {
	s, want := reopened(t)
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	spoil(t, s.path, bucketBatches, numberKey(11)) // the first record says that the lobby was made
	spoil(t, s.path, bucketLog, numberKey(31))
	spoil(t, s.path, bucketLog, numberKey(71))
	again := mustOpen(t, filepath.Dir(s.path))
	whole := slices.Delete(slices.Clone(want), 29, 30)
	if got := contents(t, again); !slices.Equal(got, whole[:len(whole)-1]) {
		t.Errorf("%q", got)
	}
	page, err := again.History(bg, chat.HistoryQuery{Conversation: lobby, Limit: 100})
	if fmt.Sprint(page.Damaged) != "[30 70]" || err != nil {
		t.Errorf("damaged: %v, %v", page.Damaged, err)
	}
	if e, err := say(again, "more"); err != nil || e.Seq != 71 {
		t.Errorf("%+v, %v", e, err)
	}
}

// If both are damaged, earlier messages are read, and nothing is written, not even in a room
// that seems to be new.
func TestDamagedTwiceBeforeCheckpoint(t *testing.T) {
	s, want := reopened(t)
	if err := commit(s, []chat.Entry{{Conversation: "r:attic", Message: message("x", "")}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(bg); err != nil {
		t.Fatal(err)
	}
	spoil(t, s.path, bucketBatches, numberKey(31))
	spoil(t, s.path, bucketLog, numberKey(31))
	again := mustOpen(t, filepath.Dir(s.path))
	if got := contents(t, again); !slices.Equal(got, want[:29]) {
		t.Errorf("%q", got)
	}
	if again.Broken() == nil || again.Healthy() == nil || again.Damaged() == 0 {
		t.Errorf("%v, %v, %d damaged", again.Broken(), again.Healthy(), again.Damaged())
	}
	if page, err := again.History(bg, chat.HistoryQuery{Conversation: "r:attic", Limit: 1}); err == nil {
		t.Errorf("a room that is lost: %+v", page)
	}
	if _, err := say(again, "more"); err == nil {
		t.Error("written to")
	}
	if rooms, _, err := again.Rooms(bg, chat.RoomPlace{}, "", 10); len(rooms) != 1 || err != nil {
		t.Errorf("%v, %v", rooms, err)
	}
}

// A crash between any two pieces of a checkpoint, with messages and memberships between them,
// changes nothing.
func TestCrashBetweenPieces(t *testing.T) {
	s, err := Open(t.TempDir(), Options{Log: quiet.Log, piece: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(bg)
	said := 0
	talk := func() {
		var entries []chat.Entry
		for i := range 11 {
			said++
			entries = append(entries, chat.Entry{Conversation: chat.RoomConversation(fmt.Sprint(i)), Message: message(fmt.Sprint(said), fmt.Sprint("ref", said))})
			mustJoin(t, s, fmt.Sprint(said), "u_ada")
			if changed, err := s.members.Leave(bg, fmt.Sprint(said-60), "u_ada"); changed != (said > 60) || err != nil {
				t.Fatal(changed, err)
			}
		}
		entries = append(entries, chat.Entry{Conversation: chat.RoomConversation(fmt.Sprint("new-", said)), Message: message("new", "")})
		if err := commit(s, entries); err != nil {
			t.Fatal(err)
		}
		awaitCheckpoint(t, s)
	}
	const bobs = 30
	for i := range bobs {
		mustJoin(t, s, fmt.Sprint("bob's ", i+1), "u_bob")
	}
	for range 12 {
		talk()
	}
	left := 0
	// The test decides when the pieces are done.
	var indexing *checkpoint
	var placing *placing
	committer := func(f func()) {
		if err := s.run(bg, &job{then: func() {
			s.indexing, s.placing = indexing, placing
			f()
			indexing, placing, s.indexing, s.placing = s.indexing, s.placing, nil, nil
		}}, 0); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 2 {
		committer(func() { s.beginCheckpoint(); s.beginPlacing() })
		pieces := 0
		for ; indexing != nil || placing != nil; pieces++ {
			committer(func() {
				if s.indexing != nil {
					s.index(s.indexing)
				}
				if s.placing != nil {
					if left++; left <= bobs { // the latest changes are taken out of memory with it
						if changed, err := s.members.Leave(bg, fmt.Sprint("bob's ", left), "u_bob"); !changed || err != nil {
							t.Error(changed, err)
						}
					}
					s.place(s.placing)
				}
			})
			if pieces < 10 || pieces%6 == 0 {
				compareCopy(t, s, said)
			}
			if pieces%2 == round && pieces < 6 {
				talk()
				compareCopy(t, s, said)
			}
		}
		if pieces < 8 || s.changes > 12*6 {
			t.Errorf("%d pieces, and %d changes in memory", pieces, s.changes)
		}
	}
	talk()
	committer(func() { s.checkpointAt, s.membersAt = 1, 1 }) // whatever is left
	awaitCheckpoint(t, s)
	compareCopy(t, s, said)
	if n, _ := s.members.fresh(); s.changes+n+records(t, s, bucketBatches)+records(t, s, bucketJoins) != 0 {
		t.Errorf("%d changes and %d memberships in memory; %d batches, %d joins", s.changes, n, records(t, s, bucketBatches), records(t, s, bucketJoins))
	}
}

// compareCopy opens a copy of a store, as after a crash, and compares it with the store.
func compareCopy(t *testing.T, s *Store, said int) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	if err := os.Rename(copyOf(t, s), path); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(bg, path); err != nil {
		t.Fatal(err)
	}
	again, err := Open(dir, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close(bg)
	again.filters.Wait()
	if again.epoch != s.epoch || again.Broken() != nil || again.Damaged() != 0 || again.changes > s.changes+600 {
		t.Fatalf("epoch %s for %s, %v, %d damaged, %d changes", again.epoch, s.epoch, again.Broken(), again.Damaged(), again.changes)
	}
	rooms, _, _ := s.Rooms(bg, chat.RoomPlace{}, "", 1000)
	copied, _, err := again.Rooms(bg, chat.RoomPlace{}, "", 1000)
	if !slices.Equal(rooms, copied) || err != nil {
		t.Fatalf("rooms: %v, %v; want %v", copied, err, rooms)
	}
	for _, r := range rooms {
		q := chat.HistoryQuery{Conversation: chat.RoomConversation(r.Name), Limit: 1000}
		want, err := s.History(bg, q)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := again.History(bg, q); !reflect.DeepEqual(got, want) || err != nil {
			t.Fatalf("%s: %+v, %v; want %+v", r.Name, got, err, want)
		}
	}
	for _, user := range []string{"u_ada", "u_bob"} {
		if got, want := roomsOf(t, again, user), roomsOf(t, s, user); !slices.Equal(got, want) {
			t.Fatalf("rooms of %s: %v; want %v", user, got, want)
		}
	}
	var entries []chat.Entry
	for i := range said {
		entries = append(entries, chat.Entry{Conversation: chat.RoomConversation(fmt.Sprint(i % 11)), Message: message("again", fmt.Sprint("ref", i+1))})
	}
	rs, err := results(again, entries)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rs {
		if !r.Duplicate {
			t.Fatalf("message %d is stored again", i+1)
		}
	}
	e, err := results(again, []chat.Entry{{Conversation: "r:0", Message: message("next", "")}})
	if tail, _ := s.Tail(bg, "r:0"); err != nil || e[0].Change.Seq != tail.Seq+1 {
		t.Fatalf("the next one: %+v, %v", e, err)
	}
}
