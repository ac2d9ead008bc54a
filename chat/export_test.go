package chat

// Idle reports whether no operation of the session is under way or waits.
func (s *Session) Idle() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running == 0 && len(s.queue) == 0
}

// Throttled reports whether the session's next operation waits for its time, and what came
// before it is answered.
func (s *Session) Throttled() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.throttled && s.running == 0
}
