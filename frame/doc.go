// Package frame is the wire codec of RFC 6455 §5: frame headers and masking.
//
// It knows one frame at a time and nothing about connections: which frames may
// follow one another, how large a message may be, and which reserved bits an
// extension uses are questions for package wsproto. It never allocates, except
// that Append may grow the slice it is given.
//
// Read opcode.go for the vocabulary, header.go for the header, mask.go for
// the masking.
package frame
