package client

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff says how long to wait before the next attempt: a random time between
// nothing and a ceiling that doubles with each failure (exponential, with full
// jitter), so that the clients of a server that comes back do not come all at
// once.
type backoff struct {
	base, most time.Duration
	rand       func(n int64) int64 // in [0, n)
}

// randInt64N is the default of ReconnectorConfig.Rand.
func randInt64N(n int64) int64 { return rand.Int64N(n) }

// delay is the time to wait after so many failures in a row, 1 at least.
func (b *backoff) delay(failures int) time.Duration {
	ceiling := min(b.base, b.most)
	for n := 1; n < failures && ceiling < b.most; n++ {
		ceiling += min(ceiling, b.most-ceiling) // doubled, without overflow
	}
	return time.Duration(b.rand(int64(ceiling)))
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, clock Clock, d time.Duration) error {
	over := make(chan struct{})
	stop := clock.AfterFunc(d, func() { close(over) })
	defer stop()
	select {
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
