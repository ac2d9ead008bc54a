package upgrade

import (
	"runtime/debug"
	"sync"
	"time"
)

// Clients wait while connections move. Garbage collections would make them wait longer, and find little: the
// old process is about to end, and most of what the new one allocates stays. Its small heap would be collected
// again and again as it grows, and once more just when its clients are served.
const (
	movingGC = 800             // GOGC meanwhile
	calmTime = 2 * time.Second // and in the new process for so long after that
)

// delays are the calls of delayGC that have not ended. A process that has just taken over may be
// replaced itself before it is calm.
var delays struct {
	mu    sync.Mutex
	n     int // Guarded by mu.
	usual int // Guarded by mu. GOGC without them.
}

// delayGC delays garbage collections until end is called. A limit of memory (GOMEMLIMIT) counts as always.
func delayGC() (end func()) {
	delays.mu.Lock()
	defer delays.mu.Unlock()
	if delays.n++; delays.n == 1 {
		delays.usual = debug.SetGCPercent(movingGC)
		if delays.usual < 0 || delays.usual > movingGC {
			debug.SetGCPercent(delays.usual)
		}
	}
	return sync.OnceFunc(func() {
		delays.mu.Lock()
		defer delays.mu.Unlock()
		if delays.n--; delays.n == 0 {
			debug.SetGCPercent(delays.usual)
		}
	})
}
