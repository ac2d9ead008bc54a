// Package connect is how the programs that dial reach a server: one set of flags
// for wscat, wsbench and wsconform, and what they mean.
//
// Options are what the command line says, in a form that can be sent to a worker on
// another host. Open makes a Dialer of them for one URL: with the files parsed, and
// the proxy chosen in the environment of the process that dials.
//
// The package performs no handshake and prints nothing. It keeps credentials away
// from what is printed: Endpoint takes them out of a URL, Redact out of a command
// line, and no error holds them.
//
// Read options.go, then dialer.go; proxy.go chooses the proxy, credentials.go finds
// what must not be shown.
package connect
