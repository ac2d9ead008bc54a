package client

import (
	"context"
	"time"
)

// Clock tells the time. Where one is asked for, nil stands for the machine's.
type Clock interface {
	// Now is the current time. Only differences between two of them are used.
	Now() time.Time

	// AfterFunc calls f in a goroutine of its own once d has passed. The
	// function it returns prevents that, and reports whether it did.
	AfterFunc(d time.Duration, f func()) (stop func() bool)
}

type systemClock struct{}

func (systemClock) Now() time.Time { return time.Now() }

func (systemClock) AfterFunc(d time.Duration, f func()) (stop func() bool) {
	return time.AfterFunc(d, f).Stop
}

// orSystem returns c, or the machine's clock for nil.
func orSystem(c Clock) Clock {
	if c == nil {
		return systemClock{}
	}
	return c
}

// withTimeout is context.WithTimeout on a clock. When the time is over, the
// context's cause is context.DeadlineExceeded.
func withTimeout(ctx context.Context, clock Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := clock.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}
