package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hawser-ws/hawser/chat"
)

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
	laptop := chat.Session{ID: "s_1", UserID: "u_ada", Role: "bot", Key: key(1), Features: []string{"ack", "presence"}, From: chat.Origin{Address: "192.0.2.1", Device: "laptop"}, Began: start.UnixMilli()}
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
	// The answer was lost: the previous key is still valid, until the new one is used.
	if _, err := h.resume("s_1", key(1), key(12)); err != nil {
		h.Error(err)
	}
	if _, err := h.resume("s_1", key(12), key(13)); err != nil {
		h.Error(err)
	}
	h.wantRefused("s_1", key(11)) // which may have been valid until another one was used
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

// A guest who begins a session while the last one expires or is ended keeps the memberships begun
// in the new one.
func testGuestsReturn(h *house) {
	h.put(chat.User{ID: "u_bob", Name: "Bob", Guest: true})
	begin := func(id string, k byte) {
		h.begin(chat.Session{ID: id, UserID: "u_bob", Key: key(k), Began: start.UnixMilli()})
	}
	begin("s_0", 1)
	for i := range 20 {
		last, next, room := fmt.Sprint("s_", i), fmt.Sprint("s_", i+1), fmt.Sprint("room-", i)
		expires := i%2 == 0
		if expires {
			h.Sessions.Release(last)
			h.clock.Pass(chat.SessionLife + time.Minute)
		}
		over := make(chan error)
		go func() {
			if expires {
				h.resume(last, key(1), key(1)) // which is when an engine notices
				over <- nil
				return
			}
			_, err := h.Sessions.End(ctx, "u_bob", last, chat.LoggedOut)
			over <- err
		}()
		begin(next, 1)
		h.change(h.Members.Join(ctx, room, "u_bob"))(true)
		if err := <-over; err != nil {
			h.Fatal(err)
		}
		h.wantRefused(last, key(1))
		if is, err := h.Members.IsMember(ctx, room, "u_bob"); !is || err != nil {
			h.Fatalf("what was joined in session %d: %t, %v", i+1, is, err)
		}
	}
	if _, err := h.Sessions.End(ctx, "u_bob", "", chat.LoggedOut); err != nil {
		h.Error(err)
	}
	h.wantRooms("u_bob")
}

// Concurrent joins of a guest without a session, or of a user who is being deleted, end with
// their other memberships, or have no effect.
func testJoinAfterEnd(h *house) {
	refused := func(user string) {
		h.Helper()
		if changed, err := h.Members.Join(ctx, "lobby", user); changed || !errors.Is(err, chat.ErrNotFound) {
			h.Errorf("%s joins: %t, %v", user, changed, err)
		}
		h.wantMembers("lobby")
	}
	refused("u_nobody")
	for i := range 20 {
		guest, deleted := fmt.Sprint("u_g", i), fmt.Sprint("u_d", i)
		h.put(chat.User{ID: guest, Name: "Guest", Guest: true}, chat.User{ID: deleted, Name: "Name"})
		refused(guest)
		h.begin(chat.Session{ID: guest, UserID: guest, Key: key(1), Began: start.UnixMilli()})
		var all sync.WaitGroup
		for n := range 4 {
			all.Go(func() {
				for _, user := range []string{guest, deleted} {
					if _, err := h.Members.Join(ctx, fmt.Sprint("room-", n), user); err != nil && !errors.Is(err, chat.ErrNotFound) {
						h.Error(err)
					}
				}
			})
		}
		all.Go(func() {
			if _, err := h.Sessions.End(ctx, guest, guest, chat.LoggedOut); err != nil {
				h.Error(err)
			}
		})
		all.Go(func() {
			if err := h.Directory.DeleteUser(ctx, deleted); err != nil {
				h.Error(err)
			}
		})
		all.Wait()
		h.wantRooms(guest)
		h.wantRooms(deleted)
		refused(guest)
		refused(deleted)
	}
}

// A user who was a guest and no longer is one stays a member.
func testGuestsRegister(h *house) {
	for _, guest := range []bool{true, false} {
		u := chat.User{ID: "u_bob", Name: "Bob", Created: 5, Guest: guest, ValidFrom: 1000}
		h.put(u)
		h.reopen()
		if got, err := h.Directory.User(ctx, "u_bob"); got != u || err != nil {
			h.Errorf("%+v, %v; want %+v", got, err, u)
		}
	}
	h.begin(chat.Session{ID: "s_1", UserID: "u_bob", Key: key(1), Began: start.UnixMilli()})
	h.change(h.Members.Join(ctx, "lobby", "u_bob"))(true)
	if n, err := h.Sessions.End(ctx, "u_bob", "s_1", chat.LoggedOut); n != 1 || err != nil {
		h.Error(n, err)
	}
	h.reopen()
	h.wantRooms("u_bob", "lobby")
}

// With a context that has ended, a session is unchanged, or changed as without the error.
func testSessionsErrors(h *house) {
	over, cancel := context.WithCancel(ctx)
	cancel()
	alive := func(want ...int) {
		h.Helper()
		list, err := h.Sessions.List(ctx, "u_ada")
		if err != nil || !slices.Contains(want, len(list)) {
			h.Errorf("%d sessions, %v; want one of %v", len(list), err, want)
		}
	}
	one := chat.Session{ID: "s_1", UserID: "u_ada", Key: key(1), Began: start.UnixMilli()}
	if err := h.Sessions.Begin(over, one); err == nil {
		h.wantSession("s_1", key(1), key(2))
	}
	alive(0, 1)
	one.ID = "s_2"
	h.begin(one)
	h.Sessions.Resume(over, "s_2", key(1), key(2), chat.Origin{})
	h.wantSession("s_2", key(1), key(3)) // it was not used if it is another by now
	h.Sessions.End(over, "u_ada", "s_2", chat.LoggedOut)
	alive(0, 1, 2)
	if _, err := h.Sessions.End(ctx, "u_ada", "", chat.LoggedOut); err != nil {
		h.Error(err)
	}
	alive(0)
}

// wantSession resumes a session.
func (h *house) wantSession(id string, k, next chat.KeyHash) {
	h.Helper()
	if s, err := h.resume(id, k, next); err != nil || s.ID != id {
		h.Errorf("resuming %s: %+v, %v", id, s, err)
	}
}

// A user with too many sessions loses the least recently used one; one with a connection only if
// all have one.
func testSessionsLimit(h *house) {
	for i := range chat.MaxSessions {
		h.begin(chat.Session{ID: fmt.Sprint("s_", i), UserID: "u_ada", Key: key(1), Began: start.UnixMilli() + int64(i)})
		h.clock.Pass(time.Millisecond)
	}
	for _, idle := range []string{"s_7", "s_3"} {
		h.Sessions.Release(idle)
		h.clock.Pass(time.Millisecond)
	}
	for i, gone := range []string{"s_7", "s_3", "s_0"} {
		h.begin(chat.Session{ID: fmt.Sprint("s_new-", i), UserID: "u_ada", Key: key(1), Began: start.UnixMilli() + 1000})
		h.wantRefused(gone, key(1))
		if left, err := h.Sessions.List(ctx, "u_ada"); len(left) != chat.MaxSessions || err != nil {
			h.Errorf("%d sessions, %v", len(left), err)
		}
		h.clock.Pass(time.Millisecond)
	}
}

// The time from which tokens are valid only increases.
func testValidFrom(h *house) {
	for _, c := range []struct{ put, want int64 }{{0, 0}, {5000, 5000}, {0, 5000}, {4000, 5000}, {6000, 6000}} {
		h.put(chat.User{ID: "u_ada", Name: "Ada", Created: 1, ValidFrom: c.put})
		if u, err := h.Directory.User(ctx, "u_ada"); u.ValidFrom != c.want || err != nil {
			h.Errorf("after %d: %d, %v; want %d", c.put, u.ValidFrom, err, c.want)
		}
	}
}
