package server

import (
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A burst is followed by one release of memory, when it is over.
func TestRelease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mib = 1 << 20
		var total, live, freed atomic.Int64 // the releaser's timer reads what was added since it was set
		r := &releaser{burst: 16 * mib,
			allocated: func() (int64, int64) { return total.Load(), live.Load() },
			free: func() {
				freed.Add(1)
				total.Add(1000) // what collecting takes
			}}
		work := func(bytes, want int64, after time.Duration) {
			t.Helper()
			total.Add(bytes)
			r.touch()
			time.Sleep(after)
			synctest.Wait()
			if n := freed.Load(); n != want {
				t.Errorf("memory was released %d times; want %d", n, want)
			}
		}
		work(15*mib, 0, time.Hour)    // no burst
		work(mib, 0, quietPeriod+1)   // the burst may go on,
		work(2*mib, 0, quietPeriod)   // and did
		work(0, 1, quietPeriod)       // now it is over
		work(0, 1, time.Hour)         // released once a burst
		work(mib/2, 1, time.Hour)     // a little at a time
		work(15*mib, 1, time.Hour)    // is a burst in the end,
		work(mib/2, 2, 2*quietPeriod) // when that much has come together
		live.Store(100 * mib)
		work(49*mib, 2, time.Hour) // little, beside what is live
		work(mib, 3, 3*quietPeriod)
		for range 100 { // always busy
			work(mib, 3, quietPeriod)
		}
		work(0, 4, 2*quietPeriod)
		r.burst = 0
		work(1000*mib, 4, time.Hour)
	})
}

// What the runtime says has been allocated grows with what is allocated, and every
// loop that works has it looked at.
func TestReleaseWatches(t *testing.T) {
	total, _ := readAllocated()
	b := make([]byte, 1<<20)
	after, _ := readAllocated()
	runtime.KeepAlive(b)
	if after-total < 1<<20 {
		t.Errorf("%d bytes were allocated, of 1 MiB", after-total)
	}
	ts := start(t, Config{Handler: funcs{}, ReleaseAfter: Off})
	l := ts.loops[0]
	checked := make(chan bool, 1)
	l.post(task{kind: taskCall, call: func() {
		l.release = &releaser{burst: 1 << 40, allocated: func() (int64, int64) {
			select {
			case checked <- true:
			default:
			}
			return 0, 0
		}}
	}}, nil)
	receive(t, checked)
}
