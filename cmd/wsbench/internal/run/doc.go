// Package run is the controller: it gives workers their shares of a plan, has
// them connect and begin at one moment, takes what they count once in every
// interval, and makes one result of it all.
//
// Read run.go, then finish.go and cut.go, which end a run, and audit.go, which says
// when a run is not to be trusted.
package run
