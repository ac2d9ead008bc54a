package enginetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/hawser-ws/hawser/chat"
)

// membership is a user's membership in a room.
type membership struct{ user, room string }

// attempt is a request that makes a user a member, or ends that.
type attempt struct {
	by       *socket
	joins    bool
	maybe    bool  // it may have had no effect
	asked    int64 // performance.time
	answered int64
}

// attempts collects, for each membership, what may have changed it. A message joins its room if
// its connection is not in it. The last requests of a connection may never be carried out, and
// refused ones are not.
func (p *performance) attempts() map[membership][]attempt {
	all := make(map[membership][]attempt)
	for i := range p.endings {
		for _, room := range rooms {
			if e := &p.endings[i]; e.why == chat.UserDeleted {
				m := membership{e.user, room}
				all[m] = append(all[m], attempt{asked: e.asked, answered: e.done})
			}
		}
	}
	p.guestAttempts(all)
	for _, s := range p.all {
		s.mu.Lock()
		answers, refused := make(map[string]int64), make(map[string]bool)
		for _, ev := range s.notes {
			if ev.Type != "ask" && ev.Ref != "" {
				answers[ev.Ref], refused[ev.Ref] = ev.at, ev.Type == "error"
			}
		}
		for _, ev := range s.notes {
			if refused[ev.Ref] || ev.Type != "ask" || ev.Op != "join" && ev.Op != "leave" && ev.Op != "group" {
				continue
			}
			a := attempt{by: s, joins: ev.Op != "leave", maybe: ev.Op == "group", asked: ev.at, answered: answers[ev.Ref]}
			if a.answered == 0 {
				a.maybe, a.answered = true, math.MaxInt64
			}
			m := membership{s.user, ev.Receiver}
			all[m] = append(all[m], a)
		}
		s.mu.Unlock()
	}
	return all
}

// memberships reads which users are members of which rooms. Each must be the result of an
// attempt that no other one has followed.
func (p *performance) memberships() (map[membership]bool, error) {
	now := make(map[membership]bool)
	attempts := p.attempts()
	for _, user := range people {
		stored, _, err := p.Members.RoomsOf(ctx, user, "", len(rooms)+1)
		if err != nil {
			return nil, err
		}
		for _, m := range stored {
			now[membership{user, m.Room}] = true
		}
		for _, room := range rooms {
			m := membership{user, room}
			is, err := p.Members.IsMember(ctx, room, user)
			switch {
			case err != nil:
				return nil, err
			case is != now[m]:
				return nil, fmt.Errorf("%s is listed as a member of %s: %t, and is one: %t", user, room, now[m], is)
			case !possible(attempts[m], is, math.MaxInt64, math.MaxInt64):
				return nil, fmt.Errorf("%s is a member of %s: %t, which cannot be", user, room, is)
			}
		}
	}
	return now, nil
}

// possible reports whether a membership can have this state at some time between two times.
func possible(all []attempt, is bool, from, to int64) bool {
	for _, a := range slices.Concat(all, []attempt{{}}) { // there is none initially
		superseded := a.joins != is || a.asked > to
		for _, later := range all {
			superseded = superseded || later.joins != is && !later.maybe && later.asked > a.answered && later.answered < from
		}
		if !superseded {
			return true
		}
	}
	return false
}

// checkMembership compares what a connection was told about its user's memberships with the
// requests of all connections. The hub asked the engine after it had answered the connection's
// earlier requests.
func (p *performance) checkMembership(s *socket, attempts map[membership][]attempt) error {
	from := int64(0)
	for _, ev := range s.notes {
		joined, left := ev.Event == "subscribed" || ev.Status == "new", ev.Event == "unsubscribed" || ev.Status == "gone"
		if !chat.ValidUserID(ev.Receiver) && (joined || left) && !possible(attempts[membership{s.user, ev.Receiver}], joined, from, ev.at) {
			return fmt.Errorf("%s was told %s of %s, which cannot be, in %s", s.user, ev.Event+ev.Status, ev.Receiver, s.story())
		}
		if ev.Type != "ask" && ev.Ref != "" {
			from = ev.at
		}
	}
	return nil
}
