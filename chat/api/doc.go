// Package api is the HTTP side of the chat: POST /api/guest, which makes a user, renews
// a user's token, and gives a user another name.
// PROTOCOL.md of package chat describes it, under "HTTP".
//
// It knows about users and tokens, but not about connections or where a request's address
// comes from: the caller provides the address, because only the caller knows which proxies
// to trust.
//
// Read guest.go, then renew.go for requests with a token, and rate.go for the limit of guests
// per address.
package api
