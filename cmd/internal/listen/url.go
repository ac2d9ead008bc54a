package listen

import "net"

// URL is where somebody on this machine finds what listens: with the scheme
// http, or https if it is secure, a host and port, and a slash; localhost, if it
// listens on every address; or "unix:" and the path of a socket.
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
