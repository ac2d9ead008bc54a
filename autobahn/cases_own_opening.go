package autobahn

import (
	"fmt"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// works is what follows an opening handshake that was completed: an echo.
func works(c *Case) *Case {
	c.Script = []Step{send(text("Hello, quay")), killAfter(time.Second)}
	c.Expect, c.Close = []Outcome{ok(echoed("Hello, quay"))}, cleanClose
	return c
}

// set, add and del are changes to a Draft.
func set(name, value string) func(*Draft) { return func(d *Draft) { d.Set(name, value) } }
func add(name, value string) func(*Draft) { return func(d *Draft) { d.Add(name, value) } }
func del(name string) func(*Draft)        { return func(d *Draft) { d.Del(name) } }

func both(changes ...func(*Draft)) func(*Draft) {
	return func(d *Draft) {
		for _, f := range changes {
			f(d)
		}
	}
}

// openingRequests is H1: requests that a server must accept.
func openingRequests() []*Case {
	s := series{prefix: "H1"}
	accept := func(title string, rule *Rule, change func(*Draft)) *Opening {
		o := &Opening{Request: change}
		s.add(works(&Case{Title: title, Expectation: "The handshake is completed, and a message comes back.", Rule: rule, Testee: Server, Opening: o}))
		return o
	}
	accept("Upgrade: websocket, in lower case.", ruleOpenUpgrade, set("Upgrade", "websocket"))
	accept("Upgrade: WEBSOCKET, in upper case.", ruleOpenUpgrade, set("Upgrade", "WEBSOCKET"))
	accept("Connection: keep-alive, Upgrade.", ruleOpenConn, set("Connection", "keep-alive, Upgrade"))
	accept("Connection: upgrade, in lower case.", ruleOpenConn, set("Connection", "upgrade"))
	accept("Two Connection fields, the second with Upgrade.", ruleHTTPLists, both(set("Connection", "keep-alive"), add("Connection", "Upgrade")))
	accept("Every field name in lower case.", ruleOpenRequest, eachName(strings.ToLower))
	accept("Every field name in upper case.", ruleOpenRequest, eachName(strings.ToUpper))
	accept("The fields in reverse order.", ruleOpenRequest, func(d *Draft) {
		for i, j := 0, len(d.Fields)-1; i < j; i, j = i+1, j-1 {
			d.Fields[i], d.Fields[j] = d.Fields[j], d.Fields[i]
		}
	})
	accept("40 fields that nobody knows.", ruleOpenRequest, func(d *Draft) {
		for i := range 40 {
			d.Add(fmt.Sprintf("X-Field-%d", i), strings.Repeat("x", 20))
		}
	})
	accept("A field of 2,000 bytes.", ruleOpenRequest, add("X-Long", strings.Repeat("x", 2000)))
	accept("The request byte by byte.", ruleOpenRequest, func(d *Draft) { d.Chop = 1 })
	accept("No white space behind the colons.", ruleHTTPSpace, func(d *Draft) {
		d.Raw = []byte(strings.ReplaceAll(string(d.Bytes()), ": ", ":"))
	})
	accept("White space around the key.", ruleOpenKey, func(d *Draft) {
		d.Raw = []byte(strings.Replace(string(d.Bytes()), "Key: "+d.Get("Sec-WebSocket-Key"), "Key: \t "+d.Get("Sec-WebSocket-Key")+" \t", 1))
	})
	accept("A key that decodes to 16 zeros.", ruleOpenAccept, set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="))
	accept("A query in the target.", ruleOpenRequest, func(d *Draft) {
		target := strings.Fields(d.Start)[1]
		sep := "?"
		if strings.Contains(target, "?") {
			sep = "&"
		}
		d.Start = "GET " + target + sep + "wsconform=1 HTTP/1.1"
	})
	accept("No Origin, as programs do.", ruleOpenRequest, del("Origin"))
	accept("A subprotocol that no server has.", ruleOpenProtocol, set("Sec-WebSocket-Protocol", "wsconform.nobody.has.this")).Verify = func(h *wire.Head) string {
		for _, v := range h.Values("Sec-WebSocket-Protocol") {
			if v != "wsconform.nobody.has.this" {
				return fmt.Sprintf("the subprotocol %q was not offered", v)
			}
		}
		return ""
	}
	unknown := func(h *wire.Head) string {
		if v := h.Values("Sec-WebSocket-Extensions"); len(v) > 0 {
			return fmt.Sprintf("the answer has the extension %q", v[0])
		}
		return ""
	}
	accept("An extension that no server has.", ruleOpenExt, set("Sec-WebSocket-Extensions", "x-wsconform-nobody-has-this; a=1")).Verify = unknown
	accept("Two such extensions in two fields.", ruleOpenExt, both(add("Sec-WebSocket-Extensions", "x-wsconform-one"), add("Sec-WebSocket-Extensions", "x-wsconform-two; b=\"2\""))).Verify = unknown
	accept("No extension: none may be answered.", ruleOpenExtNew, del("Sec-WebSocket-Extensions")).Verify = unknown
	return s.list
}

func eachName(f func(string) string) func(*Draft) {
	return func(d *Draft) {
		for i := range d.Fields {
			d.Fields[i].Name = f(d.Fields[i].Name)
		}
	}
}

// openingRefused is H2: requests that a server must refuse.
func openingRefused() []*Case {
	s := series{prefix: "H2"}
	refuse := func(title string, rule *Rule, change func(*Draft)) *Opening {
		o := &Opening{Request: change, Refuse: true}
		s.add(&Case{Title: title, Expectation: "The handshake is refused with an HTTP status from 300 on. Closing TCP without one is NON-STRICT.", Rule: rule, Testee: Server, Opening: o})
		return o
	}
	// A server may ignore Upgrade (RFC 9110 §7.8), and must ignore it in HTTP/1.0.
	plain := func(title string, rule *Rule, change func(*Draft)) {
		refuse(title, rule, change).plain = true
		s.list[len(s.list)-1].Expectation += " So is an answer from 200 to 299, of a server that ignores Upgrade."
	}
	method := func(m, version string) func(*Draft) {
		return func(d *Draft) { d.Start = m + " " + strings.Fields(d.Start)[1] + " HTTP/" + version }
	}
	plain("The method POST.", ruleOpenMethod, method("POST", "1.1"))
	plain("The method PUT.", ruleOpenMethod, method("PUT", "1.1"))
	plain("HTTP/1.0.", ruleOpenMethod, method("GET", "1.0"))
	refuse("No Host.", ruleOpenHost, del("Host"))
	refuse("Two Host fields.", ruleOpenHost, add("Host", "other.example"))
	plain("No Upgrade.", ruleOpenUpgrade, del("Upgrade"))
	plain("Upgrade: h2c.", ruleOpenUpgrade, set("Upgrade", "h2c"))
	plain("Upgrade: websockets, one letter too many.", ruleOpenUpgrade, set("Upgrade", "websockets"))
	plain("No Connection.", ruleOpenConn, del("Connection"))
	plain("Connection: keep-alive.", ruleOpenConn, set("Connection", "keep-alive"))
	plain("Connection: close.", ruleOpenConn, set("Connection", "close"))
	plain("Connection: Upgraded, two letters too many.", ruleOpenConn, set("Connection", "Upgraded"))
	for _, k := range []struct{ what, key string }{
		{"An empty key.", ""}, {"A key of 15 bytes.", "AAECAwQFBgcICQoLDA0O"}, {"A key of 17 bytes.", "AAECAwQFBgcICQoLDA0ODxA="},
		{"A key that is not base64.", "this is not base64 !!!!!"}, {"A key without its padding.", "AAECAwQFBgcICQoLDA0ODw"},
	} {
		refuse(k.what, ruleOpenKey, set("Sec-WebSocket-Key", k.key))
	}
	refuse("No key.", ruleOpenKey, del("Sec-WebSocket-Key"))
	refuse("Two keys.", ruleOpenKeyOnce, add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="))
	versionsRefused(refuse)
	refuse("White space before a colon.", ruleHTTPColon, func(d *Draft) {
		d.Raw = []byte(strings.Replace(string(d.Bytes()), "Upgrade: ", "Upgrade : ", 1))
	})
	refuse("A line without a colon.", ruleOpenRequest, func(d *Draft) {
		d.Raw = []byte(strings.Replace(string(d.Bytes()), "Upgrade: ", "this is no field\r\nUpgrade: ", 1))
	})
	s.add(works(&Case{Title: "A field with a NUL.", Rule: ruleHTTPValue, Testee: Server,
		Expectation: "The request is refused; or the NUL is taken for a space, the handshake is completed, and a message comes back.",
		Opening:     &Opening{Request: add("X-Field", "a\x00b"), orRefuse: OK}}))
	refuse("A field name with a space.", ruleHTTPColon, add("X Field", "a"))
	refuse("The preface of HTTP/2.", ruleOpenMethod, func(d *Draft) { d.Raw = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") }).foreign = true
	s.list[len(s.list)-1].Expectation += " A server may answer in HTTP/2."
	smuggledBodies(&s)
	return s.list
}

// versionsRefused: the refusal says which version the server speaks.
func versionsRefused(refuse func(string, *Rule, func(*Draft)) *Opening) {
	answered13 := func(h *wire.Head) string {
		if h.HasToken("Sec-WebSocket-Version", "13") {
			return ""
		}
		return "the refusal does not say Sec-WebSocket-Version: 13"
	}
	version := func(title string, change func(*Draft)) *Opening {
		o := refuse(title, ruleOpenVersion, change)
		o.Verify = answered13
		return o
	}
	version("No version.", del("Sec-WebSocket-Version"))
	for _, v := range []string{"0", "8", "12", "14", "255", "013", "thirteen"} {
		o := version("Version "+v+".", set("Sec-WebSocket-Version", v))
		if v == "8" { // from a draft whose handshake and frames are those of the RFC
			o.orComplete = NonStrict
		}
	}
	refuse("Two versions, 8 and 13.", ruleOpenVersion, both(set("Sec-WebSocket-Version", "8"), add("Sec-WebSocket-Version", "13"))).Statuses = nil
}

// smuggledBodies are requests with a body that is a frame.
func smuggledBodies(s *series) {
	smuggled := (&wire.Frame{Fin: true, Opcode: wire.Text, Payload: []byte("hi")}).Append(nil, true, [4]byte{1, 2, 3, 4})
	for i, how := range []string{"Content-Length", "Transfer-Encoding"} {
		change := both(set("Content-Length", fmt.Sprint(len(smuggled))), func(d *Draft) { d.Body = smuggled })
		if i == 1 {
			change = both(set("Transfer-Encoding", "chunked"), func(d *Draft) { d.Body = fmt.Appendf(nil, "%x\r\n%s\r\n0\r\n\r\n", len(smuggled), smuggled) })
		}
		s.add(&Case{Title: "A request with a body (" + how + ") that is a masked frame.", Rule: ruleHTTPBody, Testee: Server,
			Expectation: "The handshake is refused. Completing it and passing the body over is NON-STRICT; the body must not be taken for a frame.",
			Opening:     &Opening{Request: change, orRefuse: OK},
			Script:      []Step{{do: actWait, delay: time.Second / 4}, closeWith(1000), killAfter(time.Second)},
			Expect:      []Outcome{lax()}, Close: Closing{EitherEnd: true}, keepOpen: true})
	}
}

// openingAnswers is H3: what a client must send, and answers it must accept.
func openingAnswers() []*Case {
	s := series{prefix: "H3"}
	sent := func(title string, rule *Rule, verify func(h *wire.Head) string) *Opening {
		o := &Opening{Verify: verify}
		s.add(works(&Case{Title: title, Expectation: "The client's request is so, and a message comes back.", Rule: rule, Testee: Client, Opening: o}))
		return o
	}
	sent("The client's request has what RFC 6455 demands, each field once.", ruleOpenRequest, func(h *wire.Head) string { return "" })
	sent("The client's request has no body.", ruleHTTPBody, func(h *wire.Head) string {
		if h.Get("Content-Length") != "" && h.Get("Content-Length") != "0" || h.Get("Transfer-Encoding") != "" {
			return "the request has a body"
		}
		return ""
	})
	sent("The client's extensions are well-formed.", ruleOpenExt, func(h *wire.Head) string {
		if _, err := offersOf(h); err != nil {
			return "the client's offer is malformed: " + err.Error()
		}
		return ""
	})
	sent("The client waits for the answer before it sends frames.", ruleOpenData, nil).hold = true
	accept := func(title string, rule *Rule, change func(*Draft)) {
		s.add(works(&Case{Title: title, Expectation: "The handshake is completed, and a message comes back.", Rule: rule, Testee: Client, Opening: &Opening{Response: change}}))
	}
	accept("Upgrade: websocket, in lower case.", ruleReplyUpgrade, set("Upgrade", "websocket"))
	accept("Upgrade: WEBSOCKET, in upper case.", ruleReplyUpgrade, set("Upgrade", "WEBSOCKET"))
	accept("Connection: keep-alive, UPGRADE.", ruleReplyConn, set("Connection", "keep-alive, UPGRADE"))
	accept("Every field name in lower case.", ruleReply101, eachName(strings.ToLower))
	accept("Fields that nobody knows.", ruleReply101, both(add("X-One", "1"), add("Set-Cookie", "a=b"), add("Date", "Thu, 01 Jan 2026 00:00:00 GMT")))
	accept("The answer byte by byte.", ruleReply101, func(d *Draft) { d.Chop = 1 })
	accept("White space around Sec-WebSocket-Accept.", ruleReplyAccept, func(d *Draft) {
		d.Raw = []byte(strings.Replace(string(d.Bytes()), "Accept: "+d.Get("Sec-WebSocket-Accept"), "Accept: \t"+d.Get("Sec-WebSocket-Accept")+" ", 1))
	})
	accept("No reason phrase.", ruleReply101, func(d *Draft) { d.Start = "HTTP/1.1 101 " })
	accept("Another reason phrase.", ruleReply101, func(d *Draft) { d.Start = "HTTP/1.1 101 Come On Board" })
	return s.list
}

// openingAnswersRefused is H4: answers at which a client must fail the connection.
func openingAnswersRefused() []*Case {
	s := series{prefix: "H4"}
	refuse := func(title string, rule *Rule, change func(*Draft)) *Case {
		return s.add(&Case{Title: title, Expectation: "The client closes the connection; a message that follows does not come back.", Rule: rule, Testee: Client,
			Opening: &Opening{Response: change, Refuse: true},
			Script:  []Step{send(text("do not echo this")), killAfter(time.Second)},
			Expect:  []Outcome{ok()}, Close: Closing{WrongEndFatal: true}})
	}
	status := func(line string) func(*Draft) {
		return func(d *Draft) {
			d.Start = "HTTP/1.1 " + line
			d.Set("Content-Length", "0")
		}
	}
	for _, line := range []string{"200 OK", "301 Moved Permanently", "400 Bad Request", "401 Unauthorized", "404 Not Found", "426 Upgrade Required", "503 Service Unavailable"} {
		refuse("The status "+line+".", ruleReply101, status(line))
	}
	refuse("No Upgrade.", ruleReplyUpgrade, del("Upgrade"))
	refuse("Upgrade: h2c.", ruleReplyUpgrade, set("Upgrade", "h2c"))
	refuse("Upgrade: websockets, one letter too many.", ruleReplyUpgrade, set("Upgrade", "websockets"))
	refuse("No Connection.", ruleReplyConn, del("Connection"))
	refuse("Connection: close.", ruleReplyConn, set("Connection", "close"))
	refuse("Connection: Upgraded, two letters too many.", ruleReplyConn, set("Connection", "Upgraded"))
	refuse("No Sec-WebSocket-Accept.", ruleReplyAccept, del("Sec-WebSocket-Accept"))
	refuse("An empty Sec-WebSocket-Accept.", ruleReplyAccept, set("Sec-WebSocket-Accept", ""))
	refuse("The Sec-WebSocket-Accept of another key.", ruleReplyAccept, set("Sec-WebSocket-Accept", wire.Accept("dGhlIHNhbXBsZSBub25jZQ==")))
	refuse("Sec-WebSocket-Accept with upper and lower case exchanged.", ruleReplyAccept, func(d *Draft) {
		d.Set("Sec-WebSocket-Accept", strings.Map(swapCase, d.Get("Sec-WebSocket-Accept")))
	})
	refuse("The client's key as Sec-WebSocket-Accept.", ruleReplyAccept, func(d *Draft) { d.Set("Sec-WebSocket-Accept", d.Key) })
	refuse("A subprotocol that was not asked for.", ruleReplyProto, set("Sec-WebSocket-Protocol", "wsconform.nobody.asked"))
	refuse("An extension that was not asked for.", ruleOpenExtNew, set("Sec-WebSocket-Extensions", "x-wsconform-nobody-asked"))
	c := refuse("HTTP/1.0.", ruleHTTP10, func(d *Draft) { d.Start = "HTTP/1.0 101 Switching Protocols" })
	c.Expectation += " A client that looks at the status alone is NON-STRICT."
	c.Expect = append(c.Expect, laxClean(echoed("do not echo this")))
	refuse("Something that is not HTTP.", ruleReply101, func(d *Draft) { d.Raw = []byte("Welcome to the quay\r\n\r\n") })
	return s.list
}

func swapCase(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z':
		return r - 'a' + 'A'
	case r >= 'A' && r <= 'Z':
		return r - 'A' + 'a'
	}
	return r
}

// gluedTo is an opening with frames in the same write. first is the number of bytes that are
// not held back (0: all). A client must not send before it has the answer (RFC 6455
// §4.1): a server that refuses such a handshake is NON-STRICT, and one that loses the
// frames FAILED.
func gluedTo(frames []*wire.Frame, first int) *Opening {
	return &Opening{Glue: frames, GlueFirst: first, orRefuse: NonStrict}
}

// glued is G1 (servers) and G2 (clients): frames that arrive with the handshake.
func glued() []*Case {
	var list []*Case
	for i, role := range []Role{Server, Client} {
		s := series{prefix: fmt.Sprintf("G%d", i+1)}
		part := "request"
		if role == Client {
			part = "answer"
		}
		join := func(title string, first int, events []Event, frames ...*wire.Frame) {
			c := &Case{Title: title, Expectation: "All comes back, as if it had come later.", Rule: ruleOpenGlued, Testee: role,
				Opening: gluedTo(frames, first), Script: []Step{killAfter(2 * time.Second)},
				Expect: []Outcome{ok(events...)}, Close: cleanClose}
			s.add(c)
		}
		hello := "right behind"
		join("A text message in the same write as the "+part+".", 0, []Event{echoed(hello)}, text(hello))
		join("Half a text message in the same write as the "+part+", the rest a moment later.", 7, []Event{echoed(hello)}, text(hello))
		join("One byte of a text message in the same write as the "+part+", the rest a moment later.", 1, []Event{echoed(hello)}, text(hello))
		join("A Ping in the same write as the "+part+".", 0, []Event{ponged(hello)}, ping(hello))
		join("Two messages and a Ping in the same write as the "+part+".", 0, []Event{echoed("one"), ponged("two"), echoed("three")}, text("one"), ping("two"), text("three"))
		big := star(20000)
		join("A message of 20,000 bytes in the same write as the "+part+".", 0, []Event{{Kind: MessageEvent, Payload: big}}, frame(wire.Text, big))
		s.add(&Case{Title: "A bad frame in the same write as the " + part + ".", Expectation: "The connection is failed with 1002, or TCP is closed.", Rule: ruleOpenGlued, Testee: role,
			Opening: gluedTo([]*wire.Frame{frame(3, nil)}, 0), Script: []Step{killAfter(time.Second)}, Expect: []Outcome{ok()}, Close: Closing{Codes: only1002}})
		list = append(list, s.list...)
	}
	return list
}
