package listen

import "net"

// URL returns the URL of a listener for a client on this machine: the scheme http, or https if
// it is secure, a host and port, and a slash. The host is localhost if it listens on all
// addresses. For a Unix socket it returns "unix:" and the path.
func URL(addr net.Addr, secure bool) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "unix:" + addr.String()
	}
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	if tcp.IP.IsUnspecified() {
		_, port, _ := net.SplitHostPort(tcp.String()) // it is one of ours
		return scheme + net.JoinHostPort("localhost", port) + "/"
	}
	return scheme + tcp.String() + "/"
}
