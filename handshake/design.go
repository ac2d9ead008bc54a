package handshake

// How the package works, for those who change it. doc.go is for its users.
//
// The package knows HTTP and nothing about frames: it never looks at the bytes that it
// returns, keeps no connection, writes no log and reads no clock.
//
// Read upgrade.go for the server's role and request.go for what it verifies;
// dial.go, target.go and response.go for the client's, then cookie.go and redirect.go.
// deflate.go negotiates permessage-deflate in both roles; origin.go decides which pages
// may connect; list.go and extension.go parse the headers. refusals.go, the second part of the
// package's documentation, lists every check and its reason.
