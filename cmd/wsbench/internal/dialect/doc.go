// Package dialect speaks protocols above WebSocket that it knows from a file:
// what a connection says first and hears in answer, how a message is published,
// where a delivered one is found, and how the protocol's own ping is answered.
//
// Files for Centrifugo's JSON protocol, Socket.IO and hawser's chat are in it.
// It knows nothing of connections or time. Read dialect.go, then read.go.
package dialect
