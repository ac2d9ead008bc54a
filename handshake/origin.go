package handshake

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// VerifyOrigin returns an error if the request was sent by a web page that may not connect.
// Upgrade does this itself; VerifyOrigin is for an application's other endpoints.
func (u *Upgrader) VerifyOrigin(r *http.Request) error {
	if err := u.checkOrigin(r); err != nil {
		return err
	}
	return nil
}

// checkOrigin decides whether the page that sent the request may connect.
func (u *Upgrader) checkOrigin(r *http.Request) *Error {
	lines := r.Header["Origin"]
	switch {
	case len(lines) == 0, len(lines) == 1 && lines[0] == "":
		return nil // not a web page: a page cannot omit or empty it
	case len(lines) > 1:
		return refusef(http.StatusForbidden, "%s, want one", found("Origin", lines))
	}
	if isListed(u.Origins, lines[0]) {
		return nil
	}
	check := u.CheckOrigin
	switch {
	case check != nil:
	case len(u.Origins) > 0:
		check = refuseUnlisted
	default:
		check = SameHost
	}
	if err := check(r, lines[0]); err != nil {
		return refusef(http.StatusForbidden, "Origin header: %s refused: %v", quote(lines[0]), err)
	}
	return nil
}

// SameHost is a CheckOrigin, and the default one. It admits the pages of the request's
// own host: those whose Origin has the host and port of the Host header, where a port
// that is the scheme's default may be left out. Over TLS, Origin must be https; without,
// it may be either, because a proxy may have terminated the client's TLS.
//
// A proxy must pass the Host that the browser sent (in nginx: proxy_set_header Host
// $http_host), and so must a load balancer. If yours do not, list the site's origins in
// Upgrader.Origins. List them as well if a site that a proxy serves over https must not
// be reached from its http pages.
//
// SameHost does not protect from DNS rebinding. An attacker can point a name of their own
// at any address, so that a browser which has their page open sends that name as Origin and
// as Host to a server in its private network, or on its own machine. A server that asks
// who its clients are is not affected: the browser has neither cookie nor password for
// the attacker's name. One that trusts everybody who can reach it must use Origins or
// OwnAddress.
//
// A request line in absolute form is refused. It replaces the Host header (RFC 9112
// §3.2.2) and browsers send it only to proxies.
func SameHost(r *http.Request, origin string) error {
	if !strings.HasPrefix(r.RequestURI, "/") {
		return errors.New("the request line must begin with a path, so that Host is what the client's browser sent")
	}
	return sameHost(r.Host, origin, r.TLS != nil)
}

// sameHost is SameHost for a request line that begins with a path.
func sameHost(asked, origin string, overTLS bool) error {
	scheme, host, _ := strings.Cut(origin, "://")
	port := ":443"
	switch {
	case equalFold(scheme, "https"):
	case equalFold(scheme, "http") && !overTLS:
		port = ":80"
	case equalFold(scheme, "http"):
		return errors.New("an http page must not connect over TLS")
	default:
		return errors.New("it is neither http nor https")
	}
	if !equalFold(strings.TrimSuffix(host, port), strings.TrimSuffix(asked, port)) {
		return errors.New("it is not the host that was asked for") // a proxy may have set Host to a name that is its own affair
	}
	return nil
}

// OwnAddress is a CheckOrigin for servers that trust everybody who can reach them, such as
// programs on a developer's machine. It admits the pages of the address that the client
// connected to, and of localhost with the same port. It looks at no name that the client
// sent, which DNS rebinding could have put there, so it admits no page of a site that has
// a name, and none at all behind a proxy or on a Unix socket.
func OwnAddress(r *http.Request, origin string) error {
	if !isOwnOrigin(r, origin) {
		return errors.New("it is not the address that was connected to")
	}
	return nil
}

// refuseUnlisted is the CheckOrigin of an Upgrader that has only a list.
func refuseUnlisted(*http.Request, string) error {
	return errors.New("pages of this origin may not connect")
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
