// Package faulty has WebSocket echo servers and clients. Each does one thing wrong, except
// for one server and one client that do nothing wrong. The conformance cases are tested on
// them: a defect must be found by the cases that are about it, and by no others. Some
// endpoints do unusual but permitted things: no case may fail for that.
//
// The endpoints are plain and blocking, and share nothing with the tester but
// its DEFLATE streams; they are not meant to be used for anything else.
//
// Read servers.go and clients.go for the defects, endpoint.go for the protocol, opening.go
// for the handshakes.
package faulty
