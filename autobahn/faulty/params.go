package faulty

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parseElement reads one element of Sec-WebSocket-Extensions.
func (e *endpoint) parseElement(element string, offer bool) (p params, err error) {
	parts := strings.Split(element, ";")
	if strings.TrimSpace(parts[0]) != "permessage-deflate" {
		return p, errors.New("another extension")
	}
	seen := map[string]bool{}
	for _, part := range parts[1:] {
		name, value, has := strings.Cut(strings.TrimSpace(part), "=")
		if seen[name] && !e.has("takes a parameter twice") {
			return p, errors.New("a parameter twice")
		}
		seen[name] = true
		if has && value == "" && e.has("takes a parameter with an empty value") {
			has = false
		}
		if has && !strings.HasSuffix(name, "bits") && e.has("takes a value of a parameter that has none") {
			has = false
		}
		n, good := e.window(value)
		switch {
		case name == "server_no_context_takeover" && !has:
			p.serverNoTakeover = true
		case name == "client_no_context_takeover" && !has:
			p.clientNoTakeover = true
		case name == "server_max_window_bits" && good:
			p.serverBits = n
		case name == "client_max_window_bits" && good:
			p.clientBits = n
		case name == "client_max_window_bits" && offer && !has:
			p.clientBits = -1
		case name == "server_max_window_bits" && !has && e.has("takes a parameter with an empty value"):
		case e.has("passes over unknown parameters") && !strings.HasSuffix(name, "bits") && !strings.HasSuffix(name, "takeover"):
		default:
			return p, fmt.Errorf("the parameter %q", part)
		}
	}
	return p, nil
}

// window reads a number of bits.
func (e *endpoint) window(value string) (n int, good bool) {
	switch quoted := strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) && len(value) > 2; {
	case quoted, e.has("takes a quote alone"):
		value = strings.Trim(value, `"`)
	}
	switch {
	case e.has("takes a number with more behind it"):
		end := strings.IndexFunc(value, func(r rune) bool { return r < '0' || r > '9' })
		if end >= 0 {
			value = value[:end]
		}
	case e.has("takes a sign"):
		value = strings.TrimPrefix(value, "+")
	case e.has("takes leading zeros"):
		value = strings.TrimLeft(value, "0")
	case e.has("takes a window of 16 bits") && value == "16":
		return 15, true
	}
	n, err := strconv.Atoi(value)
	return n, err == nil && n >= 8 && n <= 15 && value[0] != '0' && value[0] != '+'
}
