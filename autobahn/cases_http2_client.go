package autobahn

import (
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// connectingClients is T8: what a client sends, and what it must accept.
func connectingClients() []*Case {
	s := series{prefix: "T8"}
	sent := func(title, expectation string, rule *Rule) *Case {
		return s.add(works(&Case{Title: title, Expectation: expectation + " A message comes back.", Rule: rule, Testee: Client, Opening: &Opening{}}))
	}
	sent("The tester's SETTINGS come a moment late.", "The client uses extended CONNECT only once they have announced it.", ruleH2Wait).inspect = func(s *session) string {
		if s.conn.Early() {
			return "the client used extended CONNECT before the server had announced it"
		}
		return ""
	}
	c := sent("The client's request.", "It has no Sec-WebSocket-Key. With one it is NON-STRICT.", ruleH2Key)
	c.remark = func(s *session) string {
		if v := s.clientHead.Values("sec-websocket-key"); len(v) > 0 {
			return fmt.Sprintf("the request has the field sec-websocket-key, %q", v)
		}
		return ""
	}
	sent("The client's authority.", "If there is a Host field, it does not differ from :authority.", ruleH2Host).Opening.Verify = func(h *wire.Head) string {
		if v := h.Values("host"); len(v) > 0 && v[0] != h.Get(":authority") {
			return fmt.Sprintf("the field host is %q, and :authority %q", v, h.Get(":authority"))
		}
		return ""
	}
	sent("The client's scheme.", "It is https over TLS, and http otherwise.", ruleH2Scheme).inspect = func(s *session) string {
		want := "http"
		if s.conn.Secure() {
			want = "https"
		}
		if got := s.clientHead.Get(":scheme"); got != want {
			return fmt.Sprintf(":scheme is %q, not %q", got, want)
		}
		return ""
	}
	takes := func(title string, rule *Rule, change func(*Draft)) {
		s.add(works(&Case{Title: title, Expectation: "The client takes it, and a message comes back.", Rule: rule, Testee: Client, Opening: &Opening{Response: change}}))
	}
	takes("A Sec-WebSocket-Accept, which nobody needs.", ruleH2Key, add("sec-websocket-accept", "dGhlIHNhbXBsZSBub25jZQ=="))
	takes("40 fields that nobody knows.", ruleH2Success, func(d *Draft) {
		for i := range 40 {
			d.Add(fmt.Sprintf("x-field-%d", i), "1")
		}
	})
	return s.list
}

// connectAnswersRefused is T9: answers that open no WebSocket.
func connectAnswersRefused() []*Case {
	s := series{prefix: "T9"}
	refuse := func(title string, rule *Rule, change func(*Draft)) {
		s.add(&Case{Title: title, Expectation: "The client ends the stream; a message that follows, with END_STREAM, does not come back.", Rule: rule, Testee: Client,
			Opening: &Opening{Response: change, Refuse: true},
			Script:  []Step{send(text("do not echo this")), halfClose(), killAfter(time.Second)},
			Expect:  []Outcome{ok()}, Close: Closing{WrongEndFatal: true}})
	}
	for _, status := range []string{"301", "400", "403", "404", "500", "503"} {
		refuse("The status "+status+".", ruleH2Success, set(":status", status))
	}
	refuse("The status 101, which HTTP/2 does not have.", ruleH2Status, set(":status", "101"))
	refuse("No :status.", ruleH2Pseudo, del(":status"))
	refuse("Connection: Upgrade.", ruleH2Forbidden, add("connection", "Upgrade"))
	refuse("Upgrade: websocket.", ruleH2Forbidden, add("upgrade", "websocket"))
	refuse("Transfer-Encoding: chunked.", ruleH2Forbidden, add("transfer-encoding", "chunked"))
	refuse("A field's name in upper case.", ruleH2Lower, func(d *Draft) {
		d.Fields = append(d.Fields, wire.Field{Name: rawName + "X-Upper", Value: "1"})
	})
	refuse("The pseudo-header field :path, which only requests have.", ruleH2Pseudo, func(d *Draft) { insert(d, wire.Field{Name: ":path", Value: "/"}) })
	refuse("A subprotocol that was not asked for.", ruleReplyProto, set("sec-websocket-protocol", "wsconform.nobody.asked"))
	refuse("An extension that was not asked for.", ruleOpenExtNew, set("sec-websocket-extensions", "x-wsconform-nobody-asked"))
	refuse("permessage-deflate with server_max_window_bits=7.", ruleAnswerBad, set("sec-websocket-extensions", extension+"; server_max_window_bits=7"))
	return s.list
}
