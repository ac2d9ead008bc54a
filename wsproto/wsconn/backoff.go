package wsconn

import (
	"context"
	"math/rand/v2"
	"time"
)

// backoff computes how long to wait before the next attempt: a random time between
// zero and a ceiling that doubles with each failure (exponential back-off with full
// jitter). So the clients of a server that comes back do not all connect at once.
type backoff struct {
	base, limit time.Duration
	rand        func(n int64) int64 // in [0, n)
}

// randInt64N is the default of ReconnectorConfig.Rand.
func randInt64N(n int64) int64 { return rand.Int64N(n) }

// delay returns the time to wait after that many failures in a row, at least 1.
func (b *backoff) delay(failures int) time.Duration {
	ceiling := min(b.base, b.limit)
	for n := 1; n < failures && ceiling < b.limit; n++ {
		ceiling += min(ceiling, b.limit-ceiling) // doubled, without overflow
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
