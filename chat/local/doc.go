// Package local is the common part of engines for a single process: a broker that carries
// changes to the hubs in the same process, presence, memberships, sessions and bans, all in
// memory.
//
// It knows nothing about how messages are stored: chat/memory and chat/bolt do that, and each
// passes its Log to NewBroker, for the positions of subscriptions.
//
// Read broker.go, then presence.go, members.go, sessions.go and bans.go.
package local
