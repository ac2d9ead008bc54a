package enginetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hawser-ws/hawser/chat"
)

// rooms lists the rooms of a user in pages of two.
func (h *house) rooms(userID string) (rooms []string) {
	h.Helper()
	after := ""
	for more := true; more; {
		var page []chat.Membership
		var err error
		if page, more, err = h.Members.RoomsOf(ctx, userID, after, 2); err != nil {
			h.Fatal(err)
		}
		if more != (len(page) == 2) && more {
			h.Fatalf("RoomsOf(%q) says more after %d", userID, len(page))
		}
		for _, m := range page {
			if m.UserID != userID || m.Since < start.UnixMilli() {
				h.Errorf("RoomsOf(%q): %+v", userID, m)
			}
			rooms, after = append(rooms, m.Room), m.Room
		}
	}
	return rooms
}

func (h *house) change(changed bool, err error) func(want bool) {
	return func(want bool) {
		h.Helper()
		if changed != want || err != nil {
			h.Errorf("changed %t, %v; want %t", changed, err, want)
		}
	}
}

func (h *house) wantRooms(userID string, want ...string) {
	h.Helper()
	if diff := cmp.Diff(want, h.rooms(userID), cmpopts.EquateEmpty()); diff != "" {
		h.Errorf("rooms of %s (-want +got):\n%s", userID, diff)
	}
}

func testMembers(h *house) {
	h.put(chat.User{ID: "u_ada", Name: "Ada"}, chat.User{ID: "u_bob", Name: "Bob"})
	e := newEar()
	n := h.Broker.Attach(e)
	defer func() { n.Detach() }()
	if _, err := n.Connect(ctx, "u_ada"); err != nil {
		h.Fatal(err)
	}
	h.wantRooms("u_ada")
	for _, room := range []string{"b", "a", "c", "B", "a.b"} {
		h.change(h.Members.Join(ctx, room, "u_ada"))(true)
	}
	h.change(h.Members.Join(ctx, "a", "u_ada"))(false)
	h.change(h.Members.Join(ctx, "a", "u_bob"))(true)
	h.change(h.Members.Leave(ctx, "c", "u_ada"))(true)
	h.change(h.Members.Leave(ctx, "c", "u_ada"))(false)
	h.change(h.Members.Leave(ctx, "a", "u_nobody"))(false)
	h.await("word of it", func() bool { return e.noticed("u_ada", `u_ada in "c": false`, `u_ada in "": false`) })
	for range 2 {
		h.wantRooms("u_ada", "B", "a", "a.b", "b")
		h.wantRooms("u_bob", "a")
		h.wantRooms("u_a")
		for room, want := range map[string]bool{"a": true, "b": true, "c": false, "nothing": false} {
			if is, err := h.Members.IsMember(ctx, room, "u_ada"); is != want || err != nil {
				h.Errorf("IsMember(%q): %t, %v", room, is, err)
			}
		}
		for after, want := range map[string]string{"": "[u_ada] true", "u_ada": "[u_bob] false", "u_bob": "[] false"} {
			page, more, err := h.Members.MembersOf(ctx, "a", after, 1)
			var ids []string
			for _, m := range page {
				ids = append(ids, m.UserID)
			}
			if got := fmt.Sprint(ids, " ", more); got != want || err != nil {
				h.Errorf("MembersOf after %q: %s, %v; want %s", after, got, err, want)
			}
		}
		if h.place.Durable() {
			n.Detach()
		}
		if !h.reopen() {
			break
		}
		n = h.Broker.Attach(e)
	}
}

// key is the hash of a session's key.
func key(b byte) (k chat.KeyHash) {
	k[0] = b
	return k
}

func (h *house) begin(s chat.Session) {
	h.Helper()
	if err := h.Sessions.Begin(ctx, s); err != nil {
		h.Fatal(err)
	}
}

func (h *house) resume(id string, k, next chat.KeyHash) (chat.Session, error) {
	return h.Sessions.Resume(ctx, id, k, next, chat.Origin{Address: "192.0.2.7", Device: "phone"})
}

func (h *house) wantRefused(id string, k chat.KeyHash) {
	h.Helper()
	if s, err := h.resume(id, k, key(99)); !errors.Is(err, chat.ErrSessionRefused) {
		h.Errorf("resuming %s: %+v, %v; want ErrSessionRefused", id, s, err)
	}
}

func (h *house) wantSessions(userID string, want ...chat.Session) {
	h.Helper()
	got, err := h.Sessions.List(ctx, userID)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		h.Errorf("List(%q): %v (-want +got):\n%s", userID, err, diff)
	}
}

func testSessions(h *house) {
	laptop := chat.Session{ID: "s_1", UserID: "u_ada", Key: key(1), Features: []string{"ack", "presence"}, From: chat.Origin{Address: "192.0.2.1", Device: "laptop"}, Began: start.UnixMilli()}
	h.begin(laptop)
	h.clock.Pass(time.Second)
	watch := chat.Session{ID: "s_2", UserID: "u_ada", Key: key(2), Began: start.UnixMilli() + 1000}
	h.begin(watch)
	h.begin(chat.Session{ID: "s_3", UserID: "u_bob", Key: key(3), Began: start.UnixMilli()})
	laptop.Open, laptop.Seen, watch.Open, watch.Seen = 1, start.UnixMilli(), 1, start.UnixMilli()+1000
	h.wantSessions("u_ada", watch, laptop)

	h.wantRefused("s_1", key(2))
	h.wantRefused("s_4", key(1))
	h.wantRefused("s_1", chat.KeyHash{})
	h.clock.Pass(time.Second)
	got, err := h.resume("s_1", key(1), key(11))
	laptop.Key, laptop.Open, laptop.Seen, laptop.From = key(11), 2, start.UnixMilli()+2000, chat.Origin{Address: "192.0.2.7", Device: "phone"}
	if diff := cmp.Diff(laptop, got); diff != "" || err != nil {
		h.Errorf("resumed %v (-want +got):\n%s", err, diff)
	}
	// The answer was lost: the key before is still good, until the new one is used.
	if _, err := h.resume("s_1", key(1), key(12)); err != nil {
		h.Error(err)
	}
	h.wantRefused("s_1", key(11))
	if _, err := h.resume("s_1", key(12), key(13)); err != nil {
		h.Error(err)
	}
	h.wantRefused("s_1", key(1))
	for range 4 {
		h.Sessions.Release("s_1")
	}
	h.Sessions.Release("s_1") // one too many
	h.clock.Pass(time.Second)
	h.Sessions.Release("s_2")
	laptop.Key, laptop.Open = key(13), 0
	watch.Open, watch.Seen = 0, start.UnixMilli()+3000
	h.wantSessions("u_ada", watch, laptop)
	if h.reopen() {
		h.wantSessions("u_ada", watch, laptop)
		h.wantRefused("s_1", key(11))
		if _, err := h.resume("s_1", key(13), key(14)); err != nil {
			h.Error(err)
		}
		h.Sessions.Release("s_1")
	}

	for _, c := range []struct {
		user, id string
		want     int
	}{{"u_bob", "s_1", 0}, {"u_ada", "s_9", 0}, {"u_ada", "s_1", 1}, {"u_ada", "s_1", 0}, {"u_ada", "", 1}, {"u_ada", "", 0}} {
		if n, err := h.Sessions.End(ctx, c.user, c.id, chat.LoggedOut); n != c.want || err != nil {
			h.Errorf("End(%q, %q) ended %d, %v; want %d", c.user, c.id, n, err, c.want)
		}
	}
	for range 2 {
		h.wantSessions("u_ada")
		h.wantRefused("s_2", key(2))
		if got, err := h.Sessions.List(ctx, "u_bob"); len(got) != 1 || err != nil {
			h.Errorf("sessions of u_bob: %+v, %v", got, err)
		}
		if !h.reopen() {
			break
		}
	}
}

func testSessionsExpire(h *house) {
	short := start.Add(10 * time.Minute).UnixMilli()
	h.begin(chat.Session{ID: "s_idle", UserID: "u_ada", Key: key(1), Began: start.UnixMilli()})
	h.begin(chat.Session{ID: "s_used", UserID: "u_ada", Key: key(2), Began: start.UnixMilli()})
	h.begin(chat.Session{ID: "s_open", UserID: "u_ada", Key: key(3), Began: start.UnixMilli()})
	h.begin(chat.Session{ID: "s_short", UserID: "u_bob", Key: key(4), Began: start.UnixMilli(), Expires: short})
	h.Sessions.Release("s_idle")
	h.Sessions.Release("s_used")
	h.clock.Pass(11 * time.Minute)
	h.wantRefused("s_short", key(4)) // although it has a connection
	h.wantSessions("u_bob")
	h.clock.Pass(18 * time.Minute)
	if _, err := h.resume("s_used", key(2), key(5)); err != nil {
		h.Error(err)
	}
	h.Sessions.Release("s_used")
	h.clock.Pass(2 * time.Minute)
	h.wantRefused("s_idle", key(1))
	left, err := h.Sessions.List(ctx, "u_ada")
	if len(left) != 2 || err != nil {
		h.Errorf("left are %+v, %v", left, err)
	}
	if !h.reopen() {
		return
	}
	// The connections of a process that is gone do not count.
	h.clock.Pass(31 * time.Minute)
	h.wantRefused("s_open", key(3))
	h.wantSessions("u_ada")
}

// The memberships of guests end with their last session, and only those.
func testGuests(h *house) {
	h.put(chat.User{ID: "u_ada", Name: "Ada"}, chat.User{ID: "u_bob", Name: "Bob", Guest: true}, chat.User{ID: "u_eve", Name: "Eve", Guest: true})
	for i, user := range []string{"u_ada", "u_bob", "u_bob", "u_eve"} {
		h.begin(chat.Session{ID: fmt.Sprint("s_", i), UserID: user, Key: key(byte(i + 1)), Began: start.UnixMilli()})
		h.Members.Join(ctx, fmt.Sprint("room-", i), user)
	}
	h.Sessions.Release("s_0")
	h.Sessions.Release("s_1")
	h.reopen()
	h.clock.Pass(chat.SessionLife - time.Minute)
	if _, err := h.resume("s_1", key(2), key(9)); err != nil {
		h.Error(err)
	}
	h.clock.Pass(2 * time.Minute)
	h.wantRefused("s_0", key(1)) // which is when an engine notices, without waiting
	h.wantRooms("u_ada", "room-0")
	h.wantRooms("u_bob", "room-1", "room-2")
	if _, err := h.Sessions.End(ctx, "u_bob", "", chat.LoggedOut); err != nil {
		h.Error(err)
	}
	if _, err := h.Sessions.End(ctx, "u_eve", "s_3", chat.LoggedOut); err != nil {
		h.Error(err)
	}
	for range 2 {
		h.wantRooms("u_ada", "room-0")
		h.wantRooms("u_bob")
		h.wantRooms("u_eve")
		h.reopen()
	}
}

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
