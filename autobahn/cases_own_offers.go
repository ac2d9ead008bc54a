package autobahn

import (
	"fmt"
	"strings"
)

// badParam is a parameter of permessage-deflate that is wrong. malformed: it is not even
// in the grammar of RFC 6455 §9.1, so that the whole field is malformed.
type badParam struct {
	param     string
	malformed bool
}

// badParams are wrong values for one of the parameters of RFC 7692 §7.1; inAnswer are
// those that are wrong only in an answer.
func badParams(name string, inAnswer bool) (list []badParam) {
	wrong := func(values ...string) {
		for _, v := range values {
			list = append(list, badParam{name + "=" + v, false})
		}
	}
	malformed := func(values ...string) {
		for _, v := range values {
			list = append(list, badParam{name + "=" + v, true})
		}
	}
	malformed("", `""`, `"10`, `10"`, "10 11", "10=10", "[10]")
	if !strings.HasSuffix(name, "bits") {
		wrong("1", "0", "10", "true", "false", `"1"`)
		return append(list, badParam{name + "; " + name, false}, badParam{name + "s", false}, badParam{name[:len(name)-1], false})
	}
	wrong("7", "16", "0", "1", "17", "100", "110", "-10", "+10", "010", "08", "015", "0x0a", "10x", "x10", "1e1", "10.0", "1_0", "ten", `"010"`, `"7"`, `"+10"`, "18446744073709551626")
	if inAnswer || name[0] == 's' {
		list = append(list, badParam{name, false})
	}
	return append(list, badParam{name + "=10; " + name + "=10", false}, badParam{name + "=10; " + name + "=12", false}, badParam{name + "s=10", false})
}

var paramNames = []string{"server_max_window_bits", "client_max_window_bits", "server_no_context_takeover", "client_no_context_takeover"}

// badOffers is N4: each parameter with each invalid value, alone and between others.
func badOffers() []*Case {
	s := series{prefix: "N4"}
	for i, name := range paramNames {
		s.many("Offers with a wrong "+name+", alone and beside a right parameter.",
			"The offer is declined: the answer has no extension, and a message comes back as it is. Refusing the handshake is NON-STRICT, but where the field is malformed.", ruleDecline, func() (list []*Case) {
				right := paramNames[(i+2)%4]
				if strings.HasSuffix(right, "bits") {
					right += "=12"
				}
				for _, p := range badParams(name, false) {
					for _, raw := range []string{p.param, p.param + "; " + right, right + "; " + p.param} {
						orRefuse := NonStrict
						if p.malformed {
							orRefuse = OK
						}
						list = append(list, works(&Case{Title: "the offer permessage-deflate; " + raw, Opening: &Opening{orRefuse: orRefuse},
							Deflate: &Deflate{raw: extension + "; " + raw, declined: true}}))
					}
				}
				return list
			}).Testee = Server
	}
	return s.list
}

// badAnswerParams is N5: the same in answers.
func badAnswerParams() []*Case {
	s := series{prefix: "N5"}
	for _, name := range paramNames {
		s.many("Answers with a wrong "+name+".", "The client closes the connection; a message that follows does not come back.", ruleAnswerBad, func() (list []*Case) {
			t := series{}
			for _, p := range badParams(name, true) {
				t.refusedAnswer("the answer permessage-deflate; "+p.param, ruleAnswerBad, set("Sec-WebSocket-Extensions", extension+"; "+p.param))
			}
			return t.list
		}).Testee = Client
	}
	return s.list
}

// unfitAnswers is N6: answers that are well-formed, but do not match what the client
// offered.
func unfitAnswers() []*Case {
	s := series{prefix: "N6"}
	unfit := func(title string, why string, answer func(offers []Params) (string, bool)) {
		s.refusedAnswer(title, ruleUnfit, func(d *Draft) {
			offers, err := offersOf(d.Asked)
			if err != nil { // H3.3 tests that
				d.Impossible = "the client's offer is malformed"
				return
			}
			a, possible := answer(offers)
			if !possible {
				d.Impossible = why
				return
			}
			d.Set("Sec-WebSocket-Extensions", a)
		}).Expectation += " INFORMATIONAL where the client's offer leaves no room for it."
	}
	// all reports whether f holds for every offer: an answer may accept any of them.
	all := func(offers []Params, is func(Params) bool) bool {
		for _, o := range offers {
			if !is(o) {
				return false
			}
		}
		return true
	}
	unfit("client_max_window_bits in the answer, which the client did not offer.", "the client offers client_max_window_bits", func(offers []Params) (string, bool) {
		return Params{ClientBits: 10}.String(), all(offers, func(o Params) bool { return o.ClientBits == 0 })
	})
	unfit("A client_max_window_bits that is larger than what the client offered.", "the client offers no client_max_window_bits with a value below 15", func(offers []Params) (string, bool) {
		return Params{ClientBits: 15}.String(), len(offers) > 0 && all(offers, func(o Params) bool { return o.ClientBits > 0 && o.ClientBits < 15 })
	})
	unfit("A server_max_window_bits that is larger than what the client offered.", "the client offers no server_max_window_bits below 15", func(offers []Params) (string, bool) {
		return Params{ServerBits: 15}.String(), len(offers) > 0 && all(offers, func(o Params) bool { return o.ServerBits > 0 && o.ServerBits < 15 })
	})
	unfit("An answer without the server_max_window_bits that the client offered.", "the client offers no server_max_window_bits below 15", func(offers []Params) (string, bool) {
		return Params{}.String(), len(offers) > 0 && all(offers, func(o Params) bool { return o.ServerBits > 0 && o.ServerBits < 15 })
	})
	unfit("An answer without the server_no_context_takeover that the client offered.", "the client does not offer server_no_context_takeover", func(offers []Params) (string, bool) {
		return Params{}.String(), len(offers) > 0 && all(offers, func(o Params) bool { return o.ServerNoTakeover })
	})
	unfit("permessage-deflate, which the client did not offer.", "the client offers permessage-deflate", func(offers []Params) (string, bool) { return Params{}.String(), len(offers) == 0 })
	for _, second := range []string{"x-wsconform-nobody", "permessage-deflate", "permessage-bzip2; a=1"} {
		s.refusedAnswer("A second extension, "+second+", in the same field.", ruleOpenExtNew, set("Sec-WebSocket-Extensions", extension+", "+second))
		s.refusedAnswer("A second extension, "+second+", in a second field.", ruleOpenExtNew, both(set("Sec-WebSocket-Extensions", extension), add("Sec-WebSocket-Extensions", second)))
	}
	for _, v := range []string{"permessage-deflate;", "permessage-deflate; =1", "Permessage-Deflate-X"} {
		s.refusedAnswer(fmt.Sprintf("The answer %q.", v), ruleAnswerBad, set("Sec-WebSocket-Extensions", v))
	}
	return s.list
}
