package enginetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/hawser-ws/hawser/chat"
)

// Every node is told of a user who logs out, is banned or is deleted.
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
	h.ban(chat.Ban{UserID: "u_ada", Reason: "spam"})
	told("u_ada", `u_ada "" banned`, here, there)
	h.wantRefused("s_3", key(1))
	for _, e := range []*ear{here, there, elsewhere} {
		h.await("the ban", func() bool { return e.hasHeardOf("u_ada for spam") })
	}
	h.banned("u_ada", "spam")
	h.banned("u_bob", "")
	h.unban("u_ada", true)
	h.banned("u_ada", "")

	h.Members.Join(ctx, "lobby", "u_bob")
	for range 2 { // the second time there is no such user
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

// A deleted user is gone for good, with memberships and sessions, and another user may have a
// name that looks like theirs. Their messages stay.
func testDeleted(h *house) {
	h.put(chat.User{ID: "u_bob", Name: "Paul"}, chat.User{ID: "u_ada", Name: "Ada"})
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
