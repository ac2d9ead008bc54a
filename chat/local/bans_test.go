package local

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/hawser-ws/hawser/chat"
)

// bans returns Bans whose clock is *now.
func bans(maximum int, now *int64) *Bans {
	return NewBans(BansConfig{Now: func() int64 { return *now }, Banned: func(chat.Ban) {}, Max: maximum}, nil)
}

// Ended bans make room, the earliest first; automatic ones leave some free.
func TestBansMakeRoom(t *testing.T) {
	now := int64(1000)
	b := bans(100, &now)
	ban := func(i int, until int64, strike int) error {
		return b.Ban(context.Background(), chat.Ban{UserID: fmt.Sprint("u_", i), Reason: "spam", Until: until, Strike: strike})
	}
	for i := range 90 {
		if err := ban(i, 2000+int64(i), 1); err != nil {
			t.Fatal(i, err)
		}
	}
	if err := ban(90, 0, 1); !errors.Is(err, chat.ErrTooManyBans) {
		t.Errorf("an automatic ban takes what is reserved: %v", err)
	}
	for i := 90; i < 100; i++ {
		if err := ban(i, 0, 0); err != nil {
			t.Error(i, err)
		}
	}
	if err := ban(100, 0, 0); !errors.Is(err, chat.ErrTooManyBans) {
		t.Errorf("too many: %v", err)
	}
	if err := ban(99, 0, 0); err != nil {
		t.Errorf("another ban of one who is banned: %v", err)
	}
	now = 2004 // five have ended
	if err := ban(100, 0, 0); err != nil {
		t.Errorf("with ended ones: %v", err)
	}
	for i, want := range map[int]bool{0: false, 4: false, 5: true, 99: true, 100: true} {
		if _, known := b.Last(fmt.Sprint("u_", i)); known != want {
			t.Errorf("u_%d is known: %t", i, known)
		}
	}
}

// Ended finds the same as a scan of all bans, whatever was replaced and lifted.
func TestBansEnded(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	now := int64(1000)
	b := bans(0, &now)
	for range 3000 {
		subject := fmt.Sprint("u_", r.IntN(50))
		switch r.IntN(4) {
		case 0:
			b.Remove(subject)
		case 1:
			b.Apply(chat.Ban{UserID: subject, Reason: "spam"})
		default:
			b.Apply(chat.Ban{UserID: subject, Reason: "spam", Until: now + r.Int64N(100)})
		}
		now += r.Int64N(3)
		want := make(map[chat.Ban]bool)
		for _, one := range b.All() {
			if !one.InForce(now - 20) {
				want[one] = true
			}
		}
		got := b.Ended(100, 20)
		for i, one := range got {
			if !want[one] || i > 0 && one.Until < got[i-1].Until {
				t.Fatalf("%+v, after %+v", one, got[:i])
			}
		}
		if len(got) != len(want) || len(b.Ended(3, 20)) != min(3, len(want)) {
			t.Fatalf("%d have ended, want %d", len(got), len(want))
		}
	}
	if n := len(b.ends); n > 64+2*50 {
		t.Errorf("%d ends are kept", n)
	}
}

// A ban that was replaced meanwhile is not forgotten.
func TestBansForget(t *testing.T) {
	now := int64(1000)
	b := bans(0, &now)
	network := netip.MustParsePrefix("192.0.2.0/24")
	b.Apply(chat.Ban{Network: network, Reason: "scans", Until: 1500})
	now = 2000
	ended := b.Ended(1, 0)
	b.Apply(chat.Ban{Network: network, Reason: "floods"})
	b.Forget(&ended[0])
	if one, banned := b.OfAddress(network.Addr()); !banned || one.Reason != "floods" {
		t.Errorf("%+v, %t", one, banned)
	}
}
