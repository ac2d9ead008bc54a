// Package deflate is the conformance tester's own RFC 1951 and RFC 7692: a
// writer of arbitrary DEFLATE streams, good or bad, bit by bit; a scanner that
// follows one without producing output and says how far back it reaches; and
// the two halves of permessage-deflate for the tester's own use.
//
// Read bits.go and tokens.go for what is sent, scan.go for how a window is
// checked, message.go for the two halves.
package deflate
