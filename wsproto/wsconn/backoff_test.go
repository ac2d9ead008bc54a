package wsconn

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The ceiling doubles up to its bound, and the delay is anywhere below it.
func TestBackoff(t *testing.T) {
	var ceilings []time.Duration
	b := backoff{base: 100 * time.Millisecond, limit: time.Second, rand: func(n int64) int64 {
		ceilings = append(ceilings, time.Duration(n))
		return n - 1
	}}
	for failures := 1; failures <= 6; failures++ {
		if d := b.delay(failures); d != ceilings[failures-1]-1 {
			t.Errorf("delay(%d) = %v", failures, d)
		}
	}
	b.delay(math.MaxInt)
	want := []time.Duration{1e8, 2e8, 4e8, 8e8, 1e9, 1e9, 1e9}
	if d := cmp.Diff(want, ceilings); d != "" {
		t.Errorf("ceilings (-want +got):\n%s", d)
	}
	b.base, b.limit = 1, math.MaxInt64
	if d := b.delay(1000); d != math.MaxInt64-1 {
		t.Errorf("delay(1000) = %v; want no overflow", d)
	}
	b.base, b.limit = 5, 2
	if d := b.delay(1); d != 1 {
		t.Errorf("delay(1) = %v; want BackoffMax to bound BackoffBase", d)
	}
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if err := sleep(t.Context(), time.Second); err != nil || time.Since(began) != time.Second {
			t.Errorf("sleep = %v after %v; want nil after a second", err, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		slept := make(chan error, 1)
		go func() { slept <- sleep(ctx, time.Hour) }()
		synctest.Wait()
		cancel()
		if err := <-slept; err != context.Canceled {
			t.Errorf("sleep = %v; want context.Canceled", err)
		}
	})
}
