// Package worker is the part of a run that one process does, and the way to it:
// directly, over the pipes of a child process, or over TCP to an agent on
// another host. A controller asks, a worker answers; the calls are JSON-RPC.
//
// An agent knows a token, which is never sent: each side proves to the other
// that it knows it too (auth.go). What follows is not encrypted. A controller
// measures how far an agent's clock is from its own (clock.go).
package worker
