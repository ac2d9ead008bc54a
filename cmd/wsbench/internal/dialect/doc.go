// Package dialect speaks protocols above WebSocket that a file describes: what a
// connection sends first and what it is answered, how a message is published, how a
// delivered message is recognised, and how the protocol's own ping is answered.
//
// It includes files for Centrifugo's JSON protocol, Socket.IO and hawser's chat. It knows
// nothing about connections or time. Read dialect.go, then read.go.
package dialect
