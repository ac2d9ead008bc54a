package chat

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Bans stores who is banned: users and networks. Every node holds all bans in memory, so that a
// look-up costs nearly nothing and never fails.
type Bans interface {
	// OfUser returns the ban of a user that is in force.
	OfUser(userID string) (b Ban, banned bool)

	// OfAddress returns the ban in force of the networks that contain an address which ends
	// last; of those that end together, that of the smallest network.
	OfAddress(addr netip.Addr) (b Ban, banned bool)

	// Last returns the newest ban of a subject. It may have ended, up to BanMemory ago.
	// Ended bans are forgotten sooner if there is no room for another one.
	Last(subject string) (b Ban, known bool)

	// List lists at most limit bans in force, in byte order of their subjects, after the
	// given subject.
	List(after string, limit int) (bans []Ban, more bool)

	// Ban stores a ban, in the place of an earlier one of its subject. It is durable when
	// Ban returns, and in force on all nodes within a second. The sessions of a banned user
	// end, and the receivers of all nodes are told (Receiver.Banned). The error is
	// ErrTooManyBans if MaxBans subjects are banned, and for a ban with a Strike already if
	// only ReservedBans places are left.
	Ban(ctx context.Context, b Ban) error

	// Unban lifts the ban of a subject, and forgets it. was says whether one was in force.
	Unban(ctx context.Context, subject string) (was bool, err error)
}

// Ban keeps a user or a network out.
type Ban struct {
	// One of the two.
	UserID  string       `json:"user,omitempty"`
	Network netip.Prefix `json:"network,omitzero"`

	Reason string `json:"reason"`           // for people
	By     string `json:"by,omitempty"`     // who or what has banned
	Since  int64  `json:"since"`            // ms since 1970
	Until  int64  `json:"until,omitempty"`  // in ms since 1970, when it ends; 0: when it is lifted
	Strike int    `json:"strike,omitempty"` // the number of the ban in a row of automatic ones, which become longer; 0: it was given by hand
}

// MaxBans is the maximum number of subjects that may be banned at a time.
const MaxBans = 100_000

// ReservedBans is how many of MaxBans automatic bans (Ban.Strike) leave free, so that one can
// always be given by hand.
const ReservedBans = MaxBans / 10

// BanMemory is how long a ban with an end is remembered after it.
const BanMemory = 24 * time.Hour

// ErrTooManyBans says that MaxBans subjects are banned.
var ErrTooManyBans = errors.New("chat: too many users and networks are banned")

// Subject identifies who is banned: a user id, or a network such as "192.0.2.0/24".
func (b *Ban) Subject() string {
	if b.UserID != "" {
		return b.UserID
	}
	return b.Network.String()
}

// InForce reports whether the ban has not ended at a time, in ms since 1970.
func (b *Ban) InForce(now int64) bool { return b.Until == 0 || now < b.Until }

// Check returns an error that says what is wrong with a ban, if anything is.
func (b *Ban) Check() error {
	switch {
	case (b.UserID != "") == b.Network.IsValid():
		return errors.New("chat: a ban is of a user or of a network")
	case b.UserID != "" && !ValidUserID(b.UserID):
		return fmt.Errorf("chat: %q is not a user id", b.UserID)
	case b.Network.IsValid() && (b.Network != b.Network.Masked() || b.Network.Addr().Is4In6()):
		return fmt.Errorf("chat: the network %s has more bits than it says, or is IPv4 written as IPv6", b.Network)
	case b.Reason == "":
		return errors.New("chat: a ban needs a reason")
	}
	return nil
}

// ParseBanSubject reads who is to be banned: a user id, an address or a network. Of an IPv6
// address it is the /64 network, in which its owner may choose addresses freely.
func ParseBanSubject(s string) (b Ban, err error) {
	if ValidUserID(s) {
		return Ban{UserID: s}, nil
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return Ban{Network: AddressSubject(addr)}, nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		hint := ""
		if !strings.ContainsAny(s, ".:/") {
			hint = "; user ids begin with u_"
		}
		return b, fmt.Errorf("%q is neither a user id, nor an address, nor a network such as 192.0.2.0/24%s", s, hint)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return b, fmt.Errorf("the network %s contains all of IPv4", p)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return Ban{Network: p.Masked()}, nil
}
