package proxy

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Header is the HTTP header in which trusted proxies name the client. Other headers may have
// been sent by the client. The zero value is none.
type Header string

const (
	NoHeader      Header = ""
	XForwardedFor Header = "X-Forwarded-For"
	Forwarded     Header = "Forwarded" // RFC 7239
)

// ClientAddr returns a function that returns the client's address of a request, as named by
// trusted proxies: the last address in the header that is not a trusted proxy's. It returns the
// zero AddrPort if that is r.RemoteAddr. The port is 0 if the header has none.
//
// It reads the header from the right, because each proxy appends the address that it sees;
// anything further to the left may have been made up by the client. It stops at anything that
// is not an address.
func (h Header) ClientAddr(trusted Trusted) func(r *http.Request) netip.AddrPort {
	return func(r *http.Request) (client netip.AddrPort) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil && !trusted.unix || err == nil && !trusted.Has(peer.Addr()) {
			return client
		}
		for _, element := range slices.Backward(h.elements(r)) {
			addr, err := h.address(element)
			if err != nil {
				return client
			}
			client = addr
			if !trusted.Has(addr.Addr()) {
				return client
			}
		}
		return client
	}
}

// Secure returns a function that reports whether a client's request reached trusted proxies
// over TLS, as they say in X-Forwarded-Proto, or in the parameter proto of the client's element
// in Forwarded.
func (h Header) Secure(trusted Trusted) func(r *http.Request) bool {
	return func(r *http.Request) bool {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if h == NoHeader || err != nil && !trusted.unix || err == nil && !trusted.Has(peer.Addr()) {
			return false
		}
		if h == XForwardedFor {
			list := strings.Split(strings.Join(r.Header.Values("X-Forwarded-Proto"), ","), ",")
			return strings.EqualFold(strings.Trim(list[len(list)-1], " \t"), "https")
		}
		secure := false
		for _, element := range slices.Backward(h.elements(r)) {
			proto, _ := parameter(element, "proto")
			secure = strings.EqualFold(proto, "https")
			if addr, err := h.address(element); err != nil || !trusted.Has(addr.Addr()) {
				return secure
			}
		}
		return secure
	}
}

// elements are what the proxies appended, or nil if that is unclear.
func (h Header) elements(r *http.Request) []string {
	// RFC 9110 5.3: several lines are one list, in their order.
	list := strings.Join(r.Header.Values(string(h)), ",")
	if h == Forwarded {
		parts, _ := split(list, ',')
		return parts
	}
	parts := strings.Split(list, ",") // it knows no quotes
	for i := range parts {
		parts[i] = strings.Trim(parts[i], " \t")
	}
	return parts
}

// split cuts a list at each separator outside of quotes. A quoted string has to
// end its part, as it does in RFC 7239: otherwise a client's single quote could
// make a proxy's words its own, or the other way round, and nothing is believed.
func split(list string, separator byte) (parts []string, ok bool) {
	begin, quoted := 0, false
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			if quoted {
				rest := strings.TrimLeft(list[i+1:], " \t")
				if rest != "" && rest[0] != ',' && rest[0] != ';' {
					return nil, false
				}
			}
			quoted = !quoted
		case c == separator && !quoted:
			parts = append(parts, strings.Trim(list[begin:i], " \t"))
			begin = i + 1
		}
	}
	if quoted {
		return nil, false
	}
	return append(parts, strings.Trim(list[begin:], " \t")), true
}

var errNoAddress = errors.New("not an address")

func (h Header) address(element string) (netip.AddrPort, error) {
	if h == Forwarded {
		node, ok := parameter(element, "for")
		if !ok {
			return netip.AddrPort{}, errNoAddress
		}
		element = node
	}
	return parseNode(element)
}

// parameter returns the value of a parameter of a forwarded-element (RFC 7239 4),
// without its quotes:
//
//	forwarded-element = [ forwarded-pair ] *( ";" [ forwarded-pair ] )
//	forwarded-pair    = token "=" ( token / quoted-string )
func parameter(element, want string) (value string, ok bool) {
	pairs, _ := split(element, ';') // its quotes were checked when it was cut off
	for _, pair := range pairs {
		name, text, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(name, want) {
			continue
		}
		if ok {
			return "", false // RFC 7239 4: "Each parameter MUST NOT occur more than once"
		}
		if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
			text = text[1 : len(text)-1] // neither an address nor a scheme needs backslashes
		}
		value, ok = text, true
	}
	return value, ok
}

// parseNode reads an address that may have a port: 192.0.2.1, 192.0.2.1:80,
// 2001:db8::1, [2001:db8::1] or [2001:db8::1]:80.
func parseNode(s string) (netip.AddrPort, error) {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return clean(ap.Addr(), ap.Port())
	}
	if inner, ok := strings.CutPrefix(s, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); !ok {
			return netip.AddrPort{}, errNoAddress
		}
		s = inner
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.AddrPort{}, errNoAddress
	}
	return clean(addr, 0)
}

// clean refuses a zone, which means nothing here: it could make many names of one
// address.
func clean(addr netip.Addr, port uint16) (netip.AddrPort, error) {
	if addr.Zone() != "" {
		return netip.AddrPort{}, errNoAddress
	}
	return netip.AddrPortFrom(addr.Unmap(), port), nil
}
