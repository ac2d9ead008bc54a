// Package listen opens the listener of a server: on a TCP address, on a Unix
// socket, or as it was inherited from a service manager.
//
// It accepts no connections and knows nothing about what is served.
//
// Read listen.go for the forms of an address, socketfile.go for what happens to a socket's
// file, inherited.go for socket activation, and url.go for how a listener's address is shown.
package listen
