// Package load decides what a load generator sends, on which connection and when, and
// checks what comes back. It has no sockets, no goroutines and no clock: time is a
// function, connections are Links, and a Dialer makes them. So whole runs can be computed
// in tests, to the nanosecond.
//
// A Load is the part of a run that one process does. Its connections, the Members, are
// divided among Shards. Each Shard is driven by one event loop and has its own lock, which
// is uncontended on that loop.
//
// Open loop: messages are due at times that a Schedule fixes in advance, and latency
// counts from these times, whenever the messages were really sent. So a server that
// stalls is charged for every message that it delayed. Closed loop: a number of messages
// is kept in flight, and latency counts from sending.
//
// Read plan.go, shard.go, then send.go, receive.go and cycle.go.
package load
