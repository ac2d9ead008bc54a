package client

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The ceiling doubles up to its bound, and the delay is anywhere below it.
func TestBackoff(t *testing.T) {
	var ceilings []time.Duration
	b := backoff{base: 100 * time.Millisecond, most: time.Second, rand: func(n int64) int64 {
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
	b.base, b.most = 1, math.MaxInt64
	if d := b.delay(1000); d != math.MaxInt64-1 {
		t.Errorf("delay(1000) = %v; want no overflow", d)
	}
	b.base, b.most = 5, 2
	if d := b.delay(1); d != 1 {
		t.Errorf("delay(1) = %v; want BackoffMax to bound BackoffBase", d)
	}
}

func TestSleep(t *testing.T) {
	clock := newFakeClock()
	slept := started(func() error { return sleep(context.Background(), clock, time.Second) })
	clock.await(1)
	clock.advance(time.Second)
	if err := receive(t, slept); err != nil {
		t.Errorf("sleep = %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	slept = started(func() error { return sleep(ctx, clock, time.Second) })
	clock.await(1)
	cancel()
	if err := receive(t, slept); err != context.Canceled {
		t.Errorf("sleep = %v; want context.Canceled", err)
	}
	clock.await(0)
}

// The machine's clock, as far as that can be tested without waiting.
func TestSystemClock(t *testing.T) {
	clock := orSystem(nil)
	before := clock.Now()
	fired := make(chan struct{})
	clock.AfterFunc(0, func() { close(fired) })
	receive(t, fired)
	if clock.Now().Before(before) {
		t.Error("time runs backwards")
	}
	if stop := clock.AfterFunc(time.Hour, func() {}); !stop() {
		t.Error("a timer cannot be stopped")
	}
}
