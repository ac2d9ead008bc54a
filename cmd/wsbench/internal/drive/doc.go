// Package drive runs a load.Load on real connections: it dials them from as many
// source addresses as they need, drives them on the event loops of package
// server in the client's role, and calls each loop when something is due.
//
// TLS connections that were dialled cannot move to those loops; they are driven
// by a goroutine each, over wsproto/wsconn. Engine says which it is, and so does
// the report.
//
// Read engine.go, reactor.go and pacer.go.
package drive
