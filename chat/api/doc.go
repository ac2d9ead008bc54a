// Package api is the HTTP side of the chat: POST /api/guest, which makes a user, renews
// a user's token, and gives a user another name.
// PROTOCOL.md of package chat describes it, under "HTTP".
//
// It knows of users and tokens, and nothing of messages, connections or where a
// request's address comes from: the caller says, as only it knows which proxies to
// trust.
//
// Read guest.go, then renew.go for what a token brings, and rate.go for the limit on how
// many guests one address makes.
package api
