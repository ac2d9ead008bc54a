package server

import "sync/atomic"

// The last descriptors of the process are not for clients: they are kept for health
// probes and for the program's files. The number in use is counted rather than asked
// for: those that were open when Serve began, and one for each connection. A connection
// that moves to its loop needs two for a moment, and is counted as HTTP and as a
// WebSocket meanwhile. What the program has opened since Serve began comes out of the
// reserve.

const (
	minReserve = 8
	maxReserve = 64

	// unknownDescriptors is assumed on systems that have no limit to ask for.
	unknownDescriptors = 16 << 10

	// defaultMaxDescriptors is assumed where the limit is infinite: it is Linux's own
	// default.
	defaultMaxDescriptors = 1 << 20
)

// descriptors accounts for the process's file descriptors.
type descriptors struct {
	limit   int          // 0: none
	reserve int          // of the limit, those that clients do not get
	base    atomic.Int64 // in use by anything but connections
}

func (d *descriptors) init() {
	d.limit = descriptorLimit()
	d.reserve = maxReserve
	if d.limit > 0 {
		d.reserve = max(minReserve, min(maxReserve, d.limit/16))
	}
}

// httpShare is the default of Config.MaxHTTPConns.
func httpShare() int {
	limit := descriptorLimit()
	if limit == 0 {
		limit = unknownDescriptors
	}
	return max(min(limit, defaultMaxDescriptors)/4, 1)
}

// scarce reports whether opening that many more descriptors would use the reserve.
func (s *Server) scarce(more int) bool {
	d := &s.descriptors
	if d.limit == 0 {
		return false
	}
	used := int(d.base.Load()+s.conns.Load()) + s.http.open()
	return used+more > d.limit-d.reserve
}
