package enginetest

import (
	"fmt"
	"math"
	"slices"
)

// membership is that of a user in a room.
type membership struct{ user, room string }

// attempt is something that was asked which makes a user a member, or ends that.
type attempt struct {
	by       *socket
	joins    bool
	maybe    bool  // it may have done nothing
	asked    int64 // performance.time
	answered int64
}

// attempts collects, for each membership, what may have changed it. A message joins its room if
// its connection is not in it. What a connection asked at its end may never be done.
func (p *performance) attempts() map[membership][]attempt {
	all := make(map[membership][]attempt)
	for _, s := range p.all {
		s.mu.Lock()
		answers := make(map[string]int64)
		for _, ev := range s.notes {
			if ev.Type != "ask" && ev.Ref != "" {
				answers[ev.Ref] = ev.at
			}
		}
		for _, ev := range s.notes {
			if ev.Type != "ask" || ev.Op != "join" && ev.Op != "leave" && ev.Op != "group" {
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

// memberships reads who is a member of which room. It must be what something has made it that
// was not followed by something else.
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
			case !possible(attempts[m], is):
				return nil, fmt.Errorf("%s is a member of %s: %t, which cannot be", user, room, is)
			}
		}
	}
	return now, nil
}

// possible reports whether a membership can be what it is.
func possible(all []attempt, is bool) bool {
	for _, a := range slices.Concat(all, []attempt{{}}) { // there is none to begin with
		superseded := false
		for _, later := range all {
			superseded = superseded || !later.maybe && later.asked > a.answered
		}
		if a.joins == is && !superseded {
			return true
		}
	}
	return false
}

// caused reports whether another connection has asked for a change of a membership, before a
// connection was told of it.
func caused(all []attempt, s *socket, joins bool, told int64) bool {
	for _, a := range all {
		if a.by != s && a.joins == joins && a.asked < told {
			return true
		}
	}
	return false
}
