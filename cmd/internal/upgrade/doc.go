// Package upgrade replaces a running server program by the binary that now stands at its path,
// without ending a connection. It puts together what package server freezes and package
// handover carries.
//
// It knows nothing about what a program serves: that is in App.
package upgrade
