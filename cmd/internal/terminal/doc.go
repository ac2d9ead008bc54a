// Package terminal keeps text from other sources from controlling a terminal, and finds out
// whether a stream is a terminal.
//
// Text from the network appears everywhere: in close reasons, header fields, HTTP status lines,
// certificates' names, and in errors about them. So the programs do not escape it where it
// appears, but where everything goes out: their standard output and error are Writers, which
// escape all control characters except newlines. A program's own control sequences are written
// to the underlying stream (Unwrap), or are known to the Writer.
//
// The package does not know which text came from where.
package terminal
