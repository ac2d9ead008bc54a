package storetest

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hawser-ws/hawser/chat"
)

func testLists(t *testing.T, f Folder) {
	s := f.Open(t)
	commit(t, s,
		chat.Entry{Conversation: chat.RoomConversation("b")},
		chat.Entry{Conversation: chat.RoomConversation("a"), Message: message("u_ada", "x", start)},
		chat.Entry{Conversation: chat.RoomConversation("ab")},
		chat.Entry{Conversation: chat.PrivateConversation("u_m", "u_a"), Message: message("u_a", "x", start)},
		chat.Entry{Conversation: chat.PrivateConversation("u_m", "u_z"), Message: message("u_m", "x", start)},
		chat.Entry{Conversation: chat.PrivateConversation("u_m", "u_m"), Message: message("u_m", "to myself", start)},
		chat.Entry{Conversation: chat.PrivateConversation("u_m2", "u_z"), Message: message("u_z", "x", start)},
	)
	one := chat.Tail{Seq: 1, ServerTS: start}
	a, ab, b := chat.RoomInfo{Name: "a", Tail: one}, chat.RoomInfo{Name: "ab"}, chat.RoomInfo{Name: "b"}
	for _, c := range []struct {
		after string
		limit int
		want  []chat.RoomInfo
		more  bool
	}{
		{"", 10, []chat.RoomInfo{a, ab, b}, false},
		{"", 3, []chat.RoomInfo{a, ab, b}, false},
		{"", 2, []chat.RoomInfo{a, ab}, true},
		{"a", 1, []chat.RoomInfo{ab}, true},
		{"aa", 5, []chat.RoomInfo{ab, b}, false},
		{"b", 5, nil, false},
		{"zzz", 5, nil, false},
	} {
		got, more, err := s.Rooms(c.after, c.limit)
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" || err != nil || more != c.more {
			t.Errorf("Rooms(%q, %d): more %t, %v (-want +got):\n%s", c.after, c.limit, more, err, diff)
		}
	}
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
