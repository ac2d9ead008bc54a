package server

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// refusal is the answer to clients that are not admitted.
type refusal struct {
	limit   Limit
	status  int
	seconds string // after which to try again (Retry-After); "": never
	reason  string
}

var (
	refusedFull        = &refusal{LimitConns, http.StatusServiceUnavailable, "5", "the server is full, try again later"}
	refusedSurplus     = &refusal{LimitConnsPerAddress, http.StatusTooManyRequests, "5", "too many connections from this address"}
	refusedHTTPFull    = &refusal{LimitHTTPConns, http.StatusServiceUnavailable, "5", "the server is full, try again later"}
	refusedHTTPSurplus = &refusal{LimitHTTPConnsPerAddress, http.StatusTooManyRequests, "5", "too many connections from this address"}
	refusedScarce      = &refusal{LimitDescriptors, http.StatusServiceUnavailable, "5", "the server has no more file descriptors, try again later"}
	refusedRate        = &refusal{LimitHandshakes, http.StatusServiceUnavailable, "1", "too many handshakes, try again later"}
	refusedRequests    = &refusal{LimitRequestsPerAddress, http.StatusTooManyRequests, "1", "too many requests from this address"}
	refusedBudget      = &refusal{LimitMemory, http.StatusServiceUnavailable, "5", "the server's memory budget is spent, try again later"}
	refusedProbesOnly  = &refusal{NumLimits, http.StatusBadRequest, "", "this connection did not begin with a PROXY header, so only health probes are answered on it"}
	refusedStopping    = &refusal{NumLimits, http.StatusServiceUnavailable, "5", "the server is shutting down"}
)

// after returns the refusal of a client that may try again after wait.
func (f *refusal) after(wait time.Duration) *refusal {
	later := *f
	later.seconds = strconv.Itoa(int(math.Ceil(wait.Seconds())))
	return &later
}

// refuseFor answers a request that is not admitted.
func (s *Server) refuseFor(w http.ResponseWriter, r *http.Request, why *refusal) {
	if why.limit < NumLimits {
		s.limited.count(why.limit)
	}
	if why.seconds != "" {
		w.Header().Set("Retry-After", why.seconds)
	}
	s.refuse(w, r, why.status, why.reason)
}

// refused counts a refusal, and tells of it.
func (s *Server) refused(r *http.Request, status int, reason string) {
	s.answers.count(status)
	if s.cfg.Refused != nil {
		s.cfg.Refused(r, status, reason)
	}
}

func (s *Server) refuse(w http.ResponseWriter, r *http.Request, status int, reason string) {
	s.refused(r, status, reason)
	w.Header().Set("Connection", "close")
	http.Error(w, reason, status)
	s.cfg.Logger.Warn("upgrade failed", "remote", r.RemoteAddr, "path", r.URL.Path, "error", reason)
}
