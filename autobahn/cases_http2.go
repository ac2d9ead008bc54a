package autobahn

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http2"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// http2Cases are about WebSocket over HTTP/2 (RFC 8441). Their ids begin with T, for
// tunnel: T1 requests that a server must accept, T2 those that it must refuse, T3 what is
// negotiated, T4 DATA frames, T5 flow control, T6 endings, T7 several streams on one
// connection, T8 a client's request, T9 answers that a client must refuse.
func http2Cases() (list []*Case) {
	for _, cases := range [][]*Case{
		connectRequests(), connectRefused(), connectNegotiation(), dataFrames(), flowControl(), streamEndings(), severalStreams(),
		connectingClients(), connectAnswersRefused(),
	} {
		list = append(list, cases...)
	}
	for _, c := range list {
		c.Suite = 2
		if c.HTTP2 == nil {
			c.HTTP2 = &HTTP2{}
		}
	}
	return list
}

// connectRequests is T1.
func connectRequests() []*Case {
	s := series{prefix: "T1"}
	accept := func(title string, rule *Rule, change func(*Draft)) *Case {
		return s.add(works(&Case{Title: title, Expectation: "The answer is 200, and a message comes back.", Rule: rule, Testee: Server,
			Opening: &Opening{Request: change}}))
	}
	c := accept("The server's SETTINGS.", ruleH2Setting, nil)
	c.Expectation = "The first SETTINGS frame has SETTINGS_ENABLE_CONNECT_PROTOCOL = 1, and no other takes it back. Announcing it later is NON-STRICT."
	c.settle, c.inspect, c.remark = true, settingTakenBack, settingLate
	c = accept("An ordinary request.", ruleH2Key, nil)
	c.Expectation += " The answer has none of the fields that belong to HTTP/1.1. Sec-WebSocket-Accept is NON-STRICT."
	c.remark = func(s *session) string {
		if v := s.stream.Head().Values("sec-websocket-accept"); len(v) > 0 {
			return fmt.Sprintf("the answer has the field sec-websocket-accept, %q", v)
		}
		return ""
	}
	accept("An ordinary request; the answer has no length.", ruleH2Length, nil).Opening.Verify = func(h *wire.Head) string {
		if v := h.Values("content-length"); len(v) > 0 {
			return fmt.Sprintf("the answer has the field content-length, %q", v)
		}
		return ""
	}
	accept("A Sec-WebSocket-Key, which nobody needs.", ruleH2Key, add("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="))
	accept("A Sec-WebSocket-Key that is none.", ruleH2Key, add("sec-websocket-key", "not a key"))
	accept("The pseudo-header fields in reverse order.", ruleH2Connect, func(d *Draft) { slices.Reverse(d.Fields[:pseudoFields(d)]) })
	accept("A query in :path.", ruleH2Connect, func(d *Draft) {
		sep := "?"
		if strings.Contains(d.Get(":path"), "?") {
			sep = "&"
		}
		d.Set(":path", d.Get(":path")+sep+"wsconform=1")
	})
	accept("40 fields that nobody knows.", ruleOpenRequest, func(d *Draft) {
		for i := range 40 {
			d.Add(fmt.Sprintf("x-field-%d", i), strings.Repeat("x", 20))
		}
	})
	accept("The header block in frames of 40 bytes.", ruleH2Blocks, func(d *Draft) { d.Chop = 40 })
	accept("Two cookie fields.", ruleOpenRequest, both(add("cookie", "a=1"), add("cookie", "b=2")))
	accept("te: trailers, the one value that it may have.", ruleH2Forbidden, add("te", "trailers"))
	return s.list
}

// pseudoFields is how many pseudo-header fields a draft begins with.
func pseudoFields(d *Draft) int {
	return max(0, slices.IndexFunc(d.Fields, func(f wire.Field) bool { return f.Name[0] != ':' }))
}

func settingTakenBack(s *session) string {
	on := false
	for _, values := range s.conn.Settings() {
		v, ok := values[http2.SettingEnableConnectProtocol]
		switch {
		case ok && v > 1:
			return fmt.Sprintf("SETTINGS_ENABLE_CONNECT_PROTOCOL is %d", v)
		case ok && v == 0 && on:
			return "SETTINGS_ENABLE_CONNECT_PROTOCOL was 1 and becomes 0"
		}
		on = on || v == 1
	}
	return ""
}

func settingLate(s *session) string {
	if s.conn.Settings()[0][http2.SettingEnableConnectProtocol] == 0 {
		return "the first SETTINGS frame does not announce extended CONNECT, a later one does"
	}
	return ""
}

// connectRefused is T2.
func connectRefused() []*Case {
	s := series{prefix: "T2"}
	refuse := func(title string, rule *Rule, change func(*Draft)) *Case {
		return s.add(&Case{Title: title, Expectation: "The stream is refused, with a status or by RST_STREAM, and the connection opens another WebSocket. Ending the connection is NON-STRICT.",
			Rule: rule, Testee: Server, Opening: &Opening{Request: change, Refuse: true}, HTTP2: &HTTP2{}})
	}
	bad := func(title string, rule *Rule, change func(*Draft)) *Case {
		c := refuse(title, rule, change)
		c.Expectation = "The stream is refused with PROTOCOL_ERROR or 400, and the connection opens another WebSocket. Another refusal, or ending the connection, is NON-STRICT."
		c.HTTP2.malformed, c.Opening.Statuses = true, []int{400}
		return c
	}
	for _, v := range []string{"12", "14", "0", "255", "thirteen", "13, 14"} {
		versionRefused(refuse("Sec-WebSocket-Version: "+v+".", ruleOpenVersion, set("sec-websocket-version", v)))
	}
	versionRefused(refuse("No Sec-WebSocket-Version.", ruleOpenVersion, del("sec-websocket-version")))
	refuse(":protocol is wsconform, which no server has.", ruleH2WebSocket, set(":protocol", "wsconform"))
	refuse(":protocol is websockets, one letter too many.", ruleH2WebSocket, set(":protocol", "websockets"))
	refuse("An ordinary CONNECT, which asks for a tunnel to another host.", ruleH2WebSocket, both(del(":protocol"), del(":scheme"), del(":path")))
	bad("No :protocol, but :scheme and :path.", ruleH2Tunnel, del(":protocol"))
	bad("No :path.", ruleH2Connect, del(":path"))
	bad("An empty :path.", ruleH2Connect, set(":path", ""))
	c := bad("No :scheme.", ruleH2Connect, del(":scheme"))
	c.Expectation += " So is completing the handshake: nobody needs the scheme."
	c.Opening.orComplete = NonStrict
	bad("No :authority, and no Host.", ruleH2Connect, del(":authority"))
	bad("Connection: Upgrade.", ruleH2Fields, add("connection", "Upgrade"))
	bad("Upgrade: websocket.", ruleH2Fields, add("upgrade", "websocket"))
	bad("Keep-Alive: timeout=5.", ruleH2Forbidden, add("keep-alive", "timeout=5"))
	bad("Transfer-Encoding: chunked.", ruleH2Forbidden, add("transfer-encoding", "chunked"))
	bad("te: gzip.", ruleH2Forbidden, add("te", "gzip"))
	bad("A field's name in upper case.", ruleH2Lower, func(d *Draft) {
		d.Fields = append(d.Fields, wire.Field{Name: rawName + "X-Upper", Value: "1"})
	})
	bad("The pseudo-header field :path twice.", ruleH2Pseudo, func(d *Draft) { insert(d, wire.Field{Name: ":path", Value: "/"}) })
	bad("The pseudo-header field :status.", ruleH2Pseudo, func(d *Draft) { insert(d, wire.Field{Name: ":status", Value: "200"}) })
	bad("The unknown pseudo-header field :quay.", ruleH2Pseudo, func(d *Draft) { insert(d, wire.Field{Name: ":quay", Value: "1"}) })
	bad("The pseudo-header field :authority behind an ordinary one.", ruleH2Pseudo, func(d *Draft) {
		authority := d.Get(":authority")
		d.Del(":authority")
		d.Add(":authority", authority)
	})
	return s.list
}

// insert adds a field before the others.
func insert(d *Draft, f wire.Field) { d.Fields = slices.Insert(d.Fields, 0, f) }

// versionRefused: the answer names the version that the server speaks.
func versionRefused(c *Case) {
	c.Expectation = "The stream is refused with 400 or 426, and the answer has Sec-WebSocket-Version: 13. Otherwise it is NON-STRICT."
	c.Opening.Statuses = []int{400, 426}
	c.Opening.Verify = func(h *wire.Head) string {
		if !h.HasToken("sec-websocket-version", "13") {
			return "the answer does not say with Sec-WebSocket-Version which version the server speaks"
		}
		return ""
	}
}

// connectNegotiation is T3.
func connectNegotiation() []*Case {
	s := series{prefix: "T3"}
	offered := func(title string, verify func(*wire.Head) string, change func(*Draft)) {
		s.add(works(&Case{Title: title, Expectation: "The answer is 200, takes nothing that was not offered, and a message comes back.", Rule: ruleH2Negotiate, Testee: Server,
			Opening: &Opening{Request: change, Verify: verify}}))
	}
	none := func(name string) func(*wire.Head) string {
		return func(h *wire.Head) string {
			if v := h.Values(name); len(v) > 0 {
				return fmt.Sprintf("the answer has %s, %q", name, v)
			}
			return ""
		}
	}
	offered("No subprotocol: none may be answered.", none("sec-websocket-protocol"), del("sec-websocket-protocol"))
	offered("Two subprotocols in two fields: at most one of them may be answered.", oneOf("wsconform.one", "wsconform.two"),
		both(set("sec-websocket-protocol", "wsconform.one"), add("sec-websocket-protocol", "wsconform.two")))
	offered("No extension: none may be answered.", none("sec-websocket-extensions"), nil)
	offered("An extension that no server has.", none("sec-websocket-extensions"), add("sec-websocket-extensions", "x-wsconform-nobody-has-this; a=1"))
	for _, params := range []string{"server_max_window_bits=16", "server_no_context_takeover=1", "x-unknown"} {
		s.add(works(&Case{Title: "The offer permessage-deflate; " + params + ".", Rule: ruleDecline, Testee: Server,
			Expectation: "The offer is declined: the answer has no extension, and a message comes back as it is. Refusing the handshake is NON-STRICT.",
			Opening:     &Opening{orRefuse: NonStrict}, Deflate: &Deflate{raw: extension + "; " + params, declined: true}}))
	}
	accepted := func(title string, rule *Rule, offers ...Params) {
		s.add(&Case{Title: title, Rule: rule, Testee: Server, Expectation: "An offer is accepted as RFC 7692 says, and compressed messages come back. UNIMPLEMENTED where none is accepted.",
			Deflate: &Deflate{Offers: offers, strict: true}, Loop: some(), Close: cleanClose, quiet: true})
	}
	accepted("An offer of permessage-deflate without parameters.", ruleH2Negotiate, Params{})
	accepted("server_no_context_takeover: the answer must have it, and no message may refer to another.", ruleNoTakeoverS, Params{ServerNoTakeover: true})
	accepted("Every parameter at once.", ruleServerBits, Params{ServerNoTakeover: true, ClientNoTakeover: true, ServerBits: 12, ClientBits: 11})
	return s.list
}

// oneOf accepts an answer with one of the subprotocols, or with none.
func oneOf(protocols ...string) func(*wire.Head) string {
	return func(h *wire.Head) string {
		v := h.Values("sec-websocket-protocol")
		if len(v) > 1 || len(v) == 1 && !slices.Contains(protocols, v[0]) {
			return fmt.Sprintf("the answer has sec-websocket-protocol, %q", v)
		}
		return ""
	}
}
