// Package handshake is the opening handshake of RFC 6455 §4, in both roles.
//
// Upgrader answers a client on top of net/http; Dial is the client. Both verify
// everything that the other side sent before they return the connection. Both also
// return the bytes that arrived together with the handshake: these are frames, and no
// poller will ever report them again.
//
// The package knows HTTP and nothing about frames: it never looks at the bytes that it
// returns, keeps no connection, writes no log and reads no clock. The caller decides how
// long a handshake may take, by http.Server's timeouts or Dial's context.
//
// Read upgrade.go for the server's role and request.go for what it verifies;
// dial.go, target.go and response.go for the client's, then cookie.go and redirect.go.
// deflate.go negotiates permessage-deflate in both roles; origin.go decides which pages
// may connect; list.go and extension.go parse the headers. refusals.go, the next section
// of this page, lists every check and its reason.
package handshake
