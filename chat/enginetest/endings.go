package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hawser-ws/hawser/chat"
)

// Who logs out, is banned or is deleted is told about at every node.
func testEndings(h *house) {
	h.put(chat.User{ID: "u_ada", Name: "Ada"}, chat.User{ID: "u_bob", Name: "Bob"})
	here, there, elsewhere := newEar(), newEar(), newEar()
	for e, users := range map[*ear][]string{here: {"u_ada"}, there: {"u_ada", "u_bob"}, elsewhere: {}} {
		n := h.Broker.Attach(e)
		defer n.Detach()
		for _, user := range users {
			if _, err := n.Connect(ctx, user); err != nil {
				h.Fatal(err)
			}
		}
	}
	begin := func(id, user string) {
		h.begin(chat.Session{ID: id, UserID: user, Key: key(1), Began: start.UnixMilli()})
	}
	told := func(user, notice string, ears ...*ear) {
		h.Helper()
		for _, e := range ears {
			h.await(notice, func() bool { return e.noticed(user, notice) })
		}
	}
	begin("s_1", "u_ada")
	begin("s_2", "u_bob")
	h.Sessions.End(ctx, "u_ada", "s_1", chat.LoggedOut)
	told("u_ada", `u_ada "s_1" logged out`, here, there)

	begin("s_3", "u_ada")
	if err := h.Bans.Ban(ctx, "u_ada", "spam"); err != nil {
		h.Fatal(err)
	}
	told("u_ada", `u_ada "" banned`, here, there)
	h.wantRefused("s_3", key(1))
	for range 2 {
		if reason, err := h.Bans.Banned(ctx, "u_ada"); reason != "spam" || err != nil {
			h.Errorf("banned for %q, %v", reason, err)
		}
		if reason, err := h.Bans.Banned(ctx, "u_bob"); reason != "" || err != nil {
			h.Errorf("u_bob is banned for %q, %v", reason, err)
		}
	}
	if err := h.Bans.Ban(ctx, "u_ada", ""); err != nil {
		h.Error(err)
	}
	if reason, err := h.Bans.Banned(ctx, "u_ada"); reason != "" || err != nil {
		h.Errorf("banned for %q, %v, after the ban was lifted", reason, err)
	}

	h.Members.Join(ctx, "lobby", "u_bob")
	for range 2 { // the second time there is nobody
		if err := h.Directory.DeleteUser(ctx, "u_bob"); err != nil {
			h.Error(err)
		}
	}
	told("u_bob", `u_bob "" deleted`, there)
	h.wantRefused("s_2", key(1))
	h.wantRooms("u_bob")
	if u, err := h.Directory.User(ctx, "u_bob"); !errors.Is(err, chat.ErrNotFound) {
		h.Errorf("the deleted user is %+v, %v", u, err)
	}
	if err := h.Health.Healthy(); err != nil {
		h.Error(err)
	}
}

// A ban ends all sessions, holds when the engine is opened again, and can be lifted.
func testBans(h *house) {
	h.put(chat.User{ID: "u_ada", Name: "Ada", Guest: true}, chat.User{ID: "u_bob", Name: "Bob"})
	for i, user := range []string{"u_ada", "u_ada", "u_bob"} {
		h.begin(chat.Session{ID: fmt.Sprint("s_", i), UserID: user, Key: key(1), Began: start.UnixMilli()})
	}
	h.change(h.Members.Join(ctx, "lobby", "u_ada"))(true)
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := h.Bans.Ban(over, "u_bob", "spam"); err != nil {
		h.banned("u_bob", "", "spam")
		h.ban("u_bob", "")
	}
	for _, reason := range []string{"spam", "more spam"} {
		h.ban("u_ada", reason)
		h.ban("u_nobody", reason)
		for range 2 {
			h.banned("u_ada", reason)
			h.banned("u_nobody", reason)
			h.banned("u_bob", "")
			h.wantSessions("u_ada")
			h.wantRefused("s_1", key(1))
			h.await("the end of a guest's memberships", func() bool { return len(h.rooms("u_ada")) == 0 })
			h.reopen()
		}
	}
	h.ban("u_nobody", "")
	h.ban("u_nobody", "") // once more than there is
	for range 2 {
		h.banned("u_ada", "more spam")
		h.banned("u_nobody", "")
		h.reopen()
	}
}

func (h *house) ban(userID, reason string) {
	h.Helper()
	if err := h.Bans.Ban(ctx, userID, reason); err != nil {
		h.Errorf("Ban(%q, %q): %v", userID, reason, err)
	}
}

// banned fails unless the reason for which a user is banned is one of these.
func (h *house) banned(userID string, want ...string) {
	h.Helper()
	if reason, err := h.Bans.Banned(ctx, userID); !slices.Contains(want, reason) || err != nil {
		h.Errorf("%s is banned for %q, %v; want %q", userID, reason, err, want)
	}
}

// A user who was deleted is gone for good, with memberships and sessions, and somebody else may
// have a name that looks like theirs. What they said stays.
func testDeleted(h *house) {
	h.put(chat.User{ID: "u_bob", Name: "Paul"})
	for i := range 5 {
		h.change(h.Members.Join(ctx, fmt.Sprint("room-", i), "u_bob"))(true)
	}
	h.change(h.Members.Join(ctx, "room-3", "u_ada"))(true)
	h.begin(chat.Session{ID: "s_1", UserID: "u_bob", Key: key(1), Began: start.UnixMilli()})
	h.say(lobby, "u_bob", "hello")
	h.reopen()
	if err := h.Directory.PutUser(ctx, chat.User{ID: "u_eve", Name: "PauI"}); !errors.Is(err, chat.ErrNameTaken) {
		h.Errorf("a name that looks the same: %v", err)
	}
	over, cancel := context.WithCancel(ctx)
	cancel()
	if err := h.Directory.DeleteUser(over, "u_bob"); err == nil {
		h.Error("a user is deleted in no time")
	} else if _, err := h.Directory.User(ctx, "u_bob"); err != nil {
		h.Error(err)
	}
	if err := h.Directory.DeleteUser(ctx, "u_bob"); err != nil {
		h.Fatal(err)
	}
	for range 2 {
		if u, err := h.Directory.User(ctx, "u_bob"); !errors.Is(err, chat.ErrNotFound) {
			h.Errorf("the deleted user is %+v, %v", u, err)
		}
		h.wantRooms("u_bob")
		h.wantMembers("room-1")
		h.wantMembers("room-3", "u_ada")
		h.wantSessions("u_bob")
		h.wantRefused("s_1", key(1))
		if page, err := h.Log.History(ctx, chat.HistoryQuery{Conversation: lobby, Limit: 10}); len(page.Messages) != 1 || err != nil {
			h.Errorf("%+v, %v", page, err)
		}
		h.reopen()
	}
	h.put(chat.User{ID: "u_eve", Name: "PauI"}, chat.User{ID: "u_bob", Name: "Bob"})
	h.wantRooms("u_bob")
}
