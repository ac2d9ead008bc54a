package api

import (
	"net/netip"
	"time"

	"github.com/hawser-ws/hawser/server/rate"
)

// Rate limits how often something may be done from one address. rate.Address says what counts
// as one address.
type Rate struct {
	limiter *rate.Limiter[netip.Prefix]
	now     func() time.Duration // monotonic
}

// NewRate returns a Rate that allows perMinute actions per minute from each address, and as
// many at once. For 0 it returns nil, which is no limit. now is a monotonic clock, such as
// chat.Clock.Monotonic.
func NewRate(perMinute int, now func() time.Duration) *Rate {
	limiter := rate.NewLimiter[netip.Prefix](rate.NewPace(perMinute, time.Minute, 0))
	if limiter == nil {
		return nil
	}
	return &Rate{limiter: limiter, now: now}
}

// Take counts one action from an address, or returns how long to wait.
func (r *Rate) Take(addr netip.Addr) (wait time.Duration) {
	return r.limiter.Take(rate.Address(addr), r.now(), 1, 0)
}
