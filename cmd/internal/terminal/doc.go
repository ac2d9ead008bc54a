// Package terminal keeps what others wrote from acting on a terminal, and knows
// whether there is one.
//
// Text from the network turns up everywhere: in close reasons, header fields, HTTP
// status lines, certificates' names, and in the errors about them. So the programs
// do not escape it where it turns up, but where everything goes out: their standard
// output and error are Writers, which let through no control character but the
// newline. What a program itself does to a terminal, it does to the stream below
// (Unwrap), or in sequences that the Writer was told of.
//
// The package does not know what a message is, and which text came from where.
package terminal
