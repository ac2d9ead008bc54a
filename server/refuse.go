package server

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/hawser-ws/hawser/handshake"
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
	refusedAdmitting   = &refusal{NumLimits, http.StatusServiceUnavailable, "5", "the server is busy, try again later"}
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
	e := &handshake.Error{Status: why.status, Reason: why.reason}
	if why.seconds != "" {
		e.Header = http.Header{"Retry-After": {why.seconds}}
	}
	s.refused(r, e.Status, e.Reason)
	handshake.Refuse(w, r, e)
	what := "upgrade failed"
	if len(r.Header["Upgrade"]) == 0 {
		what = "request refused"
	}
	s.cfg.Logger.Warn(what, "remote", r.RemoteAddr, "path", r.URL.Path, "error", e.Reason)
}

// refused counts a refusal, and tells of it.
func (s *Server) refused(r *http.Request, status int, reason string) {
	s.answers.count(status)
	if s.cfg.Refused != nil {
		s.cfg.Refused(r, status, reason)
	}
}

// refusalOf returns what the client is told of an error of Admit, and what the program is
// told.
func refusalOf(err error) (refusal *handshake.Error, reason string) {
	if errors.As(err, &refusal) && refusal.Status >= 300 {
		return refusal, refusal.Reason
	}
	// It may say what is nobody's business, such as the address of a database.
	return &handshake.Error{Status: http.StatusForbidden, Reason: http.StatusText(http.StatusForbidden)}, err.Error()
}
