package server

import "net/netip"

// reserve counts a handshake as the connection that it will become, before it is
// answered: handshakes in progress can then not exceed the limits together. why is not
// nil if there is no place. Every reserved place needs one unreserve: by the handshake
// if it fails, otherwise by the loop when the connection has ended.
func (s *Server) reserve(o *adoption, addr netip.Addr) (why *refusal) {
	if s.scarce(1) && (s.http.dropIdle(1) == 0 || s.scarce(1)) {
		s.logExhausted(errScarce)
		return refusedScarce
	}
	if !o.endpoint.acquire() {
		return refusedFull
	}
	defer func() {
		if why != nil {
			o.endpoint.release()
		}
	}()
	for {
		n := s.conns.Load()
		if limit := s.cfg.MaxConns; limit > 0 && n >= int64(limit) {
			return refusedFull
		}
		if s.conns.CompareAndSwap(n, n+1) {
			break
		}
	}
	if limit := s.cfg.MaxConnsPerAddress; limit > 0 && addr.IsValid() {
		entry, ok := s.addresses.acquire(addr, limit)
		if !ok {
			s.conns.Add(-1)
			return refusedSurplus
		}
		o.address = entry
	}
	return nil
}

// unreserve gives the place back.
func (s *Server) unreserve(o *adoption) {
	o.address.release()
	o.endpoint.release()
	s.conns.Add(-1)
}
