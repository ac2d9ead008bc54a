package autobahn

import (
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/deflate"
	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// dataFrames is T4: where DATA frames begin and end means nothing to WebSocket.
func dataFrames() []*Case {
	s := series{prefix: "T4"}
	var script []Step
	var events []Event
	for _, n := range []int{0, 1, 125, 126, 127, 16384, 65535, 65536, 70000} {
		events = append(events, Event{Kind: MessageEvent, Payload: star(n)}, echoedBinary(highBytes(n)))
		script = append(script, send(frame(wire.Text, star(n))), send(frame(wire.Binary, highBytes(n))), await(len(events)))
	}
	s.echo("Text and binary messages of 0 to 70,000 bytes.", ruleH2Stream, events, script...)
	s.echo("A fragmented message with a Ping, each byte in a DATA frame of its own.", ruleH2Stream, []Event{ponged("p"), echoed("bowstern")},
		byteByByte(text("bow", noFin), ping("p"), more("stern")))
	script, events = nil, nil
	for n := 1; n < 2+4+9; n++ {
		script, events = append(script, split(n, text("wherever!"))), append(events, echoed("wherever!"))
	}
	s.echo("A text message in two DATA frames, split at every byte.", ruleH2Stream, events, script...)
	longer := highBytes(66000)
	script, events = nil, nil
	for n := 1; n < 2+8+4+2; n++ {
		script, events = append(script, split(n, frame(wire.Binary, longer))), append(events, echoedBinary(longer))
	}
	c := s.echo("A binary message of 66,000 bytes in two writes, split at every byte of its header.", ruleH2Stream, events, script...)
	c.Script[len(c.Script)-1] = killAfter(20 * time.Second)
	s.echo("Two messages and a Ping in one DATA frame.", ruleH2Stream, []Event{echoed("one"), ponged("two"), echoedBinary([]byte{3})},
		send(text("one"), ping("two"), frame(wire.Binary, []byte{3})))
	var hundred []*wire.Frame
	events = nil
	for i := range 100 {
		m := fmt.Sprint("message ", i)
		hundred, events = append(hundred, text(m)), append(events, echoed(m))
	}
	s.echo("100 text messages in one DATA frame.", ruleH2Stream, events, send(hundred...))
	s.echo("DATA frames with padding of 255 bytes.", ruleH2Padding, []Event{echoed("padded"), echoed("again"), Event{Kind: MessageEvent, Payload: star(20000)}},
		pad(255), send(text("padded")), chop(2, text("again")), send(frame(wire.Text, star(20000))))
	s.echo("DATA frames with padding of a byte.", ruleH2Padding, []Event{echoed("padded"), echoed("again")}, pad(1), send(text("padded")), chop(2, text("again")))
	s.echo("500 DATA frames of two bytes, each with padding of 255: more than the window, if padding were not given back.", ruleH2Padding,
		[]Event{{Kind: MessageEvent, Payload: star(1000)}}, pad(255), chop(2, frame(wire.Text, star(1000))))
	f := text("before and behind")
	s.echo("Empty DATA frames, between messages and inside one.", ruleH2Stream, []Event{echoed("first"), echoed("before and behind"), echoed("last")},
		emptyData(), send(text("first")), emptyData(), emptyData(), piece(f, 0, 6), emptyData(), piece(f, 6, 17), emptyData(), send(text("last")), emptyData())
	s.echo("DATA frames that have nothing but padding.", ruleH2Padding, []Event{echoed("first"), echoed("last")},
		pad(100), emptyData(), pad(0), send(text("first")), pad(100), emptyData(), pad(0), send(text("last")))
	s.echo("A binary message of a megabyte.", ruleH2Flow, []Event{echoedBinary(highBytes(1 << 20))}, send(frame(wire.Binary, highBytes(1<<20))))
	c = s.echo("Three compressed messages. The last two refer back.", ruleH2Negotiate, nil, referringBack("one context for the stream")...)
	c.Deflate, c.Expect = plainDeflate(), []Outcome{ok(repeated("one context for the stream")...)}
	c.Deflate.takeover = true
	c.Expectation += " UNIMPLEMENTED where permessage-deflate is not agreed on."
	return s.list
}

// referringBack sends a message three times, compressed in one context.
func referringBack(m string) (script []Step) {
	d := deflate.Deflater{Bits: 15}
	for i := range 3 {
		p := append([]byte(nil), d.Deflate([]byte(m))...)
		script = append(script, send(compressed(wire.Text, p)), await(i+1))
	}
	return script
}

func repeated(m string) []Event { return []Event{echoed(m), echoed(m), echoed(m)} }

// heldTime is how long window updates are held back: a sender that does not wait for them
// is detected within this time.
const heldTime = 200 * time.Millisecond

// flowControl is T5. Every case checks that the testee sends no more than a window allows;
// here the windows are small, or held.
func flowControl() []*Case {
	s := series{prefix: "T5"}
	big := highBytes(200000)
	held := wait(heldTime, "")
	flow := func(title string, role Role, how *HTTP2, rule *Rule, events []Event, script ...Step) {
		c := s.echo(title, rule, events, script...)
		c.Testee, c.HTTP2 = role, how
		c.Script[len(c.Script)-1] = killAfter(5 * time.Second)
		c.Expectation = "The testee sends no more than it may, and all comes back; then a clean close."
	}
	back := []Event{echoedBinary(big)}
	flow("A message of 200,000 bytes; the window updates for its echo are held back for a while.", Both, nil, ruleH2Flow, back,
		hold(), send(frame(wire.Binary, big)), held, release())
	flow("The same; meanwhile there are 1,000 bytes more.", Both, nil, ruleH2Flow, back,
		hold(), send(frame(wire.Binary, big)), held, grant(1000), held, release())
	flow("The same; meanwhile a PING frame of HTTP/2 must be acknowledged.", Both, nil, ruleH2Ping, back,
		hold(), send(frame(wire.Binary, big)), held, pingHTTP2(), release())
	flow("Windows of 100 bytes, and a message of 5,000 bytes.", Server, &HTTP2{Window: 100}, ruleH2Flow, []Event{{Kind: MessageEvent, Payload: star(5000)}},
		send(frame(wire.Text, star(5000))))
	flow("A window of a megabyte for the stream, and 65,535 bytes for the connection, which are not given back for a while.", Server, &HTTP2{Window: 1 << 20, HoldConn: true}, ruleH2Flow, back,
		send(frame(wire.Binary, big)), held, grantConn(1000), held, grantConn(1<<20))
	flow("The initial window becomes smaller than what has been sent: the window is negative for a while.", Both, nil, ruleH2Negative, back,
		hold(), send(frame(wire.Binary, big)), held, shrink(16384), grant(40000), held, release())
	flow("The initial window becomes 0, and then larger.", Both, nil, ruleH2Negative, []Event{echoed("late")},
		shrink(0), pingHTTP2(), send(text("late")), held, shrink(65535))
	flow("A message of 200,000 bytes in DATA frames of 1,000 bytes.", Both, nil, ruleH2Flow, back, chop(1000, frame(wire.Binary, big)))
	flow("Ten messages of 50,000 bytes, while window updates are held back for a while.", Both, nil, ruleH2Flow, tenTimes(50000),
		hold(), send(tenFrames(50000)...), held, release())
	return s.list
}

func tenFrames(n int) (frames []*wire.Frame) {
	for range 10 {
		frames = append(frames, frame(wire.Binary, highBytes(n)))
	}
	return frames
}

func tenTimes(n int) (events []Event) {
	for range 10 {
		events = append(events, echoedBinary(highBytes(n)))
	}
	return events
}
