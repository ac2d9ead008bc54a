// Package audit keeps a record of what was done to users and networks, and by whom: an
// append-only file with one line of JSON for each act.
//
// A line is on disk before its act is done: Do refuses an act whose line cannot be written. So
// there may be a line without an act, if the process died in between, but there is never an act
// without a line. An act that fails afterwards gets a second line that says so.
//
// The package does not know what the acts are. Read entry.go, then file.go.
package audit
