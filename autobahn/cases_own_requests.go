package autobahn

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// start replaces a request's first line; %s is its target.
func start(format string) func(*Draft) {
	return func(d *Draft) { d.Start = fmt.Sprintf(format, strings.Fields(d.Start)[1]) }
}

// replaced changes the bytes of a handshake.
func replaced(old, new string) func(*Draft) {
	return func(d *Draft) { d.Raw = []byte(strings.Replace(string(d.Bytes()), old, new, 1)) }
}

// oddRequests is H5: unusual requests that a server must accept.
func oddRequests() []*Case {
	s := series{prefix: "H5"}
	accept := func(title string, rule *Rule, change func(*Draft)) *Opening {
		o := &Opening{Request: change}
		s.add(works(&Case{Title: title, Expectation: "The handshake is completed, and a message comes back.", Rule: rule, Testee: Server, Suite: 2, Opening: o}))
		return o
	}
	accept("A target in absolute form.", ruleAbsolute, func(d *Draft) {
		d.Start = "GET http://" + d.Get("Host") + strings.Fields(d.Start)[1] + " HTTP/1.1"
	})
	for _, v := range []string{"h2c, websocket", "websocket, h2c", "websocket,foo/1", "h2c ,\tWebSocket", ", websocket"} {
		accept(fmt.Sprintf("Upgrade: %q, a list.", v), ruleOpenUpgrade, set("Upgrade", v))
	}
	accept("Two Upgrade fields, the second with websocket.", ruleHTTPLists, both(set("Upgrade", "h2c"), add("Upgrade", "websocket")))
	for _, v := range []string{"keep-alive,Upgrade", "Upgrade,keep-alive", "keep-alive ,\tUpgrade", ", Upgrade", "Upgrade,", "TE, keep-alive, upgrade"} {
		accept(fmt.Sprintf("Connection: %q.", v), ruleOpenConn, set("Connection", v))
	}
	for _, name := range []string{"Upgrade", "Connection", "Sec-WebSocket-Version"} {
		accept("Tabs and spaces around the value of "+name+".", ruleHTTPSpace, func(d *Draft) { replaced(name+": "+d.Get(name), name+":\t "+d.Get(name)+" \t ")(d) })
	}
	accept("A field without a value.", ruleHTTPSpace, add("X-Empty", ""))
	accept("A field with bytes above 127.", ruleHTTPSpace, add("X-Name", "Grüße"))
	accept("Every field name in mixed case.", ruleOpenRequest, eachName(func(name string) string {
		b := []byte(strings.ToLower(name))
		for i := 1; i < len(b); i += 2 {
			b[i] = strings.ToUpper(string(b[i]))[0]
		}
		return string(b)
	}))
	accept("An empty line before the request.", ruleEmptyLine, func(d *Draft) { d.Raw = append([]byte("\r\n"), d.Bytes()...) }).orRefuse = NonStrict
	s.list[len(s.list)-1].Expectation += " Refusing it is NON-STRICT."
	return s.list
}

// badRequests is H6: more requests that a server must refuse.
func badRequests() []*Case {
	s := series{prefix: "H6"}
	refuse := func(title string, rule *Rule, change func(*Draft)) *Opening {
		o := &Opening{Request: change, Refuse: true}
		s.add(&Case{Title: title, Expectation: "The handshake is refused with an HTTP status from 300 on. Closing TCP without one is NON-STRICT.", Rule: rule, Testee: Server, Suite: 2, Opening: o})
		return o
	}
	for _, m := range []string{"get", "Get", "GETS"} {
		o := refuse("The method "+m+".", ruleOpenMethod, start(m+" %s HTTP/1.1"))
		o.plain = true
	}
	for _, v := range []string{"http/1.1", "HTTP/1.1.1", "HTTPS/1.1", "HTTP/11"} {
		refuse("The version "+v+" of HTTP.", ruleOpenMethod, start("GET %s "+v)).plain = true
	}
	refuse("A fragment in the target.", ruleFragment, start("GET %s#quay HTTP/1.1")).orComplete = NonStrict
	s.list[len(s.list)-1].Expectation += " So is completing it: only the client must not send one."
	for _, k := range []struct{ what, key string }{
		{"A key in the alphabet of base64url.", "__-_-__-AAAAAAAAAAAAAA=="}, {"A key with one more character behind it.", "AAECAwQFBgcICQoLDA0ODw==x"},
		{"A key with another one behind it.", "AAECAwQFBgcICQoLDA0ODw==, AAECAwQFBgcICQoLDA0ODw=="}, {"A key of 24 characters that decodes to 18 bytes.", "AAECAwQFBgcICQoLDA0ODxAR"},
		{"A key with a space inside.", "AAECAwQFBgcI CQoLDA0ODw=="}, {"A key with its padding in front.", "==AAECAwQFBgcICQoLDA0ODw"},
		{"A key with one = too few.", "AAECAwQFBgcICQoLDA0ODw="}, {"A key with one = too many.", "AAECAwQFBgcICQoLDA0ODw==="},
		{"A key in quotes.", `"AAECAwQFBgcICQoLDA0ODw=="`},
	} {
		refuse(k.what, ruleOpenKey, set("Sec-WebSocket-Key", k.key))
	}
	refuse("The same key twice.", ruleOpenKeyOnce, func(d *Draft) { d.Add("Sec-WebSocket-Key", d.Get("Sec-WebSocket-Key")) })
	for _, v := range []string{"13, 8", "+13", "13.0", "0x0d", "1", "3", "130"} {
		refuse("Version "+v+".", ruleOpenVersion, set("Sec-WebSocket-Version", v))
	}
	return s.list
}

// serverAnswers is H7: what a server's answer must not contain.
func serverAnswers() []*Case {
	s := series{prefix: "H7"}
	check := func(title string, rule *Rule, request func(*Draft), verify func(h *wire.Head) string) {
		s.add(works(&Case{Title: title, Expectation: "The answer is so, and a message comes back.", Rule: rule, Testee: Server, Suite: 2, Opening: &Opening{Request: request, Verify: verify}}))
	}
	none := func(name string) func(h *wire.Head) string {
		return func(h *wire.Head) string {
			if v := h.Values(name); len(v) > 0 {
				return fmt.Sprintf("the answer, a 101, has %s: %s", name, v[0])
			}
			return ""
		}
	}
	check("The answer has no Content-Length.", ruleNoLength, nil, none("Content-Length"))
	check("The answer has no Transfer-Encoding.", ruleNoEncoding, nil, none("Transfer-Encoding"))
	check("The answer does not announce that the connection is closed.", ruleCloseOption, nil, func(h *wire.Head) string {
		if h.HasToken("Connection", "close") {
			return fmt.Sprintf("the answer, a 101, has Connection: %s", h.Get("Connection"))
		}
		return ""
	})
	once := func(h *wire.Head) string {
		for _, name := range []string{"Sec-WebSocket-Accept", "Sec-WebSocket-Protocol", "Upgrade"} {
			if v := h.Values(name); len(v) > 1 {
				return fmt.Sprintf("the field %s is there %d times", name, len(v))
			}
		}
		return ""
	}
	check("The answer has each field once.", ruleReplyAccept, nil, once)
	check("The answer without a request for a subprotocol has none, not an empty one either.", ruleOpenProtocol, del("Sec-WebSocket-Protocol"), none("Sec-WebSocket-Protocol"))
	protocols := []string{"wsconform.one", "wsconform.two", "chat", "superchat"}
	for _, c := range []struct {
		title   string
		request func(*Draft)
	}{
		{"Four subprotocols in one field: the answer has one of them, or none.", set("Sec-WebSocket-Protocol", strings.Join(protocols, ", "))},
		{"Four subprotocols in two fields: the answer has one of them, or none.", both(set("Sec-WebSocket-Protocol", "wsconform.one, wsconform.two"), add("Sec-WebSocket-Protocol", "chat,superchat"))},
	} {
		check(c.title, ruleOpenProtocol, c.request, func(h *wire.Head) string {
			v := h.Values("Sec-WebSocket-Protocol")
			if len(v) > 1 || len(v) == 1 && !slices.Contains(protocols, v[0]) {
				return fmt.Sprintf("the answer's subprotocol is %q, which is not one of those offered", strings.Join(v, "; "))
			}
			return ""
		})
	}
	return s.list
}

// oddAnswers is H8: unusual answers that a client has no reason to refuse.
func oddAnswers() []*Case {
	s := series{prefix: "H8"}
	accept := func(title string, rule *Rule, change func(*Draft)) *Case {
		c := s.add(works(&Case{Title: title, Expectation: "The handshake is completed, and a message comes back. Refusing the answer is NON-STRICT.", Rule: rule, Testee: Client, Suite: 2, Opening: &Opening{Response: change}}))
		c.Expect = append(c.Expect, Outcome{Verdict: NonStrict, end: &Closing{}})
		return c
	}
	accept("A 101 with Content-Length: 0.", ruleNoBody101, add("Content-Length", "0"))
	accept("A 101 with Content-Length: 13, which a message follows that is as long.", ruleNoBody101, add("Content-Length", "13"))
	accept("A 101 with Transfer-Encoding: chunked.", ruleNoBody101, add("Transfer-Encoding", "chunked"))
	c := accept("A 101 with Connection: Upgrade, close, which contradicts itself.", ruleReplyConn, set("Connection", "Upgrade, close"))
	c.Expectation = "The handshake is completed, and a message comes back; or the client closes the connection."
	c.Expect[1].Verdict = OK
	accept("A 101 with Connection: Upgrade and, in another field, keep-alive.", ruleHTTPLists, add("Connection", "keep-alive"))
	accept("A 101 behind a 100.", ruleInterim, func(d *Draft) { d.Raw = append([]byte("HTTP/1.1 100 Continue\r\n\r\n"), d.Bytes()...) })
	accept("A 101 behind a 103 with fields.", ruleInterim, func(d *Draft) {
		d.Raw = append([]byte("HTTP/1.1 103 Early Hints\r\nLink: </quay.css>; rel=preload\r\n\r\n"), d.Bytes()...)
	})
	accept("Tabs and spaces around every value.", ruleHTTPSpace, func(d *Draft) {
		d.Raw = []byte(strings.ReplaceAll(strings.ReplaceAll(string(d.Bytes()), ": ", ":\t "), "\r\nSec", " \t\r\nSec"))
	})
	accept("40 fields that nobody knows.", ruleReply101, func(d *Draft) {
		for i := range 40 {
			d.Add(fmt.Sprintf("X-Field-%d", i), strings.Repeat("x", 20))
		}
	})
	return s.list
}

// refusedAnswer is a case whose answer a client must not accept.
func (s *series) refusedAnswer(title string, rule *Rule, change func(*Draft)) *Case {
	return s.add(&Case{Title: title, Expectation: "The client closes the connection; a message that follows does not come back.", Rule: rule, Testee: Client, Suite: 2,
		Opening: &Opening{Response: change, Refuse: true},
		Script:  []Step{send(text("do not echo this")), killAfter(time.Second)},
		Expect:  []Outcome{ok()}, Close: Closing{WrongEndFatal: true}})
}

// badAnswers is H9: more answers at which a client must fail the connection.
func badAnswers() []*Case {
	s := series{prefix: "H9"}
	accept := func(title string, change func(right string) []string) *Case {
		return s.refusedAnswer(title, ruleReplyAccept, func(d *Draft) {
			right := d.Get("Sec-WebSocket-Accept")
			d.Del("Sec-WebSocket-Accept")
			for _, v := range change(right) {
				d.Add("Sec-WebSocket-Accept", v)
			}
		})
	}
	other := func(right string, at int) string {
		b := []byte(right)
		if b[at]++; b[at] == 'z'+1 || b[at] == 'Z'+1 || b[at] == '9'+1 || b[at] == '+'+1 || b[at] == '/'+1 {
			b[at] = 'A'
		}
		return string(b)
	}
	for _, at := range []int{0, 13, 20, 24, 25, 26} {
		accept(fmt.Sprintf("Sec-WebSocket-Accept that is wrong in character %d of 28.", at+1), func(right string) []string { return []string{other(right, at)} })
	}
	accept("Sec-WebSocket-Accept without its last character, a =.", func(right string) []string { return []string{right[:27]} })
	accept("Sec-WebSocket-Accept with one = more.", func(right string) []string { return []string{right + "="} })
	accept("Sec-WebSocket-Accept with more behind it.", func(right string) []string { return []string{right + "x"} })
	accept("Sec-WebSocket-Accept with more behind a space.", func(right string) []string { return []string{right + " x"} })
	accept("Sec-WebSocket-Accept with more before it.", func(right string) []string { return []string{"x" + right} })
	accept("Sec-WebSocket-Accept in quotes.", func(right string) []string { return []string{`"` + right + `"`} })
	// RFC 6455 §11.3.3 and §4.2.2 bind only the server: the meaning of what it must not send
	// is clear all the same.
	lenient := func(c *Case) { taken(c, echoed("do not echo this")) }
	lenient(accept("Two Sec-WebSocket-Accept, both right.", func(right string) []string { return []string{right, right} }))
	accept("Two Sec-WebSocket-Accept, the second wrong.", func(right string) []string { return []string{right, other(right, 3)} })
	accept("Two Sec-WebSocket-Accept, the first wrong.", func(right string) []string { return []string{other(right, 3), right} })
	accept("Two Sec-WebSocket-Accept in a list.", func(right string) []string { return []string{right + ", " + right} })
	lenient(s.refusedAnswer("An empty subprotocol.", ruleOpenProtocol, set("Sec-WebSocket-Protocol", "")))
	s.refusedAnswer("A subprotocol that was not asked for, twice.", ruleReplyProto,
		both(set("Sec-WebSocket-Protocol", "wsconform.nobody.asked"), add("Sec-WebSocket-Protocol", "wsconform.nobody.asked")))
	s.refusedAnswer("Upgrade: websocket, h2c, a list.", ruleReplyUpgrade, set("Upgrade", "websocket, h2c"))
	s.refusedAnswer("Upgrade: websocket/13.", ruleReplyUpgrade, set("Upgrade", "websocket/13"))
	for _, line := range []string{"HTTP/1.1 1010 Switching Protocols", "HTTP/1.1 10 Switching Protocols", "HTTP/1.1 201 Created"} {
		s.refusedAnswer("The status line "+line+".", ruleReply101, func(d *Draft) {
			d.Start = line
			d.Set("Content-Length", "0")
		})
	}
	return s.list
}

// clientRequests is H10: what a client must, and must not, send.
func clientRequests() []*Case {
	s := series{prefix: "H10"}
	sent := func(title string, rule *Rule, verify func(h *wire.Head) string) {
		s.add(works(&Case{Title: title, Expectation: "The client's request is so, and a message comes back.", Rule: rule, Testee: Client, Suite: 2, Opening: &Opening{Verify: verify}}))
	}
	sent("The target has no fragment.", ruleFragment, func(h *wire.Head) string {
		if strings.Contains(h.Start, "#") {
			return fmt.Sprintf("the request line is %q", h.Start)
		}
		return ""
	})
	s.add(works(&Case{Title: "Host has the port, unless it is the default one.", Expectation: "The client's request is so, and a message comes back.", Rule: ruleHostPort, Testee: Client, Suite: 2})).inspect = func(s *session) string {
		_, port, err := net.SplitHostPort(s.nc.LocalAddr().String())
		_, given, bad := net.SplitHostPort(s.clientHead.Get("Host"))
		if err == nil && port != "80" && port != "443" && (bad != nil || given == "") {
			return fmt.Sprintf("Host is %q, without the port, and the tester listens on port %s", s.clientHead.Get("Host"), port)
		}
		return ""
	}
	sent("The client's key is 16 bytes in base64, in its one form.", ruleOpenKey, func(h *wire.Head) string {
		if k := h.Get("Sec-WebSocket-Key"); len(k) != 24 || !strings.HasSuffix(k, "==") || !strings.ContainsRune("AQgw", rune(k[21])) {
			return fmt.Sprintf("the key is %q", k)
		}
		return ""
	})
	s.many("Eight connections: each request has another key.", "No key is there twice.", ruleKeyRandom, func() (list []*Case) {
		for i := range 8 {
			list = append(list, works(&Case{Title: fmt.Sprintf("connection %d", i+1)}))
		}
		return list
	}).across = func(parts []*Result) string {
		seen := map[string]bool{}
		for _, r := range parts {
			h, _, err := wire.SplitHead([]byte(r.Request))
			if err != nil || h == nil {
				continue
			}
			key := h.Get("Sec-WebSocket-Key")
			if seen[key] {
				return fmt.Sprintf("the key %s is there twice in %d connections", key, len(parts))
			}
			seen[key] = true
		}
		return ""
	}
	s.list[3].Testee = Client
	return s.list
}
