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
	base, max time.Duration
	rand      func(n int64) int64 // in [0, n)
}

// randInt64N is the default of ReconnectorConfig.Rand.
func randInt64N(n int64) int64 { return rand.Int64N(n) }

// delay is the time to wait after so many failures in a row, 1 at least.
func (b *backoff) delay(failures int) time.Duration {
	ceiling := min(b.base, b.max)
	for n := 1; n < failures && ceiling < b.max; n++ {
		ceiling += min(ceiling, b.max-ceiling) // doubled, without overflow
	}
	return time.Duration(b.rand(int64(ceiling)))
}

// sleep waits for d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
