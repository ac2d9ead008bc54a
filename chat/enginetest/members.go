package enginetest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

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

// lastMember reports whether the last report about a membership was this one, and no later
// report said that all memberships of the user may have changed.
func (e *ear) lastMember(userID, room string, joined bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	any, is, isNot := fmt.Sprintf("%s in %q: ", userID, ""), fmt.Sprintf("%s in %q: %t", userID, room, joined), fmt.Sprintf("%s in %q: %t", userID, room, !joined)
	for _, n := range slices.Backward(e.notices) {
		switch {
		case n == is || strings.HasPrefix(n, any):
			return true
		case n == isNot:
			return false
		}
	}
	return false
}

// Users join and leave concurrently, also several connections of one user. A caller that is
// told that something changed has changed it, so for each membership joins and leaves
// alternate. In the end all see the same, and that is what the receivers were told last.
func testMembersConcurrent(h *house) {
	seed := rand.Uint64()
	h.Logf("seed %d", seed)
	users, rooms := []string{"u_ada", "u_bob"}, []string{"attic", "cellar", "lobby"}
	e := newEar()
	n := h.Broker.Attach(e)
	defer n.Detach()
	for _, user := range users {
		h.put(chat.User{ID: user, Name: user})
		h.connect(n, user)
	}
	var mu sync.Mutex
	balance := make(map[[2]string]int) // joins that changed something, minus such leaves
	var all sync.WaitGroup
	for i := range uint64(4) {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, i))
			for range 60 {
				user, room := users[r.IntN(len(users))], rooms[r.IntN(len(rooms))]
				change, by := h.Members.Join, 1
				if r.IntN(2) == 0 {
					change, by = h.Members.Leave, -1
				}
				changed, err := change(ctx, room, user)
				if err != nil {
					h.Errorf("%s, %s: %v", user, room, err)
				}
				if changed {
					mu.Lock()
					balance[[2]string{user, room}] += by
					mu.Unlock()
				}
				if r.IntN(4) == 0 {
					h.rooms(user)
				}
			}
		})
	}
	all.Wait()
	for _, user := range users {
		var want []string
		for _, room := range rooms {
			is := balance[[2]string{user, room}] == 1
			if b := balance[[2]string{user, room}]; b != 0 && b != 1 {
				h.Errorf("%s joined %s %d times more than left", user, room, b)
			}
			if is {
				want = append(want, room)
			}
			h.await("the last word", func() bool { return e.lastMember(user, room, is) || !is && !e.heardOf(user, room) })
		}
		h.wantRooms(user, want...)
	}
	for range 2 {
		for _, room := range rooms {
			var want []string
			for _, user := range users {
				if balance[[2]string{user, room}] == 1 {
					want = append(want, user)
				}
			}
			h.wantMembers(room, want...)
		}
		n.Detach()
		if !h.reopen() {
			break
		}
	}
}

// heardOf reports whether there was any report about a membership.
func (e *ear) heardOf(userID, room string) bool {
	return e.lastMember(userID, room, true) || e.lastMember(userID, room, false)
}

func (h *house) wantMembers(room string, want ...string) {
	h.Helper()
	page, _, err := h.Members.MembersOf(ctx, room, "", 1000)
	var got []string
	for _, m := range page {
		got = append(got, m.UserID)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
		h.Errorf("members of %s: %v (-want +got):\n%s", room, err, diff)
	}
}

// Long lists come page by page, from memory and disk alike.
func testMembersMany(h *house) {
	const count = 60
	want := make(map[string]bool)
	for i := range count {
		room := fmt.Sprintf("room-%02d", i*37%count)
		want[room] = true
		other := fmt.Sprintf("u_%02d", i)
		h.put(chat.User{ID: "u_ada", Name: "Ada"}, chat.User{ID: other, Name: "Name"})
		h.change(h.Members.Join(ctx, room, "u_ada"))(true)
		h.change(h.Members.Join(ctx, "lobby", other))(true)
	}
	for i := 0; i < count; i += 3 {
		room := fmt.Sprintf("room-%02d", i)
		delete(want, room)
		h.change(h.Members.Leave(ctx, room, "u_ada"))(true)
	}
	for range 2 {
		for _, after := range []string{"", "room-29", "room-30", "s"} {
			all := slices.Sorted(maps.Keys(want))
			all = slices.DeleteFunc(all, func(room string) bool { return room <= after })
			for _, limit := range []int{1, 7, len(all), len(all) + 1} {
				if limit == 0 {
					continue
				}
				page, more, err := h.Members.RoomsOf(ctx, "u_ada", after, limit)
				var got []string
				for _, m := range page {
					got = append(got, m.Room)
				}
				if diff := cmp.Diff(all[:min(limit, len(all))], got, cmpopts.EquateEmpty()); diff != "" || more != (len(all) > limit) || err != nil {
					h.Errorf("%d rooms after %q: more %t, %v (-want +got):\n%s", limit, after, more, err, diff)
				}
			}
		}
		if page, more, err := h.Members.MembersOf(ctx, "lobby", "u_09", 20); len(page) != 20 || page[0].UserID != "u_10" || page[19].UserID != "u_29" || !more || err != nil {
			h.Errorf("members: %+v, more %t, %v", page, more, err)
		}
		h.reopen()
	}
}

// With a context that has ended, a membership changes or does not, whatever is returned, and
// later results are consistent with that.
func testMembersErrors(h *house) {
	over, cancel := context.WithCancel(ctx)
	cancel()
	h.put(chat.User{ID: "u_ada", Name: "Ada"})
	for _, step := range []struct {
		name   string
		change func(context.Context, string, string) (bool, error)
		to     bool
	}{{"Join", h.Members.Join, true}, {"Leave", h.Members.Leave, false}} {
		changed, err := step.change(over, "attic", "u_ada")
		is, _ := h.Members.IsMember(ctx, "attic", "u_ada")
		if changed && is != step.to || err == nil && !changed {
			h.Errorf("%s with no time: changed %t, %v; a member: %t", step.name, changed, err, is)
		}
		h.change(step.change(ctx, "attic", "u_ada"))(is != step.to)
		h.change(step.change(ctx, "attic", "u_ada"))(false)
	}
	for name, read := range map[string]func() error{
		"IsMember":  func() error { _, err := h.Members.IsMember(over, "attic", "u_ada"); return err },
		"RoomsOf":   func() error { _, _, err := h.Members.RoomsOf(over, "u_ada", "", 1); return err },
		"MembersOf": func() error { _, _, err := h.Members.MembersOf(over, "attic", "", 1); return err },
		"List":      func() error { _, err := h.Sessions.List(over, "u_ada"); return err },
	} {
		if err := read(); err == nil {
			h.Errorf("%s with no time succeeds", name)
		}
	}
}
