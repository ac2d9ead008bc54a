// Package drive runs a load.Load on real connections: it dials them from as many
// source addresses as they need, drives them on the event loops of package
// server in the client's role, with TLS or without, and calls each loop when something
// is due.
//
// Read engine.go, reactor.go and pacer.go.
package drive
