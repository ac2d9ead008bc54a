// Package proxy finds the address of a client behind a proxy: from the PROXY protocol, versions
// 1 and 2, at the beginning of a connection, and from the header that an HTTP proxy sets.
//
// This information counts only if the proxy is trusted, because anyone can send it. Proxies are
// trusted by their address: see Trusted.
//
// Read trusted.go, then listener.go for the PROXY protocol, forwarded.go for the
// header.
package proxy
