package enginetest

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// The model of guests. A guest's memberships end with the last session, and only then: while a
// guest certainly has a session, only a leave ends a membership, and without a session, there is no
// membership.

// guests are those of the people who are guests.
var guests = []string{"u_gil"}

// interval is a part of performance.time.
type interval struct{ from, to int64 }

// gaps are the times when a guest may have had no session: when none was certainly alive.
func (p *performance) gaps(user string) (gaps []interval) {
	var alive []interval
	for _, l := range p.logins {
		if l.user == user {
			alive = append(alive, interval{l.begun, p.endOf(l)})
		}
	}
	slices.SortFunc(alive, func(a, b interval) int { return cmp.Compare(a.from, b.from) })
	at := int64(0)
	for _, one := range alive {
		if one.from > at {
			gaps = append(gaps, interval{at, one.from})
		}
		at = max(at, one.to)
	}
	if at < math.MaxInt64 {
		gaps = append(gaps, interval{at, math.MaxInt64})
	}
	return gaps
}

// endOf is the time until which a session is certainly alive.
func (p *performance) endOf(l *login) int64 {
	end := int64(math.MaxInt64)
	if l.expired > 0 {
		end = l.expired
	}
	for i := range p.endings {
		e := &p.endings[i]
		if e.user == l.user && (e.id == l.id || e.id == "" && (e.answered() == 0 || l.began < e.answered())) {
			end = min(end, e.asked)
		}
	}
	return end
}

// noteExpiries notes which sessions may have expired because time has passed.
func (p *performance) noteExpiries(before int64) {
	for _, l := range p.logins {
		if may, _ := p.expired(l); may && l.expired == 0 {
			l.expired = before
		}
	}
}

// guestAttempts are the events that may have ended the memberships of guests, or certainly have.
func (p *performance) guestAttempts(all map[membership][]attempt) {
	for _, user := range guests {
		var ends []attempt
		for _, gap := range p.gaps(user) {
			ends = append(ends, attempt{maybe: true, asked: gap.from, answered: gap.to})
		}
		for _, at := range p.without[user] {
			ends = append(ends, attempt{asked: at, answered: at})
		}
		for _, room := range rooms {
			m := membership{user, room}
			all[m] = append(all[m], ends...)
		}
	}
}

// settleGuests waits until guests without a session are members of no room. It gives the engine an
// occasion to notice that sessions have expired.
func (p *performance) settleGuests() error {
	for _, l := range p.logins {
		if _, must := p.expired(l); must && slices.Contains(guests, l.user) {
			if _, err := p.Sessions.Resume(ctx, l.id, chat.KeyHash{}, chat.KeyHash{}, chat.Origin{}); !errors.Is(err, chat.ErrSessionRefused) {
				return fmt.Errorf("session %s of %s, which has expired, is resumed: %w", l.id, l.user, err)
			}
		}
	}
	for deadline := time.Now().Add(p.patience); ; time.Sleep(200 * time.Microsecond) {
		problem, err := p.unsettledGuest()
		if err != nil || problem == "" {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New(problem)
		}
	}
}

func (p *performance) unsettledGuest() (problem string, err error) {
	for _, user := range guests {
		sessions, err := p.Sessions.List(ctx, user)
		if err != nil {
			return "", err
		}
		if len(sessions) > 0 {
			continue
		}
		in, _, err := p.Members.RoomsOf(ctx, user, "", len(rooms)+1)
		if err != nil {
			return "", err
		}
		if len(in) > 0 {
			return fmt.Sprintf("%s has no session, and is a member of %d rooms, such as %s", user, len(in), in[0].Room), nil
		}
		p.without[user] = append(p.without[user], p.time.Add(1))
	}
	return "", nil
}
