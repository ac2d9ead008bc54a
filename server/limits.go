package server

import (
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/server/rate"
)

// Limit is a limit of Config that turns newcomers away.
type Limit uint8

const (
	LimitConns               Limit = iota // MaxConns
	LimitConnsPerAddress                  // MaxConnsPerAddress
	LimitHTTPConns                        // MaxHTTPConns
	LimitHTTPConnsPerAddress              // MaxHTTPConnsPerAddress
	LimitHandshakes                       // MaxHandshakeRate
	LimitRequestsPerAddress               // MaxRequestRatePerAddress
	LimitAccepts                          // AcceptRate, which lets connections wait
	LimitMemory                           // MemoryBudget
	LimitDescriptors                      // of the process
	NumLimits
)

// limited counts what each limit has turned away or held back. Any goroutine.
type limited [NumLimits]atomic.Uint64

func (l *limited) count(which Limit) { l[which].Add(1) }

func (l *limited) counts() (n [NumLimits]uint64) {
	for i := range l {
		n[i] = l[i].Load()
	}
	return n
}

// newLimits makes what limits rates.
func (s *Server) newLimits() {
	if n := s.cfg.MaxHandshakeRate; n > 0 {
		s.handshakes = rate.NewBucket(rate.NewPace(n, time.Second, 0))
	}
	s.requests = rate.NewLimiter[netip.Prefix](rate.NewPace(s.cfg.MaxRequestRatePerAddress, time.Second, s.cfg.RequestBurstPerAddress))
}

// tooManyRequests counts a request of a client, or says why it is refused.
func (s *Server) tooManyRequests(r *http.Request, client netip.Addr) *refusal {
	if s.requests == nil {
		return nil
	}
	if !client.IsValid() {
		client = s.addrOf(r).Addr()
	}
	return s.tooManyFrom(client)
}

// tooManyFrom is tooManyRequests for a request from client.
func (s *Server) tooManyFrom(client netip.Addr) *refusal {
	if s.requests == nil {
		return nil
	}
	key := rate.Address(client)
	if !key.IsValid() { // a Unix socket
		return nil
	}
	if wait := s.requests.Take(key, s.cfg.now(), 1, 0); wait > 0 {
		return refusedRequests.after(wait)
	}
	return nil
}
