package handshake

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
)

// VerifyOrigin returns an error if a web page sent the request that may not connect.
// Upgrade does this itself; VerifyOrigin is for an application's other endpoints.
func (u *Upgrader) VerifyOrigin(r *http.Request) error {
	if err := u.checkOrigin(r); err != nil {
		return err
	}
	return nil
}

// checkOrigin decides whether the page that sent the request may connect.
//
// It ignores the Host header and r.Host: a request line in absolute form sets r.Host to
// whatever the client likes (RFC 9112 §3.2.2), and an attacker can point a name of their
// own at this server's address, which makes Host and Origin equal.
func (u *Upgrader) checkOrigin(r *http.Request) *Error {
	lines := r.Header["Origin"]
	switch {
	case len(lines) == 0, len(lines) == 1 && lines[0] == "":
		return nil // not a web page: a page cannot omit or empty it
	case len(lines) > 1:
		return refusef(http.StatusForbidden, "%s, want one", found("Origin", lines))
	}
	origin := lines[0]
	if u.CheckOrigin != nil {
		if err := u.CheckOrigin(r, origin); err != nil {
			return refusef(http.StatusForbidden, "Origin header: %s refused: %v", quote(origin), err)
		}
		return nil
	}
	if len(u.Origins) == 0 {
		if isOwnOrigin(r, origin) {
			return nil
		}
	} else if isListed(u.Origins, origin) {
		return nil
	}
	return refusef(http.StatusForbidden, "Origin header: %s is not in public_origins", quote(origin))
}

// isListed reports whether origins contains origin or "*". Scheme and host ignore case,
// and a port has no letters, so one comparison covers all three.
func isListed(origins []string, origin string) bool {
	for _, o := range origins {
		// "null" is the origin of every sandboxed frame, file and data URL. Allowing
		// it would let in any page that uses an iframe.
		if o == "*" || origin != "null" && equalFold(o, origin) {
			return true
		}
	}
	return false
}

// isOwnOrigin reports whether origin is the connection's local address, or localhost
// with the same port.
func isOwnOrigin(r *http.Request, origin string) bool {
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	local, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return false // a Unix socket has no origin
	}
	scheme, port := "http://", ":"+strconv.Itoa(int(local.Port()))
	if r.TLS != nil {
		scheme = "https://"
	}
	// RFC 6454 §6.2 leaves a scheme's default port out of its origins.
	if scheme == "http://" && port == ":80" || scheme == "https://" && port == ":443" {
		port = ""
	}
	ip := local.Addr().Unmap().WithZone("")
	host := ip.String()
	if ip.Is6() {
		host = "[" + host + "]"
	}
	return equalFold(origin, scheme+host+port) || equalFold(origin, scheme+"localhost"+port)
}
