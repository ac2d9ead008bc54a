// Package handshake is the opening handshake of RFC 6455 §4, in both roles.
//
// Upgrader answers a client on top of net/http, Dial asks a server. Both verify
// everything the other side said before they hand over the connection, and
// both return it with the bytes that already came behind the handshake: those
// bytes are frames, and no poller will ever announce them again.
//
// The package knows HTTP and nothing of frames: it never looks into the bytes
// it hands over, keeps no connection, writes no log and reads no clock. How long a
// handshake may take is the caller's decision, through http.Server's timeouts or
// Dial's context.
//
// Read upgrade.go for the server's role and request.go for what it verifies;
// dial.go, target.go and response.go for the client's, then cookie.go and
// redirect.go. deflate.go negotiates permessage-deflate in both roles, origin.go
// decides which pages may connect; list.go and extension.go hold the grammars
// of the headers. refusals.go, the next section of this page, lists every check
// and its reason.
package handshake
