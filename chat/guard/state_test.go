package guard_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/guard"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// move continues with the Guard of another process, which has a different clock.
func (h *house) move() {
	h.Helper()
	state := h.guard.State()
	h.guard.Close()
	h.cfg.Clock = chat.SystemClock()
	time.Sleep(time.Millisecond) // it is not at 0
	h.guard = guard.New(h.cfg)
	if err := h.guard.Restore(snapshot.AppendStringField(state, 99, "of a newer version")); err != nil {
		h.Error(err)
	}
}

// Offences before and after a move count together, and a guest who has vouched
// cannot do so again.
func TestMove(t *testing.T) {
	bubble(t, nil, func(h *house) {
		h.offend(chat.BadToken, "", "192.0.2.1", 2, 5*time.Second)
		h.move()
		h.offend(chat.BadToken, "", "192.0.2.1", 2, 5*time.Second)
		h.move()
		if n := h.guard.Offences(chat.BadToken); n != 4 {
			t.Errorf("%d offences", n)
		}
		h.want()
		h.offend(chat.BadToken, "", "192.0.2.1", 1, 0)
		h.want(`banned 192.0.2.1/32 for "bad_token", strike 1, 10m0s`)

		h.offend(chat.TooFast, "u_eve", "192.0.2.1", 4, 5*time.Second)
		time.Sleep(time.Minute) // the window
		h.move()
		h.offend(chat.TooFast, "u_eve", "192.0.2.1", 4, 5*time.Second)
		h.want()
		h.move()
		h.offend(chat.TooFast, "u_eve", "192.0.2.1", 1, 0)
		h.want(`banned u_eve for "too_fast", strike 1, 10m0s`)
	})
}

// A guest vouches once, whichever process asks.
func TestMoveVouchers(t *testing.T) {
	bubble(t, nil, func(h *house) {
		h.users["u_guest"] = netip.MustParseAddr("192.0.2.7")
		h.created["u_guest"] = time.Now().Add(-time.Hour).UnixMilli()
		h.offend(chat.BadToken, "", "192.0.2.7", 5, 5*time.Second)
		h.want(`spared 192.0.2.7/32 for "bad_token", strike 0, 0s`)
		h.move()
		h.offend(chat.BadToken, "", "192.0.2.7", 5, 5*time.Second)
		h.want(`banned 192.0.2.7/32 for "bad_token", strike 1, 10m0s`)
	})
}

// Data that no Guard has written is refused.
func TestMoveNonsense(t *testing.T) {
	bubble(t, nil, func(h *house) {
		h.offend(chat.BadToken, "", "192.0.2.1", 2, 5*time.Second)
		h.offend(chat.TooFast, "u_eve", "", 2, 5*time.Second)
		state := h.guard.State()
		for n := range len(state) {
			g := guard.New(h.cfg)
			if err := g.Restore(state[:n]); err == nil {
				// It ends with a whole field.
				if err := snapshotEnd(state[:n]); err != nil {
					t.Errorf("%d of %d bytes are accepted", n, len(state))
				}
			}
			g.Close()
		}
	})
}

func snapshotEnd(b []byte) error {
	r := snapshot.NewReader(b)
	for range r.Fields() {
	}
	return r.End()
}
