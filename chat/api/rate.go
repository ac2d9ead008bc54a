package api

import (
	"net/netip"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// Rate limits how often something may be done from one address, as
// chat.AddressSubject counts addresses.
type Rate struct {
	rate *chat.Rate[netip.Prefix]
	now  func() time.Duration // monotonic
}

// NewRate allows perMinute things a minute from each address, and as many at once.
// It returns nil, which is no limit, for 0. now is a monotonic clock, as
// chat.Clock.Monotonic is.
func NewRate(perMinute int, now func() time.Duration) *Rate {
	rate := chat.NewRate[netip.Prefix](chat.NewPace(perMinute, time.Minute, 0))
	if rate == nil {
		return nil
	}
	return &Rate{rate: rate, now: now}
}

// Take counts one thing from an address, or says how long to wait.
func (r *Rate) Take(addr netip.Addr) (wait time.Duration) {
	return r.rate.Take(chat.AddressSubject(addr), r.now(), 1, 0)
}
