package autobahn

import (
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/corpus"
)

// some is a Loop that shows whether an agreement holds: forty messages that
// refer back as far as is allowed.
func some() *Loop {
	return &Loop{Count: 40, Length: 5000, Timeout: 20 * time.Second, Corpus: corpus.JSON}
}

// negotiation is N1 (offers that must be declined) and N2 (tricky offers).
func negotiation() []*Case {
	s := series{prefix: "N1"}
	for _, params := range []string{
		"server_max_window_bits=7", "server_max_window_bits=16", "server_max_window_bits=0", "server_max_window_bits=-9",
		"server_max_window_bits=nine", "server_max_window_bits", "server_max_window_bits=09",
		"client_max_window_bits=7", "client_max_window_bits=16", "client_max_window_bits=wide",
		"server_no_context_takeover=1", "client_no_context_takeover=true",
		"server_no_context_takeover; server_no_context_takeover",
		"server_max_window_bits=10; server_max_window_bits=12",
		"client_max_window_bits; client_max_window_bits=15",
		"max_window_bits=10", "server_max_window_bits=10; x-unknown",
	} {
		s.add(works(&Case{Title: "The offer permessage-deflate; " + params + ".", Rule: ruleDecline, Testee: Server,
			Expectation: "The offer is declined: the answer has no extension, and a message comes back as it is. Refusing the handshake is NON-STRICT.",
			Opening:     &Opening{orRefuse: NonStrict}, Deflate: &Deflate{raw: extension + "; " + params, declined: true}}))
	}
	t := series{prefix: "N2"}
	offer := func(title string, rule *Rule, raw string, offers ...Params) *Case {
		return t.add(&Case{Title: title, Rule: rule, Testee: Server,
			Expectation: "An offer is accepted as RFC 7692 says, and compressed messages come back. UNIMPLEMENTED where none is accepted.",
			Deflate:     &Deflate{raw: raw, Offers: offers, strict: true}, Loop: some(), Close: cleanClose, quiet: true})
	}
	c := offer("An offer that must be declined, then one that need not be.", ruleDecline, extension+"; server_max_window_bits=16, "+extension, Params{})
	c.Opening = &Opening{orRefuse: NonStrict} // as in N1
	c.Expectation += " Refusing the handshake is NON-STRICT."
	offer("An extension that nobody has, then an offer.", ruleOpenExt, "x-wsconform-nobody; a=b, "+extension, Params{})
	offer("A quoted value.", ruleOpenExt, extension+`; server_max_window_bits="10"`, Params{ServerBits: 10})
	offer("White space in every place where it may be.", ruleOpenExt, "  "+extension+" ;\tserver_no_context_takeover ; client_max_window_bits ", Params{ServerNoTakeover: true, ClientBits: anyBits})
	offer("No client_max_window_bits: the answer must not have it.", ruleClientBits, "", Params{})
	offer("client_max_window_bits=10: the answer may not have more.", ruleClientBits, "", Params{ClientBits: 10})
	offer("server_no_context_takeover: the answer must have it, and no message may refer to another.", ruleNoTakeoverS, "", Params{ServerNoTakeover: true})
	offer("client_no_context_takeover: the tester does without its context.", ruleNoTakeoverC, "", Params{ClientNoTakeover: true})
	offer("Every parameter at once.", ruleServerBits, "", Params{ServerNoTakeover: true, ClientNoTakeover: true, ServerBits: 12, ClientBits: 11})
	offer("Three offers, the best first.", ruleServerBits, "", Params{ServerNoTakeover: true, ServerBits: 9, ClientBits: anyBits}, Params{ServerNoTakeover: true}, Params{})
	return append(s.list, t.list...)
}

// answersRefused is N3: answers at which a client must fail the connection,
// whether or not it offered the extension.
func answersRefused() []*Case {
	s := series{prefix: "N3"}
	for _, answer := range []string{
		extension + "; server_max_window_bits=7", extension + "; server_max_window_bits=16", extension + "; server_max_window_bits",
		extension + "; client_max_window_bits", extension + "; client_max_window_bits=7", extension + "; client_max_window_bits=16",
		extension + "; server_no_context_takeover=1", extension + "; client_no_context_takeover; client_no_context_takeover",
		extension + "; x-unknown=1", extension + "; server_max_window_bits=10; server_max_window_bits=11",
		extension + ", " + extension, "permessage-bzip2",
	} {
		s.add(&Case{Title: "The answer " + answer + ".", Rule: ruleAnswerBad, Testee: Client,
			Expectation: "The client closes the connection; a message that follows does not come back.",
			Opening:     &Opening{Response: set("Sec-WebSocket-Extensions", answer), Refuse: true},
			Script:      []Step{send(text("do not echo this")), killAfter(time.Second)},
			Expect:      []Outcome{ok()}, Close: Closing{WrongEndFatal: true}})
	}
	return s.list
}

// beyond is a Loop whose messages repeat data just out of a window's reach.
func beyond(bits int) *Loop {
	return &Loop{Count: 40, Length: 5000, Timeout: 20 * time.Second, Corpus: corpus.Periodic(1<<bits + 150), Binary: true}
}

// windows is W1 to W5: every window, and whether the promise is kept.
func windows() (list []*Case) {
	groups := []struct {
		prefix, title string
		testee        Role
		rule          *Rule
		d             func(n int) *Deflate
	}{
		{"W1", "The offer server_max_window_bits=%d: the server must answer it, and never refer farther back.", Server, ruleServerBits,
			func(n int) *Deflate { return &Deflate{Offers: []Params{{ServerBits: n}}} }},
		{"W2", "The offer server_max_window_bits=%d without context takeover: the server must answer both, and keep both.", Server, ruleServerBits,
			func(n int) *Deflate { return &Deflate{Offers: []Params{{ServerBits: n, ServerNoTakeover: true}}} }},
		{"W3", "The offer client_max_window_bits=%d: the server may not answer more, and takes what the tester sends.", Server, ruleClientBits,
			func(n int) *Deflate { return &Deflate{Offers: []Params{{ClientBits: n}}} }},
		{"W4", "The answer client_max_window_bits=%d: the client must never refer farther back.", Client, ruleKeepClient,
			func(n int) *Deflate { return &Deflate{Takes: []Take{{Bits: n}}} }},
		{"W5", "The answer client_max_window_bits=%d without context takeover: the client must keep both.", Client, ruleKeepClient,
			func(n int) *Deflate { return &Deflate{Takes: []Take{{NoTakeover: true, Bits: n}}} }},
	}
	for _, g := range groups {
		for n := 8; n <= 15; n++ {
			d := g.d(n)
			d.strict = true
			list = append(list, &Case{ID: fmt.Sprintf("%s.%d", g.prefix, n), Title: fmt.Sprintf(g.title, n), Rule: g.rule, Testee: g.testee,
				Expectation: "Forty compressed messages come back, none of which breaks the promise. UNIMPLEMENTED where the window is not agreed on.",
				Deflate:     d, Loop: beyond(n), Close: cleanClose, quiet: true})
		}
	}
	return list
}
