// Package proxy finds out who a client is that comes through a proxy: from the
// PROXY protocol, versions 1 and 2, at the beginning of a connection, and from the
// header that an HTTP proxy sets.
//
// What a proxy says counts only if the proxy is trusted, because anybody can say it.
// Trust goes by address: see Trusted.
//
// Read trusted.go, then listener.go for the PROXY protocol, forwarded.go for the
// header.
package proxy
