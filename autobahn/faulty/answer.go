package faulty

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
)

// extraFields are fields of an answer that a correct server would not send, or not in
// this form.
func (e *endpoint) extraFields(h *head) string {
	s := "Connection: Upgrade\r\n"
	offered, _, _ := strings.Cut(h.get("sec-websocket-protocol"), ",")
	switch {
	case e.has("answers with a length"):
		s += "Content-Length: 0\r\n"
	case e.has("answers with a transfer encoding"):
		s += "Transfer-Encoding: chunked\r\n"
	case e.has("answers that the connection is closed"):
		s = "Connection: Upgrade, close\r\n"
	case e.has("answers an empty subprotocol"):
		s += "Sec-WebSocket-Protocol: \r\n"
	case e.has("answers the subprotocol twice") && offered != "":
		s += strings.Repeat("Sec-WebSocket-Protocol: "+offered+"\r\n", 2)
	case e.has("answers all subprotocols") && offered != "":
		s += "Sec-WebSocket-Protocol: " + h.get("sec-websocket-protocol") + "\r\n"
	case e.has("answers Upgrade twice"):
		s += "Upgrade: websocket\r\n"
	}
	return s
}

// decodeKey is the key's bytes; nil where it is none.
func (e *endpoint) decodeKey(key string) []byte {
	encoding := base64.StdEncoding.Strict()
	switch {
	case e.has("takes a key in base64url"):
		key = strings.NewReplacer("-", "+", "_", "/").Replace(key)
	case e.has("takes a key with more behind it"):
		key = key[:min(24, len(key))]
	case e.has("takes a key of 24 characters"):
		if len(key) == 24 {
			return make([]byte, 16)
		}
	}
	b, err := encoding.DecodeString(key)
	if err != nil {
		return nil
	}
	return b
}

// newKey is the key of a client's request.
func (e *endpoint) newKey() string {
	var raw [16]byte
	for i := range raw {
		if raw[i] = byte(rand.Uint32()); e.has("uses one Sec-WebSocket-Key") {
			raw[i] = byte(i)
		}
	}
	return base64.StdEncoding.EncodeToString(raw[:])
}

// offer is what a client offers.
func (e *endpoint) offer() string {
	const extension = "permessage-deflate"
	switch {
	case e.has("offers a window of 16 bits"):
		return extension + "; client_max_window_bits=16"
	case e.has("offers a window with a leading zero"):
		return extension + "; client_max_window_bits=010"
	case e.has("takes a larger window than it offered"):
		return extension + "; client_max_window_bits=10; server_max_window_bits=10"
	case e.has("takes an answer that ignores its offer"):
		return extension + "; server_no_context_takeover; server_max_window_bits=10"
	case e.has("takes a window that it did not offer"):
		return extension
	}
	return extension + "; client_max_window_bits"
}

// checkAnswer verifies a server's answer (RFC 6455 §4.1).
func (e *endpoint) checkAnswer(h *head, key string) bool {
	f := strings.Fields(h.start)
	protocols := h.fields["sec-websocket-protocol"]
	switch {
	case len(f) < 2 || f[0] != "HTTP/1.1" && !e.has("takes any HTTP version"):
		return false
	case f[1] != "101" && !e.has("takes any status") && !(e.has("looks at two digits of the status") && strings.HasPrefix(f[1], "10")):
		return false
	case !e.rightUpgrade(h) && !e.has("does not look at Upgrade"):
		return false
	case !h.hasToken("connection", "upgrade") && !e.has("does not look at Connection"):
		return false
	case len(protocols) > 0 && !e.has("takes any subprotocol") && !(e.has("takes an empty subprotocol") && protocols[0] == "") &&
		!(e.has("takes a subprotocol twice") && len(protocols) > 1):
		return false
	}
	return (e.rightAccept(h.fields["sec-websocket-accept"], acceptKey(key)) || e.has("does not look at the accept")) && e.rightExtensions(h.fields["sec-websocket-extensions"])
}

func (e *endpoint) rightUpgrade(h *head) bool {
	if e.has("finds websocket anywhere in Upgrade") {
		return strings.Contains(strings.ToLower(h.get("upgrade")), "websocket")
	}
	return strings.EqualFold(h.get("upgrade"), "websocket") && len(h.fields["upgrade"]) == 1
}

func (e *endpoint) rightAccept(accepts []string, want string) bool {
	got := strings.Join(accepts, ", ")
	switch {
	case got == "":
		return false
	case e.has("compares the accept without its case"):
		return strings.EqualFold(got, want)
	case e.has("compares 20 characters of the accept"):
		return len(got) >= 20 && got[:20] == want[:20]
	case e.has("compares the accept without its last character"):
		return strings.TrimRight(got, "=") == strings.TrimRight(want, "=")
	case e.has("takes more behind the accept"):
		return strings.HasPrefix(got, want)
	case e.has("looks at the first accept"):
		return accepts[0] == want
	case e.has("looks at the last accept"):
		return accepts[len(accepts)-1] == want
	}
	return got == want
}

func (e *endpoint) rightExtensions(ext []string) bool {
	if len(ext) == 0 {
		return true
	}
	if strings.Contains(ext[0], ",") || len(ext) > 1 {
		if e.has("takes a second extension") {
			ext[0], _, _ = strings.Cut(ext[0], ",")
		} else {
			return e.has("takes any extension")
		}
	}
	p, err := e.parseElement(ext[0], false)
	if err != nil {
		return e.has("takes any extension")
	}
	if !e.fits(p) && !e.has("takes any extension") {
		return false
	}
	e.codec = newCodec(e, p)
	return true
}

// fits reports whether an answer accepts what offer offered.
func (e *endpoint) fits(p params) bool {
	o, _ := e.parseElement(e.offer(), true)
	switch {
	case e.has(NoCompression):
		return false
	case e.has("takes a window that it did not offer"), e.has("takes a larger window than it offered"), e.has("takes an answer that ignores its offer"):
		return true
	}
	return (o.clientBits != 0 || p.clientBits == 0) && (o.clientBits <= 0 || p.clientBits <= o.clientBits)
}
