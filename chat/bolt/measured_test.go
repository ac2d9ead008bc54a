package bolt

import (
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// A store says how large its transactions are, and what their syncs cost.
func TestFigures(t *testing.T) {
	s := mustOpen(t, t.TempDir())
	storeSome(t, s)
	figures := map[string]chat.Figure{}
	for _, f := range s.Figures() {
		figures[f.Name] = f
	}
	entries, syncs := figures["transaction_entries"].Histogram, figures["sync_seconds"].Histogram
	if entries.Count != 2 || entries.Sum != 4 || entries.UpTo[1] != 1 || entries.UpTo[4] != 2 {
		t.Errorf("transactions: %+v; want one of 1 and one of 3", entries)
	}
	if syncs.Count != 2 || syncs.Sum <= 0 {
		t.Errorf("syncs: %+v; want two that took time", syncs)
	}
	if n := figures["unindexed_changes"].Value; n != 3 {
		t.Errorf("%v changes are not in the index; want 3", n)
	}
}

// storeSome stores a user, and then three messages at once.
func storeSome(t *testing.T, s *Store) {
	t.Helper()
	if err := s.PutUser(t.Context(), chat.User{ID: "u_ada", Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	var entries []chat.Entry
	for range 3 {
		entries = append(entries, chat.Entry{Conversation: chat.RoomConversation("lobby"), Message: &chat.Message{Sender: "u_ada", SenderName: "Ada", Timestamp: "1", Content: "x", Metadata: []byte("{}")}})
	}
	s.Append(t.Context(), entries, func(_ int, r chat.Result) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	})
}
