package autobahn

import (
	"bytes"
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/corpus"
	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// The cases of the original suite, under its ids, up to 5.*.

func star(n int) []byte { return bytes.Repeat([]byte{'*'}, n) }

func highBytes(n int) []byte { return bytes.Repeat([]byte{0xFE}, n) }

const echoWanted = "The message comes back as it was sent; then a clean close."

// framing is 1.*: messages of every length form.
func framing() (list []*Case) {
	sizes := []struct {
		size, chop int
	}{{0, 0}, {125, 0}, {126, 0}, {127, 0}, {128, 0}, {65535, 0}, {65536, 0}, {65536, 997}}
	for kind, opcode := range []byte{wire.Text, wire.Binary} {
		for i, z := range sizes {
			payload, limit := star(z.size), time.Second
			if opcode == wire.Binary {
				payload = highBytes(z.size)
			}
			if z.size > 1000 {
				limit = 10 * time.Second
			}
			title := fmt.Sprintf("A %s message of %d bytes", opcodeName(opcode), z.size)
			if z.chop > 0 {
				title += fmt.Sprintf(", in writes of %d bytes", z.chop)
			}
			list = append(list, &Case{
				ID: fmt.Sprintf("1.%d.%d", kind+1, i+1), Title: title + ".", Expectation: echoWanted, Rule: ruleEcho,
				Script: []Step{chop(z.chop, frame(opcode, payload)), killAfter(limit)},
				Expect: []Outcome{ok(Event{Kind: MessageEvent, Binary: opcode == wire.Binary, Payload: payload})},
				Close:  cleanClose,
			})
		}
	}
	return list
}

// pings is 2.*.
func pings() []*Case {
	bad := "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	long := string(highBytes(125))
	second := closeAfter(time.Second)
	answered := func(id, title, payload string, script ...Step) *Case {
		return &Case{ID: id, Title: title, Expectation: "A Pong with the same payload; then a clean close.", Rule: rulePong,
			Script: script, Expect: []Outcome{ok(ponged(payload))}, Close: cleanClose}
	}
	unasked := func(id, title, payload string) *Case {
		return &Case{ID: id, Title: title, Expectation: "No answer to the Pong; a clean close.", Rule: ruleUnasked,
			Script: []Step{send(pong(payload)), closeWith(1000), second}, Expect: []Outcome{ok()}, Close: cleanClose}
	}
	ten := func(id, title string, size int) *Case {
		c := &Case{ID: id, Title: title, Expectation: "Ten Pongs, each with its Ping's payload, in order.", Rule: rulePongData, Close: cleanClose}
		var events []Event
		for i := range 10 {
			p := fmt.Sprintf("ping number %d", i)
			events = append(events, ponged(p))
			c.Script = append(c.Script, chop(size, ping(p)))
		}
		c.Script = append(c.Script, closeAfter(3*time.Second))
		c.Expect = []Outcome{ok(events...)}
		return c
	}
	return []*Case{
		answered("2.1", "A Ping without payload.", "", send(ping("")), second),
		answered("2.2", "A Ping with text as payload.", "Ahoy there", send(ping("Ahoy there")), second),
		answered("2.3", "A Ping with a payload that is not UTF-8.", bad, send(ping(bad)), second),
		answered("2.4", "A Ping with 125 bytes of payload, the most there may be.", long, send(ping(long)), second),
		{ID: "2.5", Title: "A Ping with 126 bytes of payload.", Expectation: "The connection is failed with 1002.", Rule: ruleControl125,
			Script: []Step{send(ping(string(highBytes(126)))), killAfter(time.Second)}, Expect: []Outcome{ok()}, Close: protocolError},
		answered("2.6", "A Ping with 125 bytes of payload, byte by byte.", long, chop(1, ping(long)), closeAfter(2*time.Second)),
		unasked("2.7", "A Pong without payload that nobody asked for.", ""),
		unasked("2.8", "A Pong with payload that nobody asked for.", "nobody asked"),
		answered("2.9", "A Pong that nobody asked for, then a Ping.", "but now", send(pong("nobody asked"), ping("but now")), second),
		ten("2.10", "Ten Pings.", 0),
		ten("2.11", "Ten Pings, byte by byte.", 1),
	}
}

// badFrame is a frame that must fail the connection.
func badFrame(id, title string, rule *Rule, f *wire.Frame) *Case {
	return &Case{ID: id, Title: title, Expectation: "The connection is failed with 1002.", Rule: rule,
		Script: []Step{send(f), killAfter(time.Second)}, Expect: []Outcome{ok()}, Close: protocolError}
}

// badSecond is a good message, a frame that must fail the connection, and a Ping
// that must not be answered. how sends frames.
func badSecond(id, title string, rule *Rule, f *wire.Frame, how func(...*wire.Frame) Step) *Case {
	hello := "Hello, quay"
	return &Case{ID: id, Title: title + " after a good message, and before a Ping.",
		Expectation: "The message comes back, then the connection is failed with 1002. Failing it without the message is NON-STRICT.", Rule: rule,
		Script: []Step{how(text(hello), f, ping("")), killAfter(time.Second)},
		Expect: []Outcome{ok(echoed(hello)), lax()}, Close: protocolError}
}

func byteByByte(frames ...*wire.Frame) Step { return chop(1, frames...) }

// reservedBits is 3.*.
func reservedBits() []*Case {
	return []*Case{
		badFrame("3.1", "A text message with RSV3.", ruleRSV, text("Hello, quay", rsv(1))),
		badSecond("3.2", "A text message with RSV2", ruleRSV, text("Hello, quay", rsv(2)), send),
		badSecond("3.3", "A text message with RSV2 and RSV3, frame by frame,", ruleRSV, text("Hello, quay", rsv(3)), apart),
		badSecond("3.4", "A text message with RSV1, byte by byte,", ruleRSV, text("Hello, quay", rsv(4)), byteByByte),
		badFrame("3.5", "A binary message with RSV1 and RSV3.", ruleRSV, frame(wire.Binary, []byte("\x00\xff\xfe\xfd\xfc\xfb\x00\xff"), rsv(5))),
		badFrame("3.6", "A binary message with RSV1 and RSV2.", ruleRSV, frame(wire.Binary, []byte("Hello, quay"), rsv(6))),
		badFrame("3.7", "A Close with all reserved bits.", ruleRSV, frame(wire.Close, nil, rsv(7))),
	}
}

// opcodes is 4.*: the ten that are reserved.
func opcodes() (list []*Case) {
	for kind, first := range []byte{3, 11} {
		for i := range byte(5) {
			id, op := fmt.Sprintf("4.%d.%d", kind+1, i+1), first+i
			title := fmt.Sprintf("A frame with the reserved opcode %d", op)
			var payload []byte
			if i == 1 || i > 2 {
				payload = []byte("what is this")
			}
			f := frame(op, payload)
			switch i {
			case 0, 1:
				list = append(list, badFrame(id, title+".", ruleOpcode, f))
			case 4:
				list = append(list, badSecond(id, title+", byte by byte,", ruleOpcode, f, byteByByte))
			default:
				list = append(list, badSecond(id, title, ruleOpcode, f, send))
			}
		}
	}
	return list
}

// fragmentation is 5.*.
func fragmentation() []*Case {
	var list []*Case
	for i, op := range []byte{wire.Ping, wire.Pong} {
		list = append(list, &Case{ID: fmt.Sprintf("5.%d", i+1), Title: fmt.Sprintf("A %s in two fragments.", opcodeName(op)),
			Expectation: "The connection is failed with 1002.", Rule: ruleControl125,
			Script: []Step{send(frame(op, []byte("bow"), noFin), more("stern")), killAfter(time.Second)},
			Expect: []Outcome{ok()}, Close: protocolError})
	}
	ways := []struct {
		name string
		how  func(...*wire.Frame) Step
	}{{"", send}, {", frame by frame", apart}, {", byte by byte", byteByByte}}
	next := func(title, expectation string, rule *Rule, last Step, end Closing, o []Outcome, frames ...*wire.Frame) {
		for _, w := range ways {
			list = append(list, &Case{ID: fmt.Sprintf("5.%d", len(list)+1), Title: title + w.name + ".", Expectation: expectation, Rule: rule,
				Script: []Step{w.how(frames...), last}, Expect: o, Close: end})
		}
	}
	second, kill := closeAfter(time.Second), killAfter(time.Second)
	next("A text message in two fragments", echoWanted, ruleFragments, second, cleanClose, []Outcome{ok(echoed("bowstern"))},
		text("bow", noFin), more("stern"))
	next("A text message in two fragments, with a Ping between", "A Pong, then the message.", ruleInjected, second, cleanClose,
		[]Outcome{ok(ponged("amidships"), echoed("bowstern"))}, text("bow", noFin), ping("amidships"), more("stern"))
	lone := "The connection is failed with 1002: there is nothing to continue."
	next("A continuation with FIN where there is nothing to continue, then a text message", lone, ruleFragments, kill, protocolError,
		[]Outcome{ok()}, more("adrift"), text("Hello, quay"))
	next("A continuation without FIN where there is nothing to continue, then a text message", lone, ruleFragments, kill, protocolError,
		[]Outcome{ok()}, more("adrift", noFin), text("Hello, quay"))
	list = append(list, &Case{ID: "5.15", Title: "A text message in two fragments, then a continuation without FIN, then a text message.",
		Expectation: "The first message comes back, then the connection is failed with 1002. Failing it without the message is NON-STRICT.", Rule: ruleFragments,
		Script: []Step{send(text("bow", noFin), more("stern"), more("adrift", noFin), text("Hello, quay")), kill},
		Expect: []Outcome{ok(echoed("bowstern")), lax()}, Close: protocolError})
	for _, fin := range []bool{false, true} {
		stray := more("adrift")
		title := "Twice: a continuation with FIN where there is nothing to continue, then a text message in two fragments."
		if !fin {
			stray = more("adrift", noFin)
			title = "Twice: a continuation without FIN where there is nothing to continue, then a text message in two fragments."
		}
		frames := []*wire.Frame{stray, text("bow", noFin), more("stern")}
		list = append(list, &Case{ID: fmt.Sprintf("5.%d", len(list)+1), Title: title, Expectation: lone, Rule: ruleFragments,
			Script: []Step{send(append(frames, frames...)...), kill}, Expect: []Outcome{ok()}, Close: protocolError})
	}
	return append(list, paused(kill, second)...)
}

// paused is 5.18 to 5.20.
func paused(kill, second Step) (list []*Case) {
	list = append(list, &Case{ID: "5.18", Title: "A text message in two fragments, of which the second has the opcode of text again.",
		Expectation: "The connection is failed with 1002.", Rule: ruleInterleave,
		Script: []Step{send(text("bow", noFin), text("stern")), kill}, Expect: []Outcome{ok()}, Close: protocolError})
	for _, how := range []func(...*wire.Frame) Step{send, apart} {
		title := "A text message in five fragments, with a Ping after the second, a second's pause, and a Ping after the fourth"
		if len(list) == 2 {
			title += ", frame by frame"
		}
		list = append(list, &Case{ID: fmt.Sprintf("5.%d", len(list)+18), Title: title + ".",
			Expectation: "Each Ping is answered at once, then the message comes back.", Rule: ruleInjected,
			Script: []Step{
				how(text("one ", noFin), more("two ", noFin), ping("first")),
				{do: actWait, delay: time.Second, forced: true},
				how(more("three ", noFin), more("four ", noFin), ping("second"), more("five")), second,
			},
			Expect: []Outcome{ok(ponged("first"), ponged("second"), echoed("one two three four five"))}, Close: cleanClose})
	}
	return list
}

// speed is 9.*: sizes, fragments, writes and round trips.
func speed() (list []*Case) {
	const k, m = 1 << 10, 1 << 20
	add := func(id, title string, l Loop) {
		list = append(list, &Case{ID: id, Title: title, Expectation: fmt.Sprintf("The same comes back, within %v.", l.Timeout), Rule: ruleLimits,
			Loop: &l, Close: cleanClose, heavy: true, quiet: true})
	}
	types := []struct {
		binary bool
		body   []byte
		fill   byte
		name   string
	}{{false, []byte("hawser&rope"), '*', "text"}, {true, []byte("\x00\xfe\x23\xfa\xf0"), 0xFE, "binary"}}
	repeat := func(p []byte, n int) []byte { return bytes.Repeat(p, n/len(p)+1)[:n] }
	for t, y := range types {
		for i, n := range []int{64 * k, 256 * k, m, 4 * m, 8 * m, 16 * m} {
			limit := 100 * time.Second
			if i < 2 || y.binary && i < 4 {
				limit = 10 * time.Second
			}
			add(fmt.Sprintf("9.%d.%d", t+1, i+1), fmt.Sprintf("A %s message of %d bytes.", y.name, n),
				Loop{Count: 1, Length: n, Timeout: limit, Binary: y.binary, body: repeat(y.body, n)})
		}
	}
	for t, y := range types {
		for i := range 9 {
			n := 64 << (2 * i)
			add(fmt.Sprintf("9.%d.%d", t+3, i+1), fmt.Sprintf("A %s message of 4 MiB in fragments of %d bytes.", y.name, n),
				Loop{Count: 1, Length: 4 * m, Fragment: n, Timeout: 100 * time.Second, Binary: y.binary, Fill: y.fill})
		}
	}
	for t, y := range types {
		for i := range 6 {
			n := 64 << i
			add(fmt.Sprintf("9.%d.%d", t+5, i+1), fmt.Sprintf("A %s message of 1 MiB in writes of %d bytes.", y.name, n),
				Loop{Count: 1, Length: m, Timeout: 1000 * time.Second, Binary: y.binary, body: repeat(y.body, m), chop: n})
		}
	}
	for t, y := range types {
		for i, n := range []int{0, 16, 64, 256, k, 4 * k} {
			limit := []time.Duration{60, 60, 60, 120, 240, 480}[i] * time.Second
			add(fmt.Sprintf("9.%d.%d", t+7, i+1), fmt.Sprintf("1,000 %s messages of %d bytes, one after the other.", y.name, n),
				Loop{Count: 1000, Length: n, Timeout: limit, Binary: y.binary, Fill: y.fill})
		}
	}
	return list
}

// compression is 12.* and 13.*: corpora, and parameters.
func compression() (list []*Case) {
	const asked = anyBits
	plain := Params{ClientNoTakeover: true, ClientBits: asked}
	with := func(noTakeover bool, bits int) Params {
		p := plain
		p.ServerNoTakeover, p.ServerBits = noTakeover, bits
		return p
	}
	group := func(prefix, what string, c *corpus.Corpus, d *Deflate, window bool, rule *Rule) {
		for i, z := range messageSizes {
			title := fmt.Sprintf("1,000 compressed messages of %d of %s", z.size, c.Name)
			if z.fragment > 0 {
				title += fmt.Sprintf(", in fragments of %d bytes", z.fragment)
			}
			list = append(list, &Case{ID: fmt.Sprintf("%s.%d", prefix, i+1), Title: title + "; " + what + ".",
				Expectation: fmt.Sprintf("Each comes back, within %v. UNIMPLEMENTED where permessage-deflate is not agreed on.", z.limit), Rule: rule, Deflate: d,
				Loop:  &Loop{Count: 1000, Length: z.size, Fragment: z.fragment, Timeout: z.limit, Corpus: c, Binary: c.Binary},
				Close: cleanClose, heavy: true, quiet: true, window: window})
		}
	}
	first := &Deflate{Offers: []Params{plain}, Takes: []Take{{}}}
	for i, c := range corpus.All() {
		group(fmt.Sprintf("12.%d", i+1), "the default offer", c, first, false, ruleDeflate)
	}
	sets := []struct {
		what   string
		d      *Deflate
		window bool
		rule   *Rule
	}{
		{"the default offer", first, false, ruleDeflate},
		{"without context takeover", &Deflate{Offers: []Params{with(true, 0)}, Takes: []Take{{true, 0}}}, false, ruleNoTakeoverS},
		{"a window of 9 bits", &Deflate{Offers: []Params{with(false, 9)}, Takes: []Take{{false, 9}}}, true, ruleServerBits},
		{"a window of 15 bits", &Deflate{Offers: []Params{with(false, 15)}, Takes: []Take{{false, 15}}}, true, ruleServerBits},
		{"without context takeover, a window of 9 bits", &Deflate{Offers: []Params{with(true, 9)}, Takes: []Take{{true, 9}}}, true, ruleServerBits},
		{"without context takeover, a window of 15 bits", &Deflate{Offers: []Params{with(true, 15)}, Takes: []Take{{true, 15}}}, true, ruleServerBits},
		{"three offers, of which any may be taken", &Deflate{Offers: []Params{with(true, 9), with(true, 0), plain}, Takes: []Take{{true, 9}, {true, 0}, {}}}, false, ruleDeflate},
	}
	for i, p := range sets {
		group(fmt.Sprintf("13.%d", i+1), p.what, corpus.JSON, p.d, p.window, p.rule)
	}
	return list
}

// messageSizes are those of each group of 12.* and 13.*.
var messageSizes = []struct {
	size, fragment int
	limit          time.Duration
}{
	{16, 0, 60 * time.Second}, {64, 0, 60 * time.Second}, {256, 0, 120 * time.Second}, {1024, 0, 240 * time.Second},
	{4096, 0, 480 * time.Second}, {8192, 0, 480 * time.Second}, {16384, 0, 480 * time.Second}, {32768, 0, 480 * time.Second},
	{65536, 0, 480 * time.Second}, {131072, 0, 480 * time.Second},
	{8192, 256, 480 * time.Second}, {16384, 256, 480 * time.Second}, {32768, 256, 480 * time.Second}, {65536, 256, 480 * time.Second},
	{131072, 256, 480 * time.Second}, {131072, 1024, 480 * time.Second}, {131072, 4096, 480 * time.Second}, {131072, 32768, 480 * time.Second},
}
