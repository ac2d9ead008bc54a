package autobahn

import (
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// ownCases are what the original suite leaves out. Their ids begin with a
// letter: H handshake, G glued to it, M masking, L lengths, K close codes,
// P endings, F fragments and splits, R random, D deflate, N its negotiation,
// W its windows; T is WebSocket over HTTP/2, in cases_http2.go.
func ownCases() (list []*Case) {
	for _, cases := range [][]*Case{
		openingRequests(), openingRefused(), openingAnswers(), openingAnswersRefused(), glued(), maskViolations(), masks(), lengths(),
		ownCloseCodes(), closeReasons(), endings(), floods(), splits(), randomCases(),
		badDeflate(), unusualDeflate(), deflateBits(), bombs(), negotiation(), answersRefused(), windows(),
		textCases(), controlFrames(), rsvFrames(), opcodeFrames(), maskedFrames(), longLengths(),
		pressure(), sizes(), maskingKeys(), everyCode(), afterClose(),
		oddRequests(), badRequests(), serverAnswers(), oddAnswers(), badAnswers(), clientRequests(), badOffers(), badAnswerParams(), unfitAnswers(), gluedMore(), contexts(), compressedConversations(),
		http2Cases(),
	} {
		list = append(list, cases...)
	}
	return list
}

// series numbers cases.
type series struct {
	prefix string
	list   []*Case
}

func (s *series) add(c *Case) *Case {
	c.ID = fmt.Sprintf("%s.%d", s.prefix, len(s.list)+1)
	s.list = append(s.list, c)
	return c
}

// echo is a case whose frames are legal and come back.
func (s *series) echo(title string, rule *Rule, events []Event, script ...Step) *Case {
	return s.add(&Case{Title: title, Expectation: "All comes back; then a clean close.", Rule: rule,
		Script: append(script, killAfter(2*time.Second)), Expect: []Outcome{ok(events...)}, Close: cleanClose})
}

// fails is a case whose frames must fail the connection with one of the codes, and
// nothing may come back before that.
func (s *series) fails(title string, rule *Rule, codes []int, script ...Step) *Case {
	return s.add(&Case{Title: title, Expectation: fmt.Sprintf("The connection is failed with %v, or TCP is closed.", codes), Rule: rule,
		Script: append(script, killAfter(time.Second)), Expect: []Outcome{ok()}, Close: Closing{Codes: codes, WrongEndFatal: true}})
}

var only1002 = []int{1002}

// maskViolations is M1 (servers) and M2 (clients): frames that are masked the
// wrong way round.
func maskViolations() []*Case {
	type violation struct {
		what  string
		steps func(m func(*wire.Frame)) []Step
		after string // what comes back first
	}
	hello := "Hello, quay"
	violations := []violation{
		{"a text message", func(m func(*wire.Frame)) []Step { return []Step{send(text(hello, m))} }, ""},
		{"an empty text message", func(m func(*wire.Frame)) []Step { return []Step{send(text("", m))} }, ""},
		{"a binary message of 300 bytes", func(m func(*wire.Frame)) []Step { return []Step{send(frame(wire.Binary, highBytes(300), m))} }, ""},
		{"a Ping", func(m func(*wire.Frame)) []Step { return []Step{send(ping(hello, m))} }, ""},
		{"a Pong", func(m func(*wire.Frame)) []Step { return []Step{send(pong(hello, m))} }, ""},
		{"the second fragment of two", func(m func(*wire.Frame)) []Step { return []Step{send(text("bow", noFin), more("stern", m))} }, ""},
		{"the first fragment of two", func(m func(*wire.Frame)) []Step { return []Step{send(text("bow", noFin, m), more("stern"))} }, ""},
		{"a text message after a good one", func(m func(*wire.Frame)) []Step {
			return []Step{send(text(hello)), await(1), send(text("again", m))}
		}, hello},
	}
	var list []*Case
	for i, role := range []Role{Server, Client} {
		s := series{prefix: fmt.Sprintf("M%d", i+1)}
		how, option, rule := "Not masked", masking(wire.Never), ruleMaskServer
		if role == Client {
			how, option, rule = "Masked", masking(wire.Always), ruleMaskClient
		}
		for _, v := range violations {
			c := s.fails(how+": "+v.what+".", rule, only1002, v.steps(option)...)
			c.Testee = role
			if v.after != "" {
				c.Expect = []Outcome{ok(echoed(v.after))}
			}
		}
		c := s.add(&Case{Title: how + ": a Close.", Expectation: "The connection is failed with 1002, or TCP is closed.", Rule: rule, Testee: role,
			Script: []Step{send(frame(wire.Close, wire.ClosePayload(1000, nil), option)), killAfter(time.Second)},
			Expect: []Outcome{ok()}, Close: Closing{Codes: only1002}})
		c.wrongCodeFatal = true
		list = append(list, s.list...)
	}
	return list
}

// masks is M3 (servers) and M4 (clients): masking done right.
func masks() []*Case {
	s := series{prefix: "M3"}
	for _, key := range [][]byte{{0, 0, 0, 0}, {0xFF, 0xFF, 0xFF, 0xFF}, {0, 0, 0, 1}, {0x80, 0, 0, 0}} {
		hello := fmt.Sprintf("masked with %x", key)
		s.echo(fmt.Sprintf("A text message with the masking key %x.", key), ruleMaskXOR, []Event{echoed(hello)}, send(text(hello, masked(key...))))
	}
	s.echo("A message in three fragments, each with another masking key.", ruleMaskXOR, []Event{echoed("bow amidships stern")},
		send(text("bow ", noFin, masked(1, 2, 3, 4)), more("amidships ", noFin, masked(0xFE, 0xDC, 0xBA, 0x98)), more("stern", masked(0, 0xFF, 0, 0xFF))))
	var frames []*wire.Frame
	var events []Event
	for n := range 40 {
		p := star(n)
		frames = append(frames, frame(wire.Binary, p, masked(0x11, 0x22, 0x33, byte(n))))
		events = append(events, echoedBinary(p))
	}
	s.echo("Binary messages of 0 to 39 bytes, so that each begins at another place in memory.", ruleMaskXOR, events, send(frames...))
	for _, c := range s.list {
		c.Testee = Server
	}
	k := series{prefix: "M4"}
	frames, events = nil, nil
	for range 8 {
		frames = append(frames, text("the same again"))
		events = append(events, echoed("the same again"))
	}
	c := k.echo("Eight equal messages: the masking keys of what comes back must differ.", ruleMaskKey, events, send(frames...))
	c.Testee, c.inspect = Client, func(s *session) string { return weakKeys(s.keys) }
	return append(s.list, k.list...)
}

// lengths is L1: lengths that are too long for what they say, or too large.
func lengths() []*Case {
	s := series{prefix: "L1"}
	for _, z := range []struct {
		size int
		form wire.LengthForm
	}{{0, wire.Length16}, {5, wire.Length16}, {125, wire.Length16}, {0, wire.Length64}, {5, wire.Length64}, {126, wire.Length64}, {65535, wire.Length64}} {
		how := "16 bits"
		if z.form == wire.Length64 {
			how = "64 bits"
		}
		payload := string(star(z.size))
		taken(s.fails(fmt.Sprintf("A text message whose length, %d, is written in %s.", z.size, how), ruleLength, only1002, send(text(payload, form(z.form)))), echoed(payload))
	}
	taken(s.fails("A Ping whose length, 5, is written in 16 bits.", ruleLength, only1002, send(ping("cable", form(wire.Length16)))), ponged("cable"))
	taken(s.fails("A Ping whose length, 5, is written in 64 bits.", ruleLength, only1002, send(ping("cable", form(wire.Length64)))), ponged("cable"))
	tooBig := []int{1002, 1009}
	for _, n := range []uint64{1 << 63, 1<<63 | 5, 1<<64 - 1} {
		s.fails(fmt.Sprintf("A header with the length %#x, whose highest bit is set.", n), ruleLength63, tooBig,
			send(text("cable", form(wire.Length64), claim(n))))
	}
	for _, n := range []uint64{1<<63 - 1, 1<<32 + 5, 1 << 40} {
		s.add(&Case{Title: fmt.Sprintf("A header with the length %#x, and five bytes.", n), Rule: ruleLimits,
			Expectation: "Nothing comes back: the connection is failed with 1009, or waits for the rest.",
			Script:      []Step{send(text("cable", form(wire.Length64), claim(n))), {do: actWait, delay: time.Second / 2}, hangUp()},
			Expect:      []Outcome{ok()}, Close: Closing{Codes: []int{1009, 1002, 1008}, EitherEnd: true}})
	}
	return s.list
}

// taken lets a testee accept what only the sender is forbidden to do: RFC 6455 §5.2
// says how a length must be written, and not how to treat one that is written in
// another way.
func taken(c *Case, events ...Event) {
	c.Expectation += " Taking it is NON-STRICT."
	c.Expect = append(c.Expect, laxClean(events...))
}

// ownCloseCodes is K1 (valid codes), K2 (invalid ones) and K3 (beyond the ranges).
func ownCloseCodes() []*Case {
	good, bad, beyond := series{prefix: "K1"}, series{prefix: "K2"}, series{prefix: "K3"}
	for _, code := range []int{1012, 1013, 1014, 3001, 3500, 4001, 4500} {
		rule := codeRule(code)
		if code < 2000 {
			rule = ruleIANA
		}
		good.add(&Case{Title: fmt.Sprintf("A Close with the code %d.", code), Expectation: "A clean close with 1000, or the same code.", Rule: rule,
			Script: []Step{closeWith(code), killAfter(time.Second)}, Expect: []Outcome{ok()},
			Close: Closing{ByTester: true, Codes: []int{1000, code}, Clean: true}, keepOpen: true, wrongCodeFatal: true})
	}
	for _, code := range []int{1, 256, 500, 998, 1015, 1017, 1018, 1050, 1099, 1200, 1500, 1999, 2001, 2500, 2998} {
		bad.add(&Case{Title: fmt.Sprintf("A Close with the invalid code %d.", code), Expectation: "The connection is failed with 1002, or TCP is closed.", Rule: codeRule(code),
			Script: []Step{closeWith(code), killAfter(time.Second)}, Expect: []Outcome{ok()},
			Close: closeRefused(1002), keepOpen: true, wrongCodeFatal: true})
	}
	for _, code := range []int{5001, 10000, 32768, 65534} {
		beyond.add(&Case{Title: fmt.Sprintf("A Close with the code %d.", code), Expectation: "The RFC does not say, but the connection ends.", Rule: ruleCodesUser,
			Script: []Step{closeWith(code), killAfter(time.Second)}, Expect: []Outcome{ok()},
			Close: closeRefused(), keepOpen: true, informational: true})
	}
	return append(append(good.list, bad.list...), beyond.list...)
}

// closeReasons is K4: reasons that are UTF-8, and that are not.
func closeReasons() []*Case {
	s := series{prefix: "K4"}
	add := func(what, reason string, end Closing) {
		expectation := "A clean close with 1000."
		if !end.Clean {
			expectation = "The connection is failed with 1007 or 1002, or TCP is closed."
		}
		s.add(&Case{Title: "A Close whose reason is " + what + ".", Expectation: expectation, Rule: ruleCloseUTF8,
			Script: []Step{closeWith(1000, []byte(reason)...), killAfter(time.Second)}, Expect: []Outcome{ok()},
			Close: end, keepOpen: true, wrongCodeFatal: true})
	}
	add("Greek", greek, cleanClose)
	add("one byte", "x", cleanClose)
	add("a NUL", "\x00", cleanClose)
	add("the last code point", "\U0010FFFF", cleanClose)
	add("121 bytes of ASCII and a two-byte code point", string(star(121))+"é", cleanClose)
	bad := closeRefused(1007, 1002)
	add("half a code point", "\xc3", bad)
	add("a slash in two bytes", "\xc0\xaf", bad)
	add("a surrogate", "\xed\xa0\x80", bad)
	add("a code point beyond the last", "\xf4\x90\x80\x80", bad)
	add("122 bytes of ASCII and half a code point", string(star(122))+"\xc3", bad)
	return s.list
}
