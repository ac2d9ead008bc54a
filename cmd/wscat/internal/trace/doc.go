// Package trace writes the frames in a stream of bytes for a person to read:
// for each frame one line for its header and a hex dump of its payload.
//
// It shows what is on the wire, and reports only what cannot be parsed as a frame;
// which frames a connection allows is a question for package wsproto. It does no I/O,
// and never changes the bytes that it is given.
//
// Read frames.go: Frames follows one direction, append.go is what it prints.
package trace
