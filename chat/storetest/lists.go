package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hawser-ws/hawser/chat"
)

func testRooms(t *testing.T, f Folder) {
	s := f.Open(t)
	say := func(room string, ts int64) {
		commit(t, s, chat.Entry{Conversation: chat.RoomConversation(room), Message: message("u_ada", "x", ts)})
	}
	say("Garden", start+30)
	say("garage", start+20)
	say("attic", start+20)
	say("cellar", start+10)
	commit(t, s, chat.Entry{Conversation: chat.PrivateConversation("u_m", "u_a"), Message: message("u_a", "x", start+99)})
	for _, c := range []struct {
		search string
		limit  int
		want   [][]string
	}{
		{"", 10, [][]string{{"Garden", "attic", "garage", "cellar"}}},
		{"", 4, [][]string{{"Garden", "attic", "garage", "cellar"}}},
		{"", 2, [][]string{{"Garden", "attic"}, {"garage", "cellar"}}},
		{"", 1, [][]string{{"Garden"}, {"attic"}, {"garage"}, {"cellar"}}},
		{"GAR", 10, [][]string{{"Garden", "garage"}}},
		{"gar", 1, [][]string{{"Garden"}, {"garage"}}},
		{"nothing", 1, nil},
	} {
		var got [][]string
		for place, end := (chat.RoomPlace{}), false; !end; {
			rooms, next, err := s.Rooms(place, c.search, c.limit)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, r := range rooms {
				names = append(names, r.Name)
				if r.Seq != 1 {
					t.Errorf("%s ends at %d", r.Name, r.Seq)
				}
			}
			if names != nil {
				got = append(got, names)
			}
			place, end = next, next == chat.RoomPlace{}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("search %q, limit %d (-want +got):\n%s", c.search, c.limit, diff)
		}
	}
	// What is said later, earlier by the clock, and after opening again.
	say("cellar", start+40)
	say("Garden", start)
	want := []chat.RoomInfo{
		{Name: "cellar", Tail: chat.Tail{Seq: 2, ServerTS: start + 40}}, {Name: "attic", Tail: chat.Tail{Seq: 1, ServerTS: start + 20}},
		{Name: "garage", Tail: chat.Tail{Seq: 1, ServerTS: start + 20}}, {Name: "Garden", Tail: chat.Tail{Seq: 2, ServerTS: start}},
	}
	for range 2 {
		got, _, err := s.Rooms(chat.RoomPlace{}, "", 10)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		f.Close(t)
		s = f.Open(t)
	}
}

func testPeers(t *testing.T, f Folder) {
	s := f.Open(t)
	commit(t, s,
		chat.Entry{Conversation: chat.RoomConversation("a"), Message: message("u_ada", "x", start)},
		chat.Entry{Conversation: chat.PrivateConversation("u_m", "u_a"), Message: message("u_a", "x", start)},
		chat.Entry{Conversation: chat.PrivateConversation("u_m", "u_z"), Message: message("u_m", "x", start)},
		chat.Entry{Conversation: chat.PrivateConversation("u_m", "u_m"), Message: message("u_m", "to myself", start)},
		chat.Entry{Conversation: chat.PrivateConversation("u_m2", "u_z"), Message: message("u_z", "x", start)},
	)
	one := chat.Tail{Seq: 1, ServerTS: start}
	pa, pm, pz := chat.PeerState{UserID: "u_a", Tail: one}, chat.PeerState{UserID: "u_m", Tail: one}, chat.PeerState{UserID: "u_z", Tail: one}
	for _, c := range []struct {
		user, after string
		limit       int
		want        []chat.PeerState
		more        bool
	}{
		{"u_m", "", 10, []chat.PeerState{pa, pm, pz}, false},
		{"u_m", "", 2, []chat.PeerState{pa, pm}, true},
		{"u_m", "u_m", 2, []chat.PeerState{pz}, false},
		{"u_a", "", 10, []chat.PeerState{pm}, false},
		{"u_z", "", 10, []chat.PeerState{pm, {UserID: "u_m2", Tail: one}}, false},
		{"u_nobody", "", 10, nil, false},
	} {
		got, more, err := s.Peers(c.user, c.after, c.limit)
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" || err != nil || more != c.more {
			t.Errorf("Peers(%q, %q, %d): more %t, %v (-want +got):\n%s", c.user, c.after, c.limit, more, err, diff)
		}
	}
}

func testUsers(t *testing.T, f Folder) {
	s := f.Open(t)
	if _, err := s.User("u_ada"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("User of nothing: %v", err)
	}
	for _, name := range []string{"Ada", "Ada 🦉"} {
		want := chat.User{ID: "u_ada", Name: name, Created: start}
		if err := s.PutUser(want); err != nil {
			t.Fatal(err)
		}
		got, err := s.User("u_ada")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("User: %v (-want +got):\n%s", err, diff)
		}
	}
}

// Everything is there after closing and opening again, under the same epoch.
func testReopen(t *testing.T, f Folder) {
	s := f.Open(t)
	info := s.Info()
	if info.Epoch == "" || info.LastServerTS != 0 {
		t.Fatalf("a new store says %+v", info)
	}
	batch := fill(t, s, lobby, 3)
	if err := s.PutUser(chat.User{ID: "u_ada", Name: "Ada"}); err != nil {
		t.Fatal(err)
	}
	before, err := s.History(chat.HistoryQuery{Conversation: lobby, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	f.Close(t)
	s = f.Open(t)
	if diff := cmp.Diff(chat.StoreInfo{Epoch: info.Epoch, LastServerTS: batch[2].ServerTS}, s.Info()); diff != "" {
		t.Errorf("info (-want +got):\n%s", diff)
	}
	after, err := s.History(chat.HistoryQuery{Conversation: lobby, Limit: 10})
	if diff := cmp.Diff(before, after); diff != "" || err != nil {
		t.Errorf("history: %v (-before +after):\n%s", err, diff)
	}
	if got := fill(t, s, attic, 1)[0]; got.Seq != 1 || got.ID == batch[0].ID {
		t.Errorf("after reopening, a new conversation begins with %+v", got)
	}
	if _, err := s.User("u_ada"); err != nil {
		t.Errorf("User: %v", err)
	}
}
