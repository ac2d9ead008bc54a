package enginetest

import (
	"context"
	"errors"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// What was asked for with a context that has ended leaves behind what chat.Engine says,
// whether the engine notices that or not; and ending it twice does no harm.
func testErrorsLeave(h *house) {
	over, cancel := context.WithCancel(ctx)
	cancel()
	h.presenceErrors(over)
	h.nodeErrors(over)
}

// present waits until so many people are in the lobby.
func (h *house) present(n int) {
	h.Helper()
	h.await("those who are there", func() bool {
		counts, err := h.Presence.Counts(ctx, []string{"lobby"})
		return err == nil && counts[0] == n
	})
}

func (h *house) presenceErrors(over context.Context) {
	p := h.Presence
	e := newEar()
	n := h.Broker.Attach(e)
	defer n.Detach()
	if _, err := n.Subscribe(ctx, lobby); err != nil {
		h.Fatal(err)
	}
	for range 2 { // two connections
		p.Connect(over, chat.User{ID: "u_ada", Name: "Ada"})
		p.Enter(over, "lobby", "u_ada")
	}
	h.present(1)
	p.Rename(over, chat.User{ID: "u_ada", Name: "Grace"})
	p.Leave(over, "lobby", "u_ada")
	p.Disconnect(over, "u_ada")
	h.present(1)
	p.Leave(over, "lobby", "u_ada")
	h.present(0)
	if err := p.Leave(ctx, "lobby", "u_ada"); !errors.Is(err, chat.ErrNotFound) {
		h.Errorf("one Leave too many: %v", err)
	}
	p.Enter(over, "lobby", "u_ada")
	h.present(1)
	p.Disconnect(over, "u_ada") // and not Leave
	h.present(0)
	for name, err := range map[string]error{
		"Disconnect": p.Disconnect(ctx, "u_ada"),
		"Enter":      p.Enter(ctx, "lobby", "u_ada"),
		"Leave":      p.Leave(ctx, "lobby", "u_ada"),
	} {
		if !errors.Is(err, chat.ErrNotFound) {
			h.Errorf("%s of somebody who is not there: %v", name, err)
		}
	}
	h.present(0)
	want := []string{"joined Ada lobby", "renamed Grace lobby", "left Grace lobby", "joined Grace lobby", "left Grace lobby"}
	h.await("the events", func() bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		return len(e.here) >= len(want)
	})
	n.Detach()
	if diff := cmp.Diff(want, e.here); diff != "" {
		h.Errorf("events (-want +got):\n%s", diff)
	}
}

func (h *house) nodeErrors(over context.Context) {
	e, witness := newEar(), newEar()
	n, w := h.Broker.Attach(e), h.Broker.Attach(witness)
	defer n.Detach()
	defer w.Detach()
	for _, c := range []chat.Conversation{lobby, attic} {
		if _, err := w.Subscribe(ctx, c); err != nil {
			h.Fatal(err)
		}
	}
	if _, err := n.Subscribe(over, lobby); err == nil {
		n.Unsubscribe(lobby) // it was fast enough
	}
	h.say(lobby, "u_ada", "to nobody here")
	h.await("the witness", func() bool { return witness.last(lobby) == 1 })
	n.Unsubscribe(lobby)
	n.Unsubscribe(lobby)
	if tail, err := n.Subscribe(ctx, lobby); err != nil || tail.Change != 1 {
		h.Fatalf("subscribed at %d, %v", tail.Change, err)
	}
	h.say(lobby, "u_ada", "to the subscriber")
	h.await("the change", func() bool { return e.last(lobby) == 2 })

	n.Follow(over, "u_ada")
	n.Unfollow("u_ada")
	n.Unfollow("u_ada")
	h.say(adaBob, "u_bob", "to nobody here")
	n.Follow(over, "u_ada")
	if err := n.Follow(ctx, "u_ada"); err != nil {
		h.Fatal(err)
	}
	n.Unfollow("u_ada") // one of two
	h.say(adaBob, "u_bob", "to the follower")
	h.await("the private change", func() bool { return e.last(adaBob) == 2 })
	n.Detach()
	if diff := cmp.Diff(map[chat.Conversation][]uint64{lobby: {2}, adaBob: {2}}, e.heard); diff != "" {
		h.Errorf("heard (-want +got):\n%s", diff)
	}
}
