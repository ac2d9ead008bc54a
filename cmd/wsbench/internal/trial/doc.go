// Package trial makes many runs answer one question: is one server different
// from another (compare.go, statistics.go), and how much load does a server bear
// (search.go).
//
// Servers are started and ended by it, each pinned to its cores (server.go).
package trial
