package server

import "sync/atomic"

// The last descriptors of the process are not for clients: health probes are
// answered with them, and the program opens its files. How many are in use is counted
// rather than asked for: what was open when Serve began, a descriptor for each
// connection, and a second one for each that moves to its loop, which has a place
// among both. What the program has opened since comes out of the reserve.

const (
	minReserve = 8
	maxReserve = 64

	// unknownDescriptors stands for the limit on systems that have none to ask for.
	unknownDescriptors = 16 << 10

	// mostDescriptors stands for a limit that is none: Linux's own default.
	mostDescriptors = 1 << 20
)

// descriptors is what the process may have. A limit of 0 is none.
type descriptors struct {
	limit   int
	reserve int          // the last of them
	base    atomic.Int64 // in use by others than connections
}

func (d *descriptors) init() {
	d.limit = descriptorLimit()
	d.reserve = maxReserve
	if d.limit > 0 {
		d.reserve = max(minReserve, min(maxReserve, d.limit/16))
	}
}

// httpShare is the part of the limit that plain HTTP gets by default.
func httpShare() int {
	limit := descriptorLimit()
	if limit == 0 {
		limit = unknownDescriptors
	}
	return max(min(limit, mostDescriptors)/4, 1)
}

// scarce reports whether so many more would take from the reserve.
func (s *Server) scarce(more int) bool {
	d := &s.descriptors
	if d.limit == 0 {
		return false
	}
	used := int(d.base.Load()+s.conns.Load()) + s.http.open()
	return used+more > d.limit-d.reserve
}
