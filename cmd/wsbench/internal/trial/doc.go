// Package trial answers questions by many runs: whether one server differs from another
// (compare.go, statistics.go), and how much load a server can take (search.go).
//
// It starts and ends the servers, each pinned to its cores (server.go).
package trial
