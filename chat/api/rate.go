package api

import (
	"net/netip"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// Rate limits how often something may be done from one address. chat.AddressSubject says what
// counts as one address.
type Rate struct {
	rate *chat.Rate[netip.Prefix]
	now  func() time.Duration // monotonic
}

// NewRate returns a Rate that allows perMinute things per minute from each address, and as
// many at once. For 0 it returns nil, which is no limit. now is a monotonic clock, such as
// chat.Clock.Monotonic.
func NewRate(perMinute int, now func() time.Duration) *Rate {
	rate := chat.NewRate[netip.Prefix](chat.NewPace(perMinute, time.Minute, 0))
	if rate == nil {
		return nil
	}
	return &Rate{rate: rate, now: now}
}

// Take counts one thing from an address, or returns how long to wait.
func (r *Rate) Take(addr netip.Addr) (wait time.Duration) {
	return r.rate.Take(chat.AddressSubject(addr), r.now(), 1, 0)
}
