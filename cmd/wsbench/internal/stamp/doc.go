// Package stamp makes payloads that can be told apart and checked: each carries
// its stream, its number in that stream and the moment it was due, and what follows is
// known from these. So every byte is checked.
//
// A server under test sees filler and a few characters; it needs to know
// nothing. The package knows nothing of connections or of time but a number.
package stamp
