package main

import "strings"

// headroomSize is how many bytes are allocated and never used: they make the runtime believe
// that the heap is never small. It collects garbage when as much again as is live has been
// allocated, which with the heap of a small service is every few hundred log-ins. Memory
// that nobody touches is not resident, and what is allocated beyond the heap of a quiet
// service goes back to the system when work is over: see server.Config.ReleaseAfter.
const headroomSize = 32 << 20

var headroom []byte

// reserveHeadroom allocates it, unless the environment says how to collect garbage.
func reserveHeadroom(environ []string) {
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		if (name == "GOGC" || name == "GOMEMLIMIT") && value != "" {
			return
		}
	}
	if headroom == nil {
		headroom = make([]byte, headroomSize)
	}
}
