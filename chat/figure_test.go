package chat_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// A value at a bound is in that bound's bucket, and nothing is lost that several observe at
// once.
func TestHistogram(t *testing.T) {
	h := chat.NewHistogram(1, 2, 4)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				for _, v := range []float64{0.5, 1, 3, 4, 5} {
					h.Observe(v)
				}
			}
		})
	}
	wg.Wait()
	want := chat.HistogramData{Count: 40_000, Sum: 13.5 * 8000, UpTo: map[float64]uint64{1: 16_000, 2: 16_000, 4: 32_000}}
	if d := cmp.Diff(want, h.Data()); d != "" {
		t.Error(d)
	}
	if n := testing.AllocsPerRun(100, func() { h.Observe(3) }); n != 0 {
		t.Errorf("%v allocations to observe a value", n)
	}
}
