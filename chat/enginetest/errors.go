package enginetest

import (
	"context"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// A call with a context that has ended leaves the state that chat.Engine documents,
// whether the engine notices the context or not; and undoing it twice does no harm.
func testErrorsLeave(h *house) {
	over, cancel := context.WithCancel(ctx)
	cancel()
	h.presenceErrors(over)
	h.nodeErrors(over)
}

// present waits until the given number of people are in the lobby.
func (h *house) present(n int) {
	h.Helper()
	h.await("those who are there", func() bool {
		counts, err := h.Presence.Counts(ctx, []string{"lobby"})
		return err == nil && counts[0] == n
	})
}

func (h *house) presenceErrors(over context.Context) {
	e := newEar()
	n := h.Broker.Attach(e)
	defer n.Detach()
	if _, err := n.Subscribe(ctx, lobby); err != nil {
		h.Fatal(err)
	}
	h.put(chat.User{ID: "u_ada", Name: "Ada"})
	n.Connect(over, "u_ada")
	n.Disconnect("u_ada") // whatever Enter returned
	h.connect(n, "u_ada")
	n.Connect(over, "u_ada")
	n.Enter("lobby", "u_ada")
	n.Disconnect("u_ada")
	h.present(1)
	h.put(chat.User{ID: "u_ada", Name: "Grace"})
	n.Leave("lobby", "u_ada")
	h.present(0)
	n.Leave("lobby", "u_ada") // one too many
	n.Enter("lobby", "u_ada")
	h.present(1)
	n.Disconnect("u_ada") // and not Leave
	h.present(0)
	n.Disconnect("u_ada")
	n.Enter("lobby", "u_ada") // of a user who is not there
	n.Leave("lobby", "u_ada")
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

	n.Connect(over, "u_ada")
	n.Disconnect("u_ada")
	n.Disconnect("u_ada")
	h.say(adaBob, "u_bob", "to nobody here")
	n.Connect(over, "u_ada")
	h.connect(n, "u_ada")
	n.Disconnect("u_ada") // one of two
	h.say(adaBob, "u_bob", "to the follower")
	h.await("the private change", func() bool { return e.last(adaBob) == 2 })
	n.Detach()
	if diff := cmp.Diff(map[chat.Conversation][]uint64{lobby: {2}, adaBob: {2}}, e.heard); diff != "" {
		h.Errorf("heard (-want +got):\n%s", diff)
	}
}
