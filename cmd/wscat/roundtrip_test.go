package main

import (
	"testing"
	"time"
)

func TestRoundTrips(t *testing.T) {
	var trips roundTrips
	start := time.Unix(1_700_000_000, 5)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	first := trips.ping(at(0))
	if string(first) != "1700000000000000005" {
		t.Errorf("payload %q is not the time", first)
	}
	second, third := trips.ping(at(10)), trips.ping(at(20))

	check := func(payload []byte, now time.Time, want time.Duration, wantOK bool) {
		t.Helper()
		if got, ok := trips.pong(payload, now); got != want || ok != wantOK {
			t.Errorf("pong %q: %v, %v; want %v, %v", payload, got, ok, want, wantOK)
		}
	}
	check(nil, at(21), 0, false) // C12: nobody asked
	check([]byte("170000"), at(21), 0, false)
	check(second, at(25), 15*time.Millisecond, true)
	check(second, at(26), 0, false) // answered already
	check(first, at(27), 0, false)  // passed over
	check(third, at(50), 30*time.Millisecond, true)

	for i := range 10 * maxTrips {
		first = trips.ping(at(100 + i))
	}
	if len(trips.waiting) != maxTrips {
		t.Errorf("%d pings are remembered, want %d", len(trips.waiting), maxTrips)
	}
	check(first, at(100+10*maxTrips), time.Millisecond, true)
}
