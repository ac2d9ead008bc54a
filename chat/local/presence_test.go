package local

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

var ctx = context.Background()

// heard is an Announcer that remembers.
type heard []string

func (h *heard) Here(room string, ev chat.PresenceEvent) {
	*h = append(*h, fmt.Sprint(ev.Kind, " ", ev.User.Name, " ", room))
}

// directory is Users that know every user.
type directory map[string]string

func (d directory) User(_ context.Context, id string) (chat.User, error) {
	if name := d[id]; name != "" {
		return chat.User{ID: id, Name: name}, nil
	}
	return chat.User{ID: id, Name: "Somebody"}, nil
}

func connect(t testing.TB, p *Presence, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if _, err := p.Connect(ctx, id); err != nil {
			t.Fatal(err)
		}
	}
}

// An unchanged name is no event, and a new one is one event a room, however many connections
// the user has there.
func TestRename(t *testing.T) {
	var h heard
	p := NewPresence(&h, directory{"u_ada": "Ada"})
	connect(t, p, "u_ada", "u_ada")
	for _, room := range []string{"lobby", "attic", "lobby"} {
		p.Enter(room, "u_ada")
	}
	h = nil
	p.Renamed(chat.User{ID: "u_ada", Name: "Ada"})
	if len(h) > 0 {
		t.Errorf("the same name again: %q", h)
	}
	p.Renamed(chat.User{ID: "u_ada", Name: "Grace"})
	if diff := cmp.Diff(heard{"renamed Grace lobby", "renamed Grace attic"}, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// With the last connection a user is gone from every room, although Leave was never called.
func TestDisconnectLeaves(t *testing.T) {
	var h heard
	p := NewPresence(&h, directory{"u_ada": "Ada"})
	connect(t, p, "u_ada")
	p.Enter("lobby", "u_ada")
	p.Enter("lobby", "u_ada")
	p.Disconnect("u_ada")
	if diff := cmp.Diff(heard{"joined Ada lobby", "left Ada lobby"}, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	p.Leave("lobby", "u_ada") // a user who is gone
	if len(p.people)+len(p.rooms) > 0 {
		t.Errorf("%d people and %d rooms are left", len(p.people), len(p.rooms))
	}
}

// crowd is a Presence of people; each is in some rooms with size others.
func crowd(t testing.TB, people, rooms, size int) *Presence {
	p := NewPresence(NewBroker(nil, nil), directory{})
	for i := range people {
		// Not in the order of their ids.
		id := fmt.Sprintf("u_%06d", i*7919%people)
		connect(t, p, id)
		for r := range rooms {
			p.Enter(fmt.Sprint("room-", i/size*rooms+r), id)
		}
	}
	return p
}

// A new name that arrives while the directory is being read is newer than the result.
func TestRenamedWhileConnecting(t *testing.T) {
	var h heard
	var p *Presence
	p = NewPresence(&h, reading(func() { p.Renamed(chat.User{ID: "u_ada", Name: "Grace"}) }))
	if u, err := p.Connect(ctx, "u_ada"); err != nil || u.Name != "Grace" {
		t.Errorf("connected as %+v, %v", u, err)
	}
	p.Enter("lobby", "u_ada")
	if diff := cmp.Diff(heard{"joined Grace lobby"}, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// reading is Users who are called Ada before something happens.
type reading func()

func (r reading) User(_ context.Context, id string) (chat.User, error) {
	r()
	return chat.User{ID: id, Name: "Ada"}, nil
}

// The first of many people are found without looking at the others.
func TestUsersOfMany(t *testing.T) {
	p := crowd(t, 20_000, 1, 20_000)
	users, more, err := p.Users(ctx, "room-0", 1000)
	if len(users) != 1000 || users[0].ID != "u_000000" || users[999].ID != "u_000999" || !more || err != nil {
		t.Errorf("%d users, more %t, %v", len(users), more, err)
	}
	if n := testing.AllocsPerRun(10, func() { p.Users(ctx, "room-0", 1000) }); n > 1 {
		t.Errorf("%g allocations for a list, want 1", n)
	}
}

func BenchmarkUsers(b *testing.B) {
	for _, people := range []int{1000, 20_000} {
		b.Run(fmt.Sprint(people), func(b *testing.B) {
			p := crowd(b, people, 1, people)
			for b.Loop() {
				p.Users(ctx, "room-0", 1000)
			}
		})
	}
}

// BenchmarkMemory prints what a person takes, and what each of ten rooms of 100 people adds.
func BenchmarkMemory(b *testing.B) {
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	const people = 20_000
	for b.Loop() {
		before := heap()
		alone := crowd(b, people, 0, 100)
		between := heap()
		full := crowd(b, people, 10, 100)
		after := heap()
		runtime.KeepAlive(alone)
		runtime.KeepAlive(full)
		b.ReportMetric((between-before)/people, "B/person")
		b.ReportMetric((after-between-(between-before))/people/10, "B/room")
	}
}
