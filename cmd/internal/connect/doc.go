// Package connect makes the connections of the programs that dial a server: wscat, wsbench and
// wsconform have the same flags for that.
//
// Options are what the command line says, in a form that can be sent to a worker on
// another host. Open makes a Dialer of them for one URL: with the files parsed, and
// the proxy chosen in the environment of the process that dials.
//
// The package performs no handshake and prints nothing. It keeps credentials out of the
// output: Endpoint removes them from a URL, Redact from a command line, and no error contains
// them.
//
// Read options.go, then dialer.go; proxy.go chooses the proxy, credentials.go finds what must
// not be shown.
package connect
