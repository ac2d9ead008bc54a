package autobahn

import (
	"bytes"
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// closing is a case whose script sends the Close itself. A wrong close code
// fails it altogether.
func closing(id, title, expectation string, rule *Rule, end Closing, o []Outcome, script ...Step) *Case {
	return &Case{ID: id, Title: title, Expectation: expectation, Rule: rule, Script: append(script, killAfter(time.Second)),
		Expect: o, Close: end, keepOpen: true, wrongCodeFatal: true}
}

// closeRefused is how a bad Close must be answered: with one of the codes, or by
// closing TCP.
func closeRefused(codes ...int) Closing { return Closing{ByTester: true, Codes: codes} }

// closeCases is 7.*.
func closeCases() (list []*Case) {
	const cleanWanted = "A clean close with 1000."
	const refused = "The connection is failed with 1002, or TCP is closed."
	nothing := []Outcome{ok()}
	hello := "Hello, quay"
	first := closing("7.1.1", "A text message; the tester closes when it is back.", echoWanted, ruleCloseReply, cleanClose, []Outcome{ok(echoed(hello))}, send(text(hello)))
	first.keepOpen = false
	list = append(list, first,
		closing("7.1.2", "Two Close frames.", "A clean close with 1000; the second is ignored.", ruleCloseReply, cleanClose, nothing, closeWith(1000), send(frame(wire.Close, nil))),
		closing("7.1.3", "A Ping after the Close.", "A clean close with 1000, and no Pong.", rulePong, cleanClose, nothing, closeWith(1000), send(ping(""))),
		closing("7.1.4", "A text message after the Close.", "A clean close with 1000, and no echo.", ruleDiscard, cleanClose, nothing, closeWith(1000), send(text(hello))),
		closing("7.1.5", "A fragment, the Close, the other fragment.", cleanWanted, ruleDiscard, cleanClose, nothing, send(text("bow", noFin)), closeWith(1000), send(more("stern"))),
	)
	big := bytes.Repeat([]byte("hawser&rope"), 256<<10/11+1)[:256<<10]
	last := closing("7.1.6", "256 KiB of text, a short text, the Close, a Ping, all at once.",
		"What comes back before the close depends on how the testee works.", ruleCloseReply, cleanClose, []Outcome{ok(echoed(hello)), lax()},
		send(frame(wire.Text, big), text(hello)), closeWith(1000), send(ping("")))
	last.informational = true
	list = append(list, last,
		closing("7.3.1", "A Close without payload.", cleanWanted, ruleCloseReply, cleanClose, nothing, closeWith(-1)),
		closing("7.3.2", "A Close with one byte of payload.", refused, ruleCloseBody, closeRefused(1002), nothing, closeWith(-1, 'a')),
		closing("7.3.3", "A Close with a code.", cleanWanted, ruleCloseReply, cleanClose, nothing, closeWith(1000)),
		closing("7.3.4", "A Close with a code and a reason.", cleanWanted, ruleCloseUTF8, cleanClose, nothing, closeWith(1000, []byte("casting off")...)),
		closing("7.3.5", "A Close with a reason of 123 bytes, the longest there may be.", cleanWanted, ruleControl125, cleanClose, nothing, closeWith(1000, star(123)...)),
		closing("7.3.6", "A Close with a reason of 124 bytes.", refused, ruleControl125, closeRefused(1002), nothing, closeWith(1000, star(124)...)),
		closing("7.5.1", "A Close whose reason is not UTF-8.", "The connection is failed with 1002 or 1007, or TCP is closed.", ruleCloseUTF8,
			closeRefused(1002, 1007), nothing, closeWith(1000, []byte(greek+"\xed\xa0\x80edited")...)))
	for i, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		c := closing(fmt.Sprintf("7.7.%d", i+1), fmt.Sprintf("A Close with the code %d.", code), "A clean close with 1000, or the same code.", codeRule(code),
			Closing{ByTester: true, Codes: []int{1000, code}, Clean: true}, nothing, closeWith(code))
		list = append(list, c)
	}
	for i, code := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		list = append(list, closing(fmt.Sprintf("7.9.%d", i+1), fmt.Sprintf("A Close with the invalid code %d.", code), refused, codeRule(code),
			closeRefused(1002), nothing, closeWith(code)))
	}
	for i, code := range []int{5000, 65535} {
		c := closing(fmt.Sprintf("7.13.%d", i+1), fmt.Sprintf("A Close with the code %d.", code), "The RFC does not say.", ruleCodesUser,
			closeRefused(1000, code, 1002), nothing, closeWith(code))
		c.informational = true
		list = append(list, c)
	}
	return list
}

func codeRule(code int) *Rule {
	switch {
	case code < 1000:
		return ruleCodesLow
	case code == 1005 || code == 1006 || code == 1015:
		return ruleNeverSent
	case code >= 4000:
		return ruleCodesUser
	case code >= 3000:
		return ruleCodesLib
	}
	return ruleCodes
}

// autoFragmented is 10.1.1.
func autoFragmented() *Case {
	payload := star(65536)
	return &Case{ID: "10.1.1", Title: "A text message of 65,536 bytes in fragments of 1,300.", Expectation: echoWanted, Rule: ruleFragments,
		Script: []Step{send(fragments(wire.Text, 0, payload, 1300)...), killAfter(10 * time.Second)},
		Expect: []Outcome{ok(Event{Kind: MessageEvent, Payload: payload})}, Close: cleanClose}
}
