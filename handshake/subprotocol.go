package handshake

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// maxSubprotocols is the maximum number of subprotocols that a client may offer.
const maxSubprotocols = 64

// parseSubprotocols parses the lines of a client's Sec-WebSocket-Protocol header. The
// result is in the client's order of preference, without duplicates. No lines, or an
// empty list, offer nothing.
//
//	Sec-WebSocket-Protocol-Client = 1#token
func parseSubprotocols(lines []string) (offered []string, err error) {
	count := 0
	for _, line := range lines {
		c := cursor{line: line}
		for !c.done() {
			if c.accept(',') {
				continue // RFC 7230 §7: empty elements are ignored
			}
			if count++; count > maxSubprotocols {
				return nil, fmt.Errorf("more than %d subprotocols", maxSubprotocols)
			}
			name, err := c.token()
			if err != nil {
				return nil, err
			}
			if err := c.endElement(); err != nil {
				return nil, err
			}
			if !slices.Contains(offered, name) {
				offered = append(offered, name)
			}
		}
	}
	return offered, nil
}

// checkUnique refuses a subprotocol that Dial would offer twice.
func checkUnique(names []string) error {
	// 4.1: "The elements that comprise this value [...] MUST all be unique
	// strings."
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if seen[name] {
			return fmt.Errorf("%s is offered twice", quote(name))
		}
		seen[name] = true
	}
	return nil
}

// selectSubprotocol returns the server's choice among offered, or "" for none.
func (u *Upgrader) selectSubprotocol(r *http.Request, offered []string) (string, *Error) {
	if u.Subprotocol != nil {
		name := u.Subprotocol(r, offered)
		if name != "" && !slices.Contains(offered, name) {
			return "", refusef(http.StatusInternalServerError,
				"Sec-WebSocket-Protocol header: the server selected a subprotocol that was not offered")
		}
		// The name may be a substring of the request's header block, which would then live
		// as long as the connection.
		return strings.Clone(name), nil
	}
	for _, name := range u.Subprotocols {
		if slices.Contains(offered, name) {
			return name, nil
		}
	}
	return "", nil
}
