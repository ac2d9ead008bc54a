package local

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/server/rate"
)

// Bans is a chat.Bans of one process, in memory. An engine that stores bans uses it to hold them
// in memory.
type Bans struct {
	cfg BansConfig

	known atomic.Int64 // how many there are

	mu sync.RWMutex
	// Guarded by mu.
	users    map[string]chat.Ban
	networks map[netip.Prefix]chat.Ban
	lengths  [2][129]int // how many networks have each number of bits, for IPv4 and IPv6
	ends     banEnds
}

// BansConfig configures Bans.
type BansConfig struct {
	Now    func() int64   // the service's time, in ms since 1970
	Banned func(chat.Ban) // called for each new ban

	// Sessions whose sessions of a banned user end; nil: the engine ends them itself.
	Sessions *Sessions

	Max int // the maximum number of bans; default: chat.MaxBans
}

// NewBans returns Bans that hold the saved ones.
func NewBans(cfg BansConfig, saved []chat.Ban) *Bans {
	cfg.Max = cmp.Or(cfg.Max, chat.MaxBans)
	b := &Bans{cfg: cfg, users: make(map[string]chat.Ban), networks: make(map[netip.Prefix]chat.Ban)}
	b.Restore(saved)
	return b
}

// Restore adds saved bans, without announcing them.
func (b *Bans) Restore(saved []chat.Ban) {
	for _, one := range saved {
		b.put(one)
	}
}

// Ban implements chat.Bans.
func (b *Bans) Ban(ctx context.Context, one chat.Ban) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	forgotten, err := b.Admit(&one)
	if err != nil {
		return err
	}
	for i := range forgotten {
		b.Forget(&forgotten[i])
	}
	b.Apply(one)
	return nil
}

const (
	// someEnded is how many bans that ended long ago are forgotten with each new ban, so that
	// they become fewer.
	someEnded = 4

	// manyEnded is how many ended bans are forgotten if there is no room for a new one.
	manyEnded = 64
)

// Room is how many bans there may be when one is added: chat.ReservedBans places are reserved for
// bans by administrators.
func (b *Bans) Room(one *chat.Ban) int {
	if one.Strike > 0 {
		return b.cfg.Max - b.cfg.Max/(chat.MaxBans/chat.ReservedBans)
	}
	return b.cfg.Max
}

// Admit returns an error if a ban cannot be added, and the ended ones that must be forgotten with
// it. The caller forgets them first in its store, then here (Forget).
func (b *Bans) Admit(one *chat.Ban) (forget []chat.Ban, err error) {
	if err := one.Check(); err != nil {
		return nil, err
	}
	if _, known := b.Last(one.Subject()); !known && b.known.Load() >= int64(b.Room(one)) {
		if forget = b.Spare(); len(forget) == 0 {
			return nil, chat.ErrTooManyBans
		}
		return forget, nil
	}
	forget = b.Ended(someEnded, chat.BanMemory.Milliseconds())
	return slices.DeleteFunc(forget, func(other chat.Ban) bool { return other.Subject() == one.Subject() }), nil
}

// Spare returns some bans that ended, and can be forgotten if there is no room.
func (b *Bans) Spare() []chat.Ban { return b.Ended(manyEnded, 0) }

// Apply puts a ban in force, ends the sessions of a banned user, and announces it. It does not
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
	b.noteEnd(&one)
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
	b.mu.Lock()
	defer b.mu.Unlock()
	one, known := b.last(subject)
	if !known {
		return false
	}
	b.drop(&one)
	return one.InForce(b.cfg.Now())
}

// Forget forgets a ban, unless its subject has another one by now.
func (b *Bans) Forget(one *chat.Ban) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now, known := b.last(one.Subject()); known && now == *one {
		b.drop(one)
	}
}

// drop removes an existing ban. Called with mu held.
func (b *Bans) drop(one *chat.Ban) {
	if one.UserID != "" {
		delete(b.users, one.UserID)
	} else {
		delete(b.networks, one.Network)
		*b.length(one.Network)--
	}
	b.known.Store(int64(len(b.users) + len(b.networks)))
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
	now := b.cfg.Now()
	b.mu.RLock()
	defer b.mu.RUnlock()
	literal, stands := addr.Unmap().WithZone(""), rate.Canonical(addr)
	one, banned = b.ofAddress(literal, now)
	if stands != literal {
		if next, also := b.ofAddress(stands, now); also && (!banned || longer(&next, &one)) {
			one, banned = next, true
		}
	}
	return one, banned
}

// ofAddress returns the ban of the networks that contain an address as it is written. Called with
// mu held.
func (b *Bans) ofAddress(addr netip.Addr, now int64) (one chat.Ban, banned bool) {
	lengths := &b.lengths[family(addr)]
	for bits := addr.BitLen(); bits >= 0; bits-- {
		if lengths[bits] == 0 {
			continue
		}
		network, _ := addr.Prefix(bits)
		if next, known := b.networks[network]; known && next.InForce(now) && (!banned || longer(&next, &one)) {
			one, banned = next, true
		}
	}
	return one, banned
}

// longer reports whether a ban ends after another one.
func longer(one, other *chat.Ban) bool {
	return other.Until != 0 && (one.Until == 0 || one.Until > other.Until)
}

// Last implements chat.Bans.
func (b *Bans) Last(subject string) (one chat.Ban, known bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.last(subject)
}

// last is Last, with mu held.
func (b *Bans) last(subject string) (one chat.Ban, known bool) {
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
