package rate

import (
	"net/netip"
	"runtime"
	"strconv"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	p := NewPace(2, time.Second, 4)
	var full time.Duration
	now := time.Hour
	take := func(n int, patience time.Duration) (wait time.Duration) {
		full, wait = p.Take(full, now, float64(n), patience)
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
	if full, w := (Pace{}).Take(0, now, 1<<40, 0); full != 0 || w != 0 {
		t.Errorf("no limit: %v, %v", full, w)
	}
}

// A14: an address counts as its /64, or as the IPv4 address within it.
func TestAddress(t *testing.T) {
	for _, c := range []struct{ addr, want string }{
		{"1.2.3.4", "1.2.3.4/32"}, {"::ffff:1.2.3.4", "1.2.3.4/32"},
		{"2001:db8::1", "2001:db8::/64"}, {"2001:db8::2%eth0", "2001:db8::/64"}, {"2001:db8:0:1::1", "2001:db8:0:1::/64"},
		{"64:ff9b::192.0.2.33", "192.0.2.33/32"}, {"64:ff9b::1:192.0.2.33", "64:ff9b::/64"}, {"64:ff9b:1::192.0.2.33", "64:ff9b:1::/64"},
		{"2002:c000:221:7::1", "192.0.2.33/32"}, {"2002:c000:221:8::2", "192.0.2.33/32"},
		{"2001:0:cb00:7101:8000:63bf:3fff:fdde", "192.0.2.33/32"}, {"2001:1::1", "2001:1::/64"},
		{"64:ff9b::10.1.2.3", "64:ff9b::/64"}, {"2002:7f00:1::1", "2002:7f00:1::/64"}, {"2002:a01:203::1", "2002:a01:203::/64"}, {"::1", "::/64"},
	} {
		if got := Address(netip.MustParseAddr(c.addr)); got.String() != c.want {
			t.Errorf("%s counts as %v, want %s", c.addr, got, c.want)
		}
	}
	if got := Address(netip.Addr{}); got.IsValid() {
		t.Errorf("no address counts as %v", got)
	}
}

// A15: a million addresses cost no more than the first 65,536, and cannot push out one that has
// reached its limit.
func TestA15MillionAddresses(t *testing.T) {
	l := NewLimiter[netip.Prefix](NewPace(5, time.Minute, 0))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var limited []netip.Prefix
	for i := range 100 {
		limited = append(limited, Address(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})))
		for range 5 {
			l.Take(limited[i], 0, 1, 0)
		}
	}
	for i := range 1 << 20 {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if l.Take(Address(addr), 0, 1, 0) != 0 {
			t.Fatalf("%v was refused at its first request", addr)
		}
		if n := l.Len(); n > MaxSubjects {
			t.Fatalf("%d addresses are remembered", n)
		}
	}
	for _, s := range limited {
		if l.Take(s, 0, 1, 0) == 0 {
			t.Errorf("%v may go on, because a million others came", s)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	size := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("%d addresses are remembered, in %d KiB", l.Len(), size>>10)
	if size > 16<<20 {
		t.Errorf("a million addresses take %d bytes", size)
	}
	l.makeRoom(time.Hour)
	if l.Len() != 0 {
		t.Errorf("%d addresses are remembered after a quiet hour", l.Len())
	}
	if l := NewLimiter[string](Pace{}); l != nil || l.Take("x", 0, 1, 0) != 0 || l.Len() != 0 {
		t.Error("no limit refuses")
	}
}

// Of subjects that have all used something, those stay that have used most, whatever they are.
func TestLeastUsedForgotten(t *testing.T) {
	l := NewLimiter[int](NewPace(1000, time.Second, 0))
	for i := range MaxSubjects + 1 {
		l.Take(i, 0, float64(i%1000), 0)
	}
	// A degree is an eighth: of those that have used an eighth more than the quarter that had
	// to go, none has gone.
	for i := range MaxSubjects {
		if _, known := l.full[i]; !known && i%1000 > 250*9/8+1 {
			t.Errorf("one that has used %d of 1,000 is forgotten", i%1000)
		}
	}
	if n := l.Len(); n < MaxSubjects*3/4 {
		t.Errorf("%d are left", n)
	}
	last := -1
	for d := time.Duration(1); d < 1<<62; d += d/16 + 1 {
		if n := degree(d); n < last || n >= numDegrees {
			t.Errorf("the degree of %d is %d, after %d", d, n, last)
		} else {
			last = n
		}
	}
}

// A19: a burst is as large as it is said to be, and comes again only as time passes; a clock that
// does not move gives nothing.
func TestA19Burst(t *testing.T) {
	b := NewBucket(NewPace(5, time.Second, 20))
	take := func(now time.Duration) (n int) {
		for b.Take(now) == 0 {
			n++
		}
		return n
	}
	for _, c := range []struct {
		now  time.Duration
		want int
	}{{0, 20}, {0, 0}, {200 * time.Millisecond, 1}, {time.Second, 4}, {time.Hour, 20}, {time.Hour, 0}} {
		if n := take(c.now); n != c.want {
			t.Errorf("at %v: %d, want %d", c.now, n, c.want)
		}
	}
}

// What is counted in fractions adds up.
func TestFractions(t *testing.T) {
	l := NewLimiter[string](NewPace(10, time.Second, 0))
	n := 0
	for l.Take("bot", 0, 1.0/4, 0) == 0 {
		n++
	}
	if n != 40 {
		t.Errorf("%d of a quarter, want 40", n)
	}
	l.GiveBack("bot", 0, 1)
	if l.Take("bot", 0, 1, 0) != 0 || l.Take("bot", 0, 1, 0) == 0 {
		t.Error("what was given back is not there once")
	}
	l.GiveBack("nobody", 0, 1)
	(*Limiter[string])(nil).GiveBack("bot", 0, 1)
}

func BenchmarkLimiter(b *testing.B) {
	for _, n := range []int{1, 1 << 20} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			l := NewLimiter[netip.Prefix](NewPace(1000, time.Second, 0))
			i := 0
			for b.Loop() {
				i = (i*5 + 1) % n
				l.Take(Address(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})), 0, 1, 0)
			}
		})
	}
}
