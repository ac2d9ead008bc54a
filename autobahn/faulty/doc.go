// Package faulty has WebSocket echo servers and clients of which each does one
// thing wrong, and one of each that does nothing wrong. They are what the
// conformance cases are tested on: a defect must be found by the cases that are
// about it, and by no others. Some do what an endpoint may do though most do not:
// no case may hold that against them.
//
// The endpoints are plain and blocking, and share nothing with the tester but
// its DEFLATE streams; they are not meant to be used for anything else.
//
// Read servers.go and clients.go for what is wrong, endpoint.go for the protocol, opening.go
// for the handshakes.
package faulty
