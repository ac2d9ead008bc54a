// Package snapshot is the encoding of what one process hands to another about its
// connections: unsigned numbers as varints, and strings of bytes after their length. It
// has no names: both sides know the order, and a version number of the caller's says
// which order that is. Data that grows with every release is better written as numbered
// fields (AppendField), which an older and a newer program can read.
//
// Every value has exactly one encoding, and a Reader refuses all others. So writing the
// values that were read without an error gives the same bytes again, and a damaged or
// foreign snapshot is detected, not interpreted. A Reader allocates nothing but the
// strings that it returns.
package snapshot
