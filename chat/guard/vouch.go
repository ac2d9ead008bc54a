package guard

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// vouchers are guests who have vouched for an address, and when. Guarded by Guard.mu.
type vouchers map[string]time.Duration

// take reports whether a guest can vouch at a time, and notes that they do.
func (v *vouchers) take(id string, now, every time.Duration) bool {
	at, known := (*v)[id]
	if known && now-at < every {
		return false
	}
	if *v == nil {
		*v = make(vouchers)
	}
	if !known && len(*v) >= maxCounted {
		for other, at := range *v {
			if now-at >= every {
				delete(*v, other)
			}
		}
		if len(*v) >= maxCounted {
			return false // so many guests have vouched that this no longer tells good from bad
		}
	}
	(*v)[id] = now
	return true
}

// shared reports whether a user who is connected from a network vouches for it.
func (g *Guard) shared(ctx context.Context, network netip.Prefix) bool {
	var guests []string
	for _, id := range g.wellBehaved(g.cfg.UsersAt(network, maxAsked)) {
		u, err := g.cfg.User(ctx, id)
		switch {
		case err != nil || !u.Guest:
			return true
		case g.cfg.Now()-u.Created >= g.cfg.Duration.Milliseconds():
			guests = append(guests, id)
		}
	}
	now := g.cfg.Clock.Monotonic()
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(guests, func(id string) bool { return g.vouchers.take(id, now, g.cfg.Longest) })
}

// wellBehaved returns those of the users who have not offended within the window.
func (g *Guard) wellBehaved(users []string) []string {
	now := g.cfg.Clock.Monotonic()
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(users, func(id string) bool {
		c := g.users[id]
		return c != nil && len(c.acts) > 0 && now-c.acts[len(c.acts)-1].at <= g.cfg.Window
	})
}
