// Package worker is the part of a run that one process does, and how a controller calls
// it: directly, over the pipes of a child process, or over TCP to an agent on another
// host. The calls are JSON-RPC.
//
// Agents and controllers share a token, which is never sent: each side proves to the other
// that it knows the token (auth.go). What follows is not encrypted, except for secrets in
// the job (sealed.go). A controller measures the difference between an agent's clock and
// its own (clock.go).
package worker
