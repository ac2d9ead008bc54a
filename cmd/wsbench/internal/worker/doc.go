// Package worker is the part of a run that one process does, and how a controller calls
// it: directly, or over the pipes of a child process, which may be ssh and lead to another
// host (agent.go). The calls are JSON-RPC.
//
// A controller measures the difference between an agent's clock and its own (clock.go).
package worker
