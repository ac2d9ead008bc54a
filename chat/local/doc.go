// Package local is what engines of a single process have in common: a broker that
// carries changes from where they are appended to the hubs of the same process, who is
// present, log-ins and bans, all in memory.
//
// It knows nothing of how messages are stored: chat/memory and chat/bolt do, and each
// gives its Log to New, for the positions of subscriptions.
//
// Read broker.go, then presence.go.
package local
