package autobahn

import (
	"fmt"
	"time"

	"golang.org/x/net/http2"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// streamEndings is T6: how a stream ends, and what that means for the connection.
func streamEndings() []*Case {
	s := series{prefix: "T6"}
	orderly := func(title, expectation string, role Role, script ...Step) *Case {
		c := s.add(&Case{Title: title, Expectation: expectation + " A reset with CANCEL in its place is NON-STRICT.", Rule: ruleH2End, Testee: role,
			Script: append(script, killAfter(3*time.Second)), Expect: []Outcome{ok()}, Close: cleanClose, keepOpen: true, settle: true, linger: true})
		c.inspect, c.remark = badReset, cancelled
		return c
	}
	orderly("A Close; when it is answered, both ends end the stream.", "The answer, then END_STREAM.", Server, closeWith(1000))
	orderly("A Close with END_STREAM behind it.", "The answer, then END_STREAM.", Server, closeWith(1000), halfClose())
	orderly("A Close; when it is answered, the server ends the stream.", "The answer, and END_STREAM behind the server's.", Client, closeWith(1000)).dropped = true
	ended := func(title string, role Role, script ...Step) *Case {
		c := s.add(&Case{Title: title, Expectation: "The testee ends the stream within ten seconds, and the connection goes on; a client may end it in order.", Rule: ruleEOF, Testee: role,
			Script: append(script, killAfter(maxLinger)), Expect: []Outcome{ok()}, Close: Closing{EitherEnd: true}, settle: true})
		c.dropped = true
		return c
	}
	ended("END_STREAM without a Close.", Both, halfClose())
	ended("Half a frame, and END_STREAM.", Both, piece(text("half of this is missing"), 0, 8), halfClose())
	c := ended("A request that ends the stream.", Server)
	c.HTTP2, c.Opening = &HTTP2{Ended: true}, &Opening{orRefuse: OK}
	c.Expectation = "The stream is refused, or it is opened and ended within ten seconds; the connection goes on."
	reset := func(title string, events []Event, script ...Step) {
		s.add(&Case{Title: title, Expectation: "Nothing more comes on the stream, and the connection goes on; a client may end it in order.", Rule: ruleH2Reset,
			Script: append(script, resetStream(http2.ErrCodeCancel), killAfter(time.Second)), Expect: []Outcome{ok(events...), lax()}, Close: Closing{EitherEnd: true}, settle: true})
	}
	reset("A message; when it is back, RST_STREAM with CANCEL.", []Event{echoed("and out")}, send(text("and out")), await(1))
	reset("RST_STREAM with CANCEL while a message of 200,000 bytes comes back.", nil, hold(), send(frame(wire.Binary, highBytes(200000))), wait(heldTime, ""))
	reset("RST_STREAM with CANCEL inside a frame.", nil, piece(text("half of this is missing"), 0, 8))
	s.echo("GOAWAY without an error while the WebSocket is open.", ruleH2GoAway, []Event{echoed("before"), echoed("behind")},
		send(text("before")), await(1), goAway(), wait(heldTime, ""), send(text("behind")))
	s.echo("A PING frame of HTTP/2, before a message and inside one.", ruleH2Ping, []Event{echoed("before"), echoed("bowstern")},
		pingHTTP2(), send(text("before")), await(1), send(text("bow", noFin)), pingHTTP2(), send(more("stern")))
	failed := func(title string, role Role, rule *Rule, f *wire.Frame) {
		c := s.fails(title, rule, only1002, send(f))
		c.Testee, c.settle, c.inspect, c.remark = role, true, badReset, cancelled
		c.Expectation = "The stream is failed with 1002, or ended; the connection goes on, but a client may end it in order."
	}
	failed("A reserved opcode.", Both, ruleH2StreamErr, frame(3, nil))
	failed("Not masked: a text message.", Server, ruleMaskServer, text("Hello, quay", masking(wire.Never)))
	failed("Masked: a text message.", Client, ruleMaskClient, text("Hello, quay", masking(wire.Always)))
	return s.list
}

// badReset says with which error a stream was reset after it had ended properly.
func badReset(s *session) string {
	if _, reset := s.stream.Ended(); reset != nil && reset.Code != http2.ErrCodeNo && reset.Code != http2.ErrCodeCancel {
		return fmt.Sprintf("the stream was reset with %v", reset.Code)
	}
	return ""
}

func cancelled(s *session) string {
	switch ended, reset := s.stream.Ended(); {
	case reset != nil && reset.Code == http2.ErrCodeCancel:
		return "the stream was reset with CANCEL"
	case reset != nil && !ended:
		return "the stream was reset with NO_ERROR, and not ended"
	}
	return ""
}

// severalStreams is T7: two WebSockets and more on one connection.
func severalStreams() []*Case {
	s := series{prefix: "T7"}
	together := func(title string, rule *Rule, parts ...*Case) {
		c := s.add(&Case{Title: title, Expectation: "Each stream is a WebSocket of its own, whatever happens on the others.", Rule: rule, Testee: Server, together: true})
		c.inParts(func() []*Case { return parts })
		for _, p := range parts {
			p.HTTP2 = &HTTP2{}
		}
	}
	part := func(title string, events []Event, script ...Step) *Case {
		return &Case{Title: title, Script: append(script, killAfter(3*time.Second)), Expect: []Outcome{ok(events...)}, Close: cleanClose}
	}
	// other is a stream with just two messages, one before and one after what happens on
	// the first stream.
	other := func() *Case {
		return part("a stream that goes on", []Event{echoed("before"), echoed("behind")}, send(text("before")), await(1), meet(), meet(), send(text("behind")))
	}
	together("Two messages in two fragments each, which come in turns.", ruleH2Streams,
		part("text", []Event{echoed("bow and stern")}, send(text("bow and ", noFin)), meet(), meet(), send(more("stern"))),
		part("binary", []Event{echoedBinary([]byte("port and starboard"))}, meet(), send(frame(wire.Binary, []byte("port and "), noFin)), meet(), send(more("starboard"))))
	together("Two frames in two DATA frames each, which come in turns.", ruleH2Streams,
		halves("text", frame(wire.Text, []byte("bow and stern")), echoed("bow and stern")), halves("binary", frame(wire.Binary, []byte("port, starboard")), echoedBinary([]byte("port, starboard"))))
	deflated := func(m string) *Case {
		script := referringBack(m)
		c := part("compressed", repeated(m), script[0], script[1], meet(), script[2], script[3], meet(), script[4], script[5])
		c.Deflate = plainDeflate()
		c.Deflate.takeover = true
		return c
	}
	together("Two streams that compress, each with its own context.", ruleTakeover, deflated("one context for this stream"), deflated("and another one for that"))
	together("A stream that compresses beside one that does not.", ruleH2Streams, deflated("only here"),
		part("plain", []Event{echoed("one"), echoed("two")}, send(text("one")), await(1), meet(), meet(), send(text("two"))))
	cut := part("reset", []Event{echoed("and out")}, send(text("and out")), await(1), meet(), resetStream(http2.ErrCodeCancel), meet())
	cut.Close, cut.keepOpen = Closing{EitherEnd: true}, true
	together("RST_STREAM with CANCEL on one of two.", ruleH2Streams, cut, other())
	wrong := part("failed", nil, meet(), send(frame(3, nil)), wait(heldTime, ""), meet())
	wrong.Close = Closing{Codes: only1002, WrongEndFatal: true}
	together("A reserved opcode on one of two.", ruleH2StreamErr, wrong, other())
	lost := part("ended", nil, meet(), halfClose(), wait(heldTime, ""), meet())
	lost.Close, lost.dropped, lost.Script[len(lost.Script)-1] = Closing{EitherEnd: true}, true, killAfter(maxLinger)
	together("END_STREAM without a Close on one of two.", ruleEOF, lost, other())
	closed := part("closed", nil, meet(), closeWith(1000), meet())
	closed.keepOpen = true
	together("A Close on one of two.", ruleH2End, closed, other())
	big := highBytes(200000)
	together("Window updates are held back on one of two: the other goes on.", ruleH2Flow,
		part("held", []Event{echoedBinary(big)}, hold(), send(frame(wire.Binary, big)), wait(heldTime, ""), meet(), meet(), release()),
		part("a stream that goes on", []Event{echoed("meanwhile")}, meet(), send(text("meanwhile")), await(1), meet()))
	var ten []*Case
	for i := range 10 {
		m := fmt.Sprint("stream ", i)
		ten = append(ten, part(m, []Event{echoed(m), echoedBinary(star(3000 + i))}, send(text(m)), meet(), send(frame(wire.Binary, star(3000+i)))))
	}
	together("Ten streams at the same time.", ruleH2Streams, ten...)
	return s.list
}

// halves sends a frame in two parts, with another stream's frame between them.
func halves(title string, f *wire.Frame, e Event) *Case {
	return &Case{Title: title, Script: []Step{piece(f, 0, 5), meet(), piece(f, 5, len(f.Payload)), killAfter(3 * time.Second)},
		Expect: []Outcome{ok(e)}, Close: cleanClose}
}
