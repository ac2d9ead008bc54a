package server

import "net/http"

// refusal is the answer to clients that are not admitted.
type refusal struct {
	status  int
	seconds string // after which to try again (Retry-After); "": never
	reason  string
}

var (
	refusedFull       = &refusal{http.StatusServiceUnavailable, "5", "the server is full, try again later"}
	refusedSurplus    = &refusal{http.StatusTooManyRequests, "5", "too many connections from this address"}
	refusedScarce     = &refusal{http.StatusServiceUnavailable, "5", "the server has no more file descriptors, try again later"}
	refusedRate       = &refusal{http.StatusServiceUnavailable, "1", "too many handshakes, try again later"}
	refusedBudget     = &refusal{http.StatusServiceUnavailable, "5", "the server's memory budget is spent, try again later"}
	refusedProbesOnly = &refusal{http.StatusBadRequest, "", "this connection did not begin with a PROXY header, so only health probes are answered on it"}
)

// refuseFor answers a request that is not admitted.
func (s *Server) refuseFor(w http.ResponseWriter, r *http.Request, why *refusal) {
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
