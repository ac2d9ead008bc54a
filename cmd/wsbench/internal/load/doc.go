// Package load decides what a load generator sends, to whom and when, and judges
// what comes back. It has no socket, no goroutine and no clock of its own:
// time is a function, connections are Links, and dialling is somebody else's
// work. So whole runs can be computed in tests, to the nanosecond.
//
// A Load is the part of a run that one process does. Its connections, Members,
// are divided among Shards; each Shard is driven by one event loop and has its
// own lock, which is uncontended there.
//
// Open loop: messages are due at moments that a Schedule fixes beforehand, and
// latency counts from those, whenever they were really sent. A server that
// stalls is charged for every message that it kept waiting. Closed loop:
// a number of messages is kept in flight, and latency counts from sending.
//
// Read plan.go, shard.go, then send.go, receive.go and cycle.go.
package load
