// Package clients tests hawser's servers with the clients of other libraries: both the
// blocking driver and the reactor, with and without TLS.
package clients
