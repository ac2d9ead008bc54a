//go:build race

package wsproto

// The race detector makes sync.Pool forget, so that allocations mean nothing.
const raceEnabled = true
