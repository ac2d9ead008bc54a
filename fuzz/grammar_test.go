package fuzz

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/wsproto"
)

// The headers of the handshake as regular expressions, after RFC 7230 §3.2.6 and §7
// and RFC 6455 §4.1 and §9.1. A list may have empty elements, and its lines are
// one list.
const (
	tchar     = "[-!#$%&'*+.^_`|~0-9A-Za-z]"
	ows       = `[ \t]*`
	parameter = ows + ";" + ows + tchar + "+(?:" + ows + "=" + ows + "(?:" + tchar + `+|"(?:` + tchar + `|\\` + tchar + `)+"))?`
	extension = tchar + "+(?:" + parameter + ")*"
)

func listOf(element string) *regexp.Regexp {
	one := ows + "(?:" + element + ")?" + ows
	return regexp.MustCompile("^" + one + "(?:," + one + ")*$")
}

var (
	toWebSocket   = elementOf("websocket")
	toUpgrade     = elementOf("upgrade")
	anyList       = regexp.MustCompile("")
	tokenList     = listOf(tchar + "+")
	extensionList = listOf(extension)
	nonceKey      = regexp.MustCompile(`^[A-Za-z0-9+/]{22}==$`)
	windowBits    = regexp.MustCompile(`^([89]|1[0-5])$`)
)

// elements are those of a list that the expression describes; ok is false if it
// does not. None of them can have a comma inside.
func elements(list *regexp.Regexp, lines []string) (elems []string, ok bool) {
	for _, line := range lines {
		if !list.MatchString(line) {
			return nil, false
		}
		for _, e := range strings.Split(line, ",") {
			if e = strings.Trim(e, " \t"); e != "" {
				elems = append(elems, e)
			}
		}
	}
	return elems, true
}

// only reports whether comma-separated lines hold the element and no other.
func only(lines []string, element *regexp.Regexp) bool {
	elems, _ := elements(anyList, lines)
	for _, e := range elems {
		if !element.MatchString(e) {
			return false
		}
	}
	return len(elems) > 0
}

// contains looks for an element in comma-separated lines.
func contains(lines []string, element *regexp.Regexp) bool {
	return element.MatchString(strings.Join(lines, ","))
}

// elementOf finds a word of ASCII letters among others, without regard to their case.
// (?i) would let the Kelvin sign pass for a k.
func elementOf(word string) *regexp.Regexp {
	expr := ""
	for _, c := range word {
		expr += "[" + strings.ToLower(string(c)) + strings.ToUpper(string(c)) + "]"
	}
	return regexp.MustCompile("(?:^|,)" + ows + expr + ows + "(?:,|$)")
}

func acceptFor(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// params are an extension's parameters; "" is no value, and no parameter repeats.
type params map[string]string

// splitExtension takes one element apart. ok is false if a parameter repeats.
func splitExtension(element string) (name string, p params, n int, ok bool) {
	parts := strings.Split(element, ";")
	p, ok = params{}, true
	for _, part := range parts[1:] {
		key, value, _ := strings.Cut(part, "=")
		key, value = strings.Trim(key, " \t"), strings.Trim(value, " \t")
		if strings.HasPrefix(value, `"`) {
			value = strings.ReplaceAll(strings.Trim(value, `"`), `\`, "")
		}
		_, again := p[key]
		ok = ok && !again
		p[key] = value
	}
	return strings.Trim(parts[0], " \t"), p, len(parts) - 1, ok
}

// isDeflate reports whether these are parameters of permessage-deflate as RFC 7692
// §7.1 has them, in an offer or in an answer.
func (p params) isDeflate(answer bool) bool {
	for key, value := range p {
		switch key {
		case "server_no_context_takeover", "client_no_context_takeover":
			if value != "" {
				return false
			}
		case "server_max_window_bits", "client_max_window_bits":
			bare := value == "" && key[0] == 'c' && !answer
			if !bare && !windowBits.MatchString(value) {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// bits is the value of a parameter, and 15 if there is none.
func (p params) bits(key string) uint8 {
	n, err := strconv.Atoi(p[key])
	if err != nil {
		return 15
	}
	return uint8(n)
}

func (p params) has(key string) bool {
	_, ok := p[key]
	return ok
}

// answers says why p is no answer that RFC 7692 §7.1 allows to this offer, or "".
func (p params) answers(offer params) string {
	switch {
	case !p.isDeflate(true):
		return fmt.Sprintf("%v is none of permessage-deflate", p)
	case offer.has("server_no_context_takeover") && !p.has("server_no_context_takeover"):
		return "server_no_context_takeover is missing"
	case offer.has("server_max_window_bits") && !p.has("server_max_window_bits"),
		p.bits("server_max_window_bits") > offer.bits("server_max_window_bits"):
		return "server_max_window_bits is missing or too large"
	case p.has("client_max_window_bits") && !offer.has("client_max_window_bits"),
		p.has("client_max_window_bits") && p.bits("client_max_window_bits") > offer.bits("client_max_window_bits"):
		return "client_max_window_bits was not offered, or not that large"
	}
	return ""
}

// agreed is what the two ends have agreed on by this answer.
func (p params) agreed() wsproto.Deflate {
	return wsproto.Deflate{
		ServerNoContextTakeover: p.has("server_no_context_takeover"),
		ClientNoContextTakeover: p.has("client_no_context_takeover"),
		ServerMaxWindowBits:     p.bits("server_max_window_bits"),
		ClientMaxWindowBits:     p.bits("client_max_window_bits"),
	}
}
