// Package stamp makes payloads that can be told apart and checked: each carries
// its stream, its number in that stream, the moment it was due, and a checksum
// over all of it.
//
// A server under test sees filler and a few characters; it needs to know
// nothing. The package knows nothing of connections or of time but a number.
package stamp
