// Package trace writes the frames in a stream of bytes for a person to read:
// for each frame one line for its header and a hex dump of its payload.
//
// It shows what is on the wire and judges nothing but what cannot be read as a
// frame; which frames a connection allows is a question for package wsproto. It
// knows of no connection, does no input or output, and never changes the bytes
// it is shown.
//
// Read frames.go: Frames follows one direction, append.go is what it prints.
package trace
