package local

import (
	"cmp"
	"slices"
)

// Restore adds sessions that were saved.
func (s *Sessions) Restore(saved []SavedSession) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range saved {
		lost := one.Open > 0
		if one.Open = 0; lost && !s.cfg.Inherited {
			one.Seen = s.cfg.Now()
		}
		s.add(&one)
		if lost && s.cfg.Inherited {
			s.lost = append(s.lost, &one)
			continue
		}
		if lost {
			s.save(&one, false)
		}
		s.idle = append(s.idle, idleSession{one.ID, one.Seen})
	}
	slices.SortStableFunc(s.idle, func(a, b idleSession) int { return cmp.Compare(a.seen, b.seen) })
}

// Rejoin is that of chat.Takeover.
func (s *Sessions) Rejoin(ids []string) (known []bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known = make([]bool, len(ids))
	for i, id := range ids {
		if one := s.byID[id]; one != nil {
			one.Open++
			known[i] = true
		}
	}
	return known
}

// Inherit starts ending sessions that have been without a connection for too long. Sessions that
// no connection has rejoined count as without one from now on.
func (s *Sessions) Inherit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.lost {
		if one.Open == 0 && s.byID[one.ID] == one {
			one.Seen = s.cfg.Now()
			s.save(one, false)
			s.idle = append(s.idle, idleSession{one.ID, one.Seen})
		}
	}
	s.lost = nil
	s.arm()
}
