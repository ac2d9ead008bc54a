// Package wire is the conformance tester's own RFC 6455 codec. It writes what
// no library writes (reserved bits, wrong lengths, a wrong mask, half a frame).
// Its reader tolerates nothing, but goes on after a violation, so that a case
// can report everything that a peer did.
//
// It must never import the packages under test: a tester that shares the
// testee's code shares its bugs.
//
// Read frame.go, then parser.go; http.go is the opening handshake's text.
package wire
