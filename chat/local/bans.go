package local

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hawser-ws/hawser/chat"
)

// Bans is a chat.Bans of one process, in memory. An engine that stores bans uses it for what it
// has stored.
type Bans struct {
	cfg BansConfig

	known atomic.Int64 // how many there are

	mu sync.RWMutex
	// Guarded by mu.
	users    map[string]chat.Ban
	networks map[netip.Prefix]chat.Ban
	lengths  [2][129]int // how many networks have so many bits, of IPv4 and IPv6
}

// BansConfig says where Bans belong.
type BansConfig struct {
	Now    func() int64   // the service's time, in ms since 1970
	Banned func(chat.Ban) // called for each new ban

	// Sessions of which those of a banned user end; nil: the engine ends them itself.
	Sessions *Sessions
}

// NewBans returns Bans with those that are saved.
func NewBans(cfg BansConfig, saved []chat.Ban) *Bans {
	b := &Bans{cfg: cfg, users: make(map[string]chat.Ban), networks: make(map[netip.Prefix]chat.Ban)}
	for _, one := range saved {
		b.put(one)
	}
	return b
}

// Ban implements chat.Bans.
func (b *Bans) Ban(ctx context.Context, one chat.Ban) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := b.Admit(&one); err != nil {
		return err
	}
	b.Apply(one)
	return nil
}

// Admit reports what speaks against a ban. It forgets bans that ended long ago if that makes room.
func (b *Bans) Admit(one *chat.Ban) error {
	if err := one.Check(); err != nil {
		return err
	}
	if b.known.Load() < chat.MaxBans {
		return nil
	}
	if _, known := b.Last(one.Subject()); known {
		return nil
	}
	for _, subject := range b.Ended(chat.MaxBans, 0) {
		b.Remove(subject)
	}
	if b.known.Load() >= chat.MaxBans {
		return chat.ErrTooManyBans
	}
	return nil
}

// Apply puts a ban in force, ends the sessions of a banned user, and tells of it. It does not
// block.
func (b *Bans) Apply(one chat.Ban) {
	b.put(one)
	if !one.InForce(b.cfg.Now()) {
		return
	}
	if one.UserID != "" && b.cfg.Sessions != nil {
		b.cfg.Sessions.end(one.UserID, "", chat.UserBanned)
	}
	b.cfg.Banned(one)
}

func (b *Bans) put(one chat.Ban) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if one.UserID != "" {
		b.users[one.UserID] = one
	} else {
		if _, have := b.networks[one.Network]; !have {
			*b.length(one.Network)++
		}
		b.networks[one.Network] = one
	}
	b.known.Store(int64(len(b.users) + len(b.networks)))
}

// length is how many networks have as many bits as this one. Called with mu held.
func (b *Bans) length(p netip.Prefix) *int { return &b.lengths[family(p.Addr())][p.Bits()] }

func family(addr netip.Addr) int {
	if addr.Is4() {
		return 0
	}
	return 1
}

// Unban implements chat.Bans.
func (b *Bans) Unban(ctx context.Context, subject string) (was bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	return b.Remove(subject), nil
}

// Remove forgets the ban of a subject. was says whether one was in force.
func (b *Bans) Remove(subject string) (was bool) {
	one, known := b.Last(subject)
	if !known {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if one.UserID != "" {
		delete(b.users, one.UserID)
	} else if _, have := b.networks[one.Network]; have {
		delete(b.networks, one.Network)
		*b.length(one.Network)--
	}
	b.known.Store(int64(len(b.users) + len(b.networks)))
	return one.InForce(b.cfg.Now())
}

// OfUser implements chat.Bans.
func (b *Bans) OfUser(userID string) (one chat.Ban, banned bool) {
	if b.known.Load() == 0 {
		return one, false
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	if one, known := b.users[userID]; known && one.InForce(b.cfg.Now()) {
		return one, true
	}
	return one, false
}

// OfAddress implements chat.Bans.
func (b *Bans) OfAddress(addr netip.Addr) (one chat.Ban, banned bool) {
	if b.known.Load() == 0 || !addr.IsValid() {
		return one, false
	}
	addr = addr.Unmap().WithZone("")
	now := b.cfg.Now()
	b.mu.RLock()
	defer b.mu.RUnlock()
	lengths := &b.lengths[family(addr)]
	for bits := addr.BitLen(); bits >= 0; bits-- {
		if lengths[bits] == 0 {
			continue
		}
		network, _ := addr.Prefix(bits)
		if one, known := b.networks[network]; known && one.InForce(now) {
			return one, true
		}
	}
	return one, false
}

// Last implements chat.Bans.
func (b *Bans) Last(subject string) (one chat.Ban, known bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if one, known = b.users[subject]; known {
		return one, true
	}
	network, err := netip.ParsePrefix(subject)
	if err != nil {
		return one, false
	}
	one, known = b.networks[network]
	return one, known
}

// List implements chat.Bans.
func (b *Bans) List(after string, limit int) (bans []chat.Ban, more bool) {
	now := b.cfg.Now()
	for _, one := range b.All() {
		if one.Subject() > after && one.InForce(now) {
			bans = append(bans, one)
		}
	}
	slices.SortFunc(bans, func(x, y chat.Ban) int { return strings.Compare(x.Subject(), y.Subject()) })
	if len(bans) > limit {
		return bans[:limit], true
	}
	return bans, false
}

// All returns all bans, also those that have ended, in no order.
func (b *Bans) All() []chat.Ban {
	b.mu.RLock()
	defer b.mu.RUnlock()
	all := make([]chat.Ban, 0, len(b.users)+len(b.networks))
	for _, one := range b.users {
		all = append(all, one)
	}
	for _, one := range b.networks {
		all = append(all, one)
	}
	return all
}

// Ended returns at most limit subjects of bans that ended more than so many ms ago.
func (b *Bans) Ended(limit int, ago int64) (subjects []string) {
	then := b.cfg.Now() - ago
	for _, one := range b.All() {
		if !one.InForce(then) && len(subjects) < limit {
			subjects = append(subjects, one.Subject())
		}
	}
	return subjects
}
