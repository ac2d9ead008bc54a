package local

import (
	"context"
	"errors"
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

func must(t testing.TB, errs ...error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Fatalf("step %d: %v", i+1, err)
		}
	}
}

// A name that stays as it is is no event, and a new one is one event a room, however many
// connections somebody has there.
func TestRename(t *testing.T) {
	var h heard
	p := NewPresence(&h)
	ada := chat.User{ID: "u_ada", Name: "Ada"}
	must(t, p.Connect(ctx, ada), p.Connect(ctx, ada), p.Enter(ctx, "lobby", "u_ada"), p.Enter(ctx, "attic", "u_ada"), p.Enter(ctx, "lobby", "u_ada"))
	h = nil
	must(t, p.Rename(ctx, ada))
	if len(h) > 0 {
		t.Errorf("the same name again: %q", h)
	}
	must(t, p.Rename(ctx, chat.User{ID: "u_ada", Name: "Grace"}))
	if diff := cmp.Diff(heard{"renamed Grace lobby", "renamed Grace attic"}, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// With the last connection a user is gone from every room, although Leave was never called.
func TestDisconnectLeaves(t *testing.T) {
	var h heard
	p := NewPresence(&h)
	must(t, p.Connect(ctx, chat.User{ID: "u_ada", Name: "Ada"}), p.Enter(ctx, "lobby", "u_ada"), p.Enter(ctx, "lobby", "u_ada"), p.Disconnect(ctx, "u_ada"))
	if diff := cmp.Diff(heard{"joined Ada lobby", "left Ada lobby"}, h); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := p.Leave(ctx, "lobby", "u_ada"); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("Leave of somebody who is gone: %v", err)
	}
	if len(p.people)+len(p.rooms) > 0 {
		t.Errorf("%d people and %d rooms are left", len(p.people), len(p.rooms))
	}
}

// crowd is a Presence of people of whom each is in some rooms, with size others.
func crowd(t testing.TB, people, rooms, size int) *Presence {
	p := NewPresence(NewBroker(nil))
	for i := range people {
		// Not in the order of their ids.
		id := fmt.Sprintf("u_%06d", i*7919%people)
		must(t, p.Connect(ctx, chat.User{ID: id, Name: "Somebody"}))
		for r := range rooms {
			must(t, p.Enter(ctx, fmt.Sprint("room-", i/size*rooms+r), id))
		}
	}
	return p
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
