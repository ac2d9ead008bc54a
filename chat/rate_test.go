package chat

import (
	"net/netip"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	p := NewPace(2, time.Second, 4)
	var full time.Duration
	now := time.Hour
	take := func(n int, patience time.Duration) (wait time.Duration) {
		full, wait = p.take(full, now, n, patience)
		return wait
	}
	for i := range 4 {
		if w := take(1, 0); w != 0 {
			t.Errorf("%d at once: wait %v", i+1, w)
		}
	}
	if w := take(1, 0); w != 500*time.Millisecond {
		t.Errorf("a fifth: wait %v", w)
	}
	// What is refused is not counted; what is waited for is, one behind the other.
	for i, want := range []time.Duration{500, 1000, 1500, 2000} {
		if w := take(1, 1500*time.Millisecond); w != want*time.Millisecond {
			t.Errorf("wait %d: %v", i+1, w)
		}
	}
	now += time.Hour
	if w := take(100, 0); w != 0 { // more than fits is let through when all is free
		t.Errorf("a hundred: wait %v", w)
	}
	if w := take(1, 0); w != 500*time.Millisecond {
		t.Errorf("after a hundred: wait %v", w)
	}
	if full, w := (Pace{}).take(0, now, 1<<40, 0); full != 0 || w != 0 {
		t.Errorf("no limit: %v, %v", full, w)
	}
}

// A14: an address counts as its /64, or as the IPv4 address within it.
func TestAddressSubject(t *testing.T) {
	for _, c := range []struct{ addr, want string }{
		{"1.2.3.4", "1.2.3.4/32"}, {"::ffff:1.2.3.4", "1.2.3.4/32"},
		{"2001:db8::1", "2001:db8::/64"}, {"2001:db8::2%eth0", "2001:db8::/64"}, {"2001:db8:0:1::1", "2001:db8:0:1::/64"},
	} {
		if got := AddressSubject(netip.MustParseAddr(c.addr)); got.String() != c.want {
			t.Errorf("%s counts as %v, want %s", c.addr, got, c.want)
		}
	}
	if got := AddressSubject(netip.Addr{}); got.IsValid() {
		t.Errorf("no address counts as %v", got)
	}
}

// A15: a million addresses cost no more than the first 65,536.
func TestA15RateMemory(t *testing.T) {
	r := NewRate[netip.Prefix](NewPace(1, time.Minute, 0))
	for i := range 1 << 20 {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if r.Take(AddressSubject(addr), 0, 1, 0) != 0 {
			t.Fatalf("%v was refused at its first request", addr)
		}
		if len(r.full) > maxSubjects {
			t.Fatalf("%d addresses are remembered", len(r.full))
		}
	}
	r.makeRoom(time.Minute)
	if len(r.full) != 0 {
		t.Errorf("%d addresses are remembered after a quiet minute", len(r.full))
	}
	if r := NewRate[string](Pace{}); r != nil || r.Take("x", 0, 1, 0) != 0 {
		t.Error("no limit refuses")
	}
}

// What an address may not do any more does not use up the share of its users, who can
// go on elsewhere.
func TestRefusedByOneCountsForNeither(t *testing.T) {
	l := newLimiter(&Limits{UserRoomsPerHour: 3, AddressRoomsPerHour: 1}, SystemClock())
	users, addresses := l.userRooms, l.addressedRooms
	at := func(addr string) Subject {
		return Subject{UserID: "u_ada", Address: AddressSubject(netip.MustParseAddr(addr))}
	}
	office, home, train := at("192.0.2.1"), at("192.0.2.2"), at("192.0.2.3")
	for i, want := range []bool{true, false, false, false, false} {
		if wait := l.both(office, users, addresses, 0, 1); (wait == 0) != want {
			t.Errorf("%d in the office: wait %v", i+1, wait)
		}
	}
	for _, s := range []Subject{home, train} {
		if wait := l.both(s, users, addresses, 0, 1); wait != 0 {
			t.Errorf("at %v: wait %v", s.Address, wait)
		}
	}
	if wait := l.both(at("192.0.2.4"), users, addresses, 0, 1); wait == 0 {
		t.Error("a fourth room is let through")
	}
	before := len(users.full)
	users.GiveBack("u_eve", 0, 1)
	users.GiveBack("u_ada", 0, 3)
	if len(users.full) != before-1 {
		t.Errorf("%d users are remembered, want %d", len(users.full), before-1)
	}
	(*Rate[string])(nil).GiveBack("u_ada", 0, 1)
}
