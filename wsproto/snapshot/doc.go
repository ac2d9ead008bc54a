// Package snapshot is the encoding of what one process hands to another about its
// connections: unsigned numbers as varints, and strings of bytes after their length. It
// has no names: both sides know the order, and a version number, which is the
// caller's, says which order that is. What grows with every release is better written as
// numbered fields (AppendField), which an older and a newer program can read.
//
// Every value has exactly one encoding, and a Reader refuses all others. So bytes that
// were read without an error are those that writing the same values gives again, and a
// damaged or foreign snapshot is noticed, not interpreted. A Reader allocates nothing but
// the strings that it returns.
package snapshot
