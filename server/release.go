package server

import (
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// releaser returns to the system the memory that bursts of work leave behind. While ten
// thousand clients connect, join groups or are all sent something, much is allocated that
// is garbage soon after. The runtime collects it only when as much again has been
// allocated, and would hold on to the memory until it has another use for it.
type releaser struct {
	// Immutable.
	burst     int64                      // allocated bytes that make a burst; 0: never release
	allocated func() (total, live int64) // readAllocated, except in tests
	free      func()                     // debug.FreeOSMemory, except in tests

	watching atomic.Bool // check is going to be called

	// Of check, which runs once at a time.
	last     int64 // total when it ran last
	released int64 // total at the last release
}

// quietPeriod is how long the process must have allocated hardly anything, less than a
// sixteenth of a burst, for a burst to be over.
const quietPeriod = time.Second

func newReleaser(burst int) *releaser {
	return &releaser{burst: int64(burst), allocated: readAllocated, free: debug.FreeOSMemory}
}

// touch notes that a loop has worked: there may be something to release soon.
func (r *releaser) touch() {
	if r.burst > 0 && !r.watching.Load() && r.watching.CompareAndSwap(false, true) {
		time.AfterFunc(quietPeriod, r.check)
	}
}

// check releases memory if a burst is over. It does so at most once for each half of what
// is live, so that collecting garbage does not take more time than it does anyway.
func (r *releaser) check() {
	total, live := r.allocated()
	busy := total-r.last >= r.burst/16
	r.last = total
	if busy {
		time.AfterFunc(quietPeriod, r.check)
		return
	}
	if total-r.released >= max(r.burst, live/2) {
		r.free()
		r.released, _ = r.allocated()
		r.last = r.released
	}
	r.watching.Store(false)
}

// readAllocated returns how many bytes the process has allocated since it began, and how
// many of them were live when garbage was last collected.
func readAllocated() (total, live int64) {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64()), int64(s[1].Value.Uint64())
}
