package upgrade

import (
	"runtime/debug"
	"testing"
)

// gcPercent is GOGC now.
func gcPercent() int {
	n := debug.SetGCPercent(100)
	debug.SetGCPercent(n)
	return n
}

// GOGC is what it was when the last delay has ended, whichever that is: an upgrade that fails may
// have begun while the upgrade before it still delayed.
func TestDelayGC(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	for _, c := range []struct{ usual, meanwhile int }{{50, movingGC}, {-1, -1}, {2 * movingGC, 2 * movingGC}} {
		for _, firstEndsFirst := range []bool{true, false} {
			debug.SetGCPercent(c.usual)
			ends := []func(){delayGC(), delayGC()}
			if !firstEndsFirst {
				ends[0], ends[1] = ends[1], ends[0]
			}
			ends[0]()
			ends[0]() // no effect
			if got := gcPercent(); got != c.meanwhile {
				t.Errorf("usually %d: %d while it is delayed; want %d", c.usual, got, c.meanwhile)
			}
			ends[1]()
			if got := gcPercent(); got != c.usual {
				t.Errorf("usually %d: %d in the end", c.usual, got)
			}
		}
	}
}
