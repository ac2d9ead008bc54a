package enginetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/hawser-ws/hawser/chat"
)

func testRooms(h *house) {
	say := func(room string) int64 { return h.say(chat.RoomConversation(room), "u_ada", "x").Change.ServerTS }
	say("cellar")
	h.clock.Pass(10 * time.Millisecond)
	at := say("garage")
	say("attic")
	h.clock.Pass(10 * time.Millisecond)
	say("Garden")
	h.clock.Pass(time.Second)
	h.say(chat.PrivateConversation("u_m", "u_a"), "u_a", "x")
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
			rooms, next, err := h.Directory.Rooms(ctx, place, c.search, c.limit)
			if err != nil {
				h.Fatal(err)
			}
			var names []string
			for _, r := range rooms {
				names = append(names, r.Name)
				if r.Seq != 1 {
					h.Errorf("%s ends at %d", r.Name, r.Seq)
				}
			}
			if names != nil {
				got = append(got, names)
			}
			place, end = next, next == chat.RoomPlace{}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			h.Errorf("search %q, limit %d (-want +got):\n%s", c.search, c.limit, diff)
		}
	}
	// Later messages, at an earlier time by the clock, and after opening again.
	late := say("cellar")
	h.jump(-time.Hour)
	early := say("Garden")
	want := []chat.RoomInfo{
		{Name: "cellar", Seq: 2, ServerTS: late}, {Name: "attic", Seq: 1, ServerTS: at},
		{Name: "garage", Seq: 1, ServerTS: at}, {Name: "Garden", Seq: 2, ServerTS: early},
	}
	for range 2 {
		got, _, err := h.Directory.Rooms(ctx, chat.RoomPlace{}, "a", 10)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			h.Errorf("%v (-want +got):\n%s", err, diff)
		}
		h.reopen()
	}
}

func testTalks(h *house) {
	at := h.say(lobby, "u_ada", "x").Change.ServerTS
	for _, pair := range [][2]string{{"u_a", "u_m"}, {"u_m", "u_z"}, {"u_m", "u_m"}, {"u_z", "u_m2"}} {
		h.say(chat.PrivateConversation(pair[0], pair[1]), pair[0], "x")
	}
	talk := func(id string) chat.Talk { return chat.Talk{UserID: id, Seq: 1, ServerTS: at} }
	for _, c := range []struct {
		user  string
		since int64
		after string
		limit int
		want  []chat.Talk
		more  bool
	}{
		{"u_m", 0, "", 10, []chat.Talk{talk("u_a"), talk("u_m"), talk("u_z")}, false},
		{"u_m", 0, "", 2, []chat.Talk{talk("u_a"), talk("u_m")}, true},
		{"u_m", 0, "u_m", 2, []chat.Talk{talk("u_z")}, false},
		{"u_a", 0, "", 10, []chat.Talk{talk("u_m")}, false},
		{"u_z", 0, "", 10, []chat.Talk{talk("u_m"), talk("u_m2")}, false},
		{"u_m", at, "u_a", 1, []chat.Talk{talk("u_m")}, true},
		{"u_m", at + 1, "", 10, nil, false},
		{"u_nobody", 0, "", 10, nil, false},
	} {
		got, more, err := h.Directory.Talks(ctx, c.user, c.since, c.after, c.limit)
		if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" || err != nil || more != c.more {
			h.Errorf("Talks(%q, %d, %q, %d): more %t, %v (-want +got):\n%s", c.user, c.since, c.after, c.limit, more, err, diff)
		}
	}
}

// A change of a user changes nothing else, and does not store a user who does not exist.
func testUserChanges(h *house) {
	if u, err := h.Directory.ChangeUser(ctx, "u_ada", chat.UserChange{Name: "Ada", ValidFrom: 5}); !errors.Is(err, chat.ErrNotFound) {
		h.Errorf("a user who does not exist is %+v, %v", u, err)
	}
	h.put(chat.User{ID: "u_bob", Name: "Paul"})
	want := chat.User{ID: "u_ada", Name: "Ada", Created: start.UnixMilli(), Guest: true}
	h.put(want)
	for _, c := range []struct {
		change chat.UserChange
		name   string
		valid  int64
		err    error
	}{
		{chat.UserChange{}, "Ada", 0, nil},
		{chat.UserChange{ValidFrom: 5000}, "Ada", 5000, nil},
		{chat.UserChange{ValidFrom: 4000, Name: "Grace"}, "Grace", 5000, nil},
		{chat.UserChange{ValidFrom: 6000, Name: "PauI"}, "Grace", 5000, chat.ErrNameTaken},
		{chat.UserChange{Name: "Ada"}, "Ada", 5000, nil},
	} {
		want.Name, want.ValidFrom = c.name, c.valid
		u, err := h.Directory.ChangeUser(ctx, "u_ada", c.change)
		if !errors.Is(err, c.err) || c.err == nil && u != want {
			h.Errorf("%+v: %+v, %v; want %+v, %v", c.change, u, err, want, c.err)
		}
		h.reopen()
		if u, err := h.Directory.User(ctx, "u_ada"); u != want || err != nil {
			h.Errorf("after %+v: %+v, %v; want %+v", c.change, u, err, want)
		}
	}
	h.put(chat.User{ID: "u_eve", Name: "Grасe"}) // Ada has given up the name that looks like it
}

// Several concurrent changes of a user are all made, and none undoes a deletion.
func testUserChangesAtOnce(h *house) {
	for i := range 20 {
		id := fmt.Sprint("u_", i)
		h.put(chat.User{ID: id, Name: "Name"})
		var all sync.WaitGroup
		change := func(c chat.UserChange) {
			all.Go(func() {
				if _, err := h.Directory.ChangeUser(ctx, id, c); err != nil && (i%2 == 0 || !errors.Is(err, chat.ErrNotFound)) {
					h.Errorf("%+v: %v", c, err)
				}
			})
		}
		for n := range 4 {
			change(chat.UserChange{ValidFrom: int64(1000 + n)})
			change(chat.UserChange{Name: fmt.Sprint("Name ", n)})
		}
		if i%2 == 1 {
			all.Go(func() {
				if err := h.Directory.DeleteUser(ctx, id); err != nil {
					h.Error(err)
				}
			})
		}
		all.Wait()
		switch u, err := h.Directory.User(ctx, id); {
		case i%2 == 1 && !errors.Is(err, chat.ErrNotFound):
			h.Fatalf("the deleted user is %+v, %v", u, err)
		case i%2 == 0 && (err != nil || u.ValidFrom != 1003 || !strings.HasPrefix(u.Name, "Name ")):
			h.Fatalf("%+v, %v", u, err)
		}
	}
}

func testUsers(h *house) {
	if _, err := h.Directory.User(ctx, "u_ada"); !errors.Is(err, chat.ErrNotFound) {
		h.Errorf("User of nothing: %v", err)
	}
	for _, name := range []string{"Ada", "Ada 🦉"} {
		want := chat.User{ID: "u_ada", Name: name, Created: start.UnixMilli()}
		if err := h.Directory.PutUser(ctx, want); err != nil {
			h.Fatal(err)
		}
		got, err := h.Directory.User(ctx, "u_ada")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			h.Errorf("User: %v (-want +got):\n%s", err, diff)
		}
	}
}
