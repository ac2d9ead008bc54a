package bolt

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// reopened is a store in which some messages are not in the index yet, and whose committer
// has nothing to do.
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

// Where both are damaged, what came before is read, and nothing is written, not even in a room
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
