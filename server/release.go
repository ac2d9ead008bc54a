package server

import "time"

// What net/http needed for a handshake, ten times what a connection keeps, is
// garbage when the connection is on its loop, and the runtime would hold on to it
// until it has use for it. After many handshakes it goes back to the system once.

// calm is how long no connection must have been taken over.
const calm = time.Second

// tookOver counts a connection that was taken over.
func (s *Server) tookOver() {
	if burst := s.cfg.ReleaseAfter; burst > 0 && s.burst.Add(1) == int64(burst) {
		s.releaseAfter(int64(burst))
	}
}

func (s *Server) releaseAfter(seen int64) {
	s.cfg.after(calm, func() {
		if n := s.burst.Load(); n != seen {
			s.releaseAfter(n) // it is not over
			return
		}
		s.burst.Store(0)
		s.cfg.free()
	})
}
