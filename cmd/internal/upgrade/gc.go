package upgrade

import (
	"runtime/debug"
	"time"
)

// Clients wait while connections move. What that needs of memory is mostly what stays, so there is little to collect:
// in the old process, which is about to end, and in the new one, whose small heap would be collected again
// and again as it grows, and once more just when its clients are served.
const (
	movingGC = 800             // GOGC meanwhile
	calmTime = 2 * time.Second // and in the new process for so long after that
)

// delayGC delays garbage collections, until usual is called. A limit of memory (GOMEMLIMIT) counts as always.
func delayGC() (usual func()) {
	before := debug.SetGCPercent(movingGC)
	if before < 0 || before > movingGC {
		debug.SetGCPercent(before)
	}
	return func() { debug.SetGCPercent(before) }
}
