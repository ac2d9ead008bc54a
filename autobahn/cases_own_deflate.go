package autobahn

import (
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/deflate"
	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// plainDeflate is the extension without parameters.
func plainDeflate() *Deflate {
	return &Deflate{Offers: []Params{{}}, Takes: []Take{{}}}
}

// squeezed is p, compressed with the fixed codes and without a copy.
func squeezed(p string) []byte {
	var s deflate.Stream
	return s.Fixed(false, deflate.Literals([]byte(p))...).FlushTail()
}

// compressed is a frame with RSV1.
func compressed(opcode byte, payload []byte, options ...func(*wire.Frame)) *wire.Frame {
	return frame(opcode, payload, append(options, rsv(wire.RSV1))...)
}

// badDeflate is D1: compressed messages that cannot be inflated.
func badDeflate() []*Case {
	s := series{prefix: "D1"}
	bad := func(what string, payload []byte) *Case {
		c := s.fails("A compressed message with "+what+".", ruleDeflateBad, []int{1007, 1002}, send(compressed(wire.Binary, payload)))
		c.Deflate = plainDeflate()
		return c
	}
	// No sentence of the RFC says that a message must end where a block does, and an
	// inflater that is fed piece by piece waits for more.
	early := func(what string, payload []byte, inflated ...string) {
		c := bad(what, payload)
		c.Expectation += " Sending back what could be inflated is NON-STRICT."
		for _, p := range inflated {
			c.Expect = append(c.Expect, laxClean(echoedBinary([]byte(p))))
		}
	}
	stream := func() *deflate.Stream { return &deflate.Stream{} }
	bad("a block of the reserved type 3", stream().Bits(6, 3).Bits(0xABCD, 16).Bytes())
	bad("a stored block whose two lengths do not fit", []byte{0x00, 0x05, 0x00, 0x05, 0x00, 'c', 'a', 'b', 'l', 'e', 0x00})
	early("a stored block of 100 bytes, of which there are five", []byte{0x00, 100, 0x00, 155, 0xFF, 'c', 'a', 'b', 'l', 'e'}, "cable", "cable\x00\x00\xff\xff")
	bad("a copy where there is nothing yet", stream().Fixed(false, deflate.Copy(3, 1)).FlushTail())
	bad("a copy from before the beginning", stream().Fixed(false, append(deflate.Literals([]byte("cable")), deflate.Copy(4, 6))...).FlushTail())
	bad("a copy from 32,768 bytes back, where there are five", stream().Fixed(false, append(deflate.Literals([]byte("cable")), deflate.Copy(4, 32768))...).FlushTail())
	over := stream().Bits(4, 3).Bits(0, 5).Bits(0, 5).Bits(15, 4)
	for range 19 {
		over.Bits(1, 3)
	}
	bad("an over-subscribed Huffman code", over.Bits(0xFFFF, 16).Bytes())
	early("a dynamic block that ends in its header", stream().Bits(4, 3).Bits(29, 5).Bits(29, 5).Bits(15, 4).Bits(0x3F, 6).Bytes(), "")
	bad("the invalid length symbol 286", stream().Bits(2, 3).Symbol(286).Bits(0, 20).Bytes())
	bad("the invalid distance symbol 30", stream().Bits(2, 3).Symbol('a').Symbol(257).Distance(30).Bits(0, 20).Bytes())
	bad("bytes that are no DEFLATE stream", []byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF})
	c := s.fails("A compressed message that is bad only in its second fragment.", ruleDeflateBad, []int{1007, 1002},
		send(compressed(wire.Binary, []byte{0x00, 0x05}, noFin), frame(wire.Continuation, []byte{0x00, 0x05, 0x00, 'c', 'a', 'b', 'l', 'e', 0x00})))
	c.Deflate = plainDeflate()
	for _, t := range []struct{ what, text string }{
		{"is not UTF-8", "ab\xc0\xaf"}, {"has a surrogate", "ab\xed\xa0\x80"}, {"ends inside a code point", "ab\xe2\x82"},
	} {
		c := s.fails("A compressed text message whose text "+t.what+".", ruleUTF8, []int{1007}, send(compressed(wire.Text, squeezed(t.text))))
		c.Deflate = plainDeflate()
	}
	return s.list
}

// unusualDeflate is D2: compressed messages that are valid, but unlike any that a
// library makes.
func unusualDeflate() []*Case {
	s := series{prefix: "D2"}
	good := func(what string, rule *Rule, events []Event, frames ...*wire.Frame) *Case {
		c := s.echo(what+".", rule, events, send(frames...))
		c.Deflate = plainDeflate()
		return c
	}
	one := func(what string, rule *Rule, message string, payload []byte) {
		good("A compressed text message: "+what, rule, []Event{echoed(message)}, compressed(wire.Text, payload))
	}
	stream := func() *deflate.Stream { return &deflate.Stream{} }
	lits := func(p string) []deflate.Token { return deflate.Literals([]byte(p)) }
	one("one stored block", ruleDeflateMany, "cable", stream().Stored(false, []byte("cable")).FlushTail())
	one("one block with the fixed codes", ruleDeflateMany, "cable", squeezed("cable"))
	one("blocks of different types", ruleDeflateMany, "cable and chain", stream().Fixed(false, lits("cable")...).Stored(false, []byte(" and ")).Fixed(false, lits("chain")...).FlushTail())
	many := stream()
	for _, b := range []byte("byte by byte") {
		many.Fixed(false, deflate.Token{Literal: b})
	}
	one("a block for each byte", ruleDeflateMany, "byte by byte", many.FlushTail())
	empty := stream()
	for range 100 {
		empty.Stored(false, nil)
	}
	one("100 empty blocks, then one that is not", ruleDeflateMany, "at last", empty.Fixed(false, lits("at last")...).FlushTail())
	one("a final block, then an empty one", ruleDeflateBin1, "cable", append(stream().Fixed(true, lits("cable")...).Bytes(), 0))
	one("nothing: the single byte 0", ruleDeflateNone, "", []byte{0})
	one("an empty block with the fixed codes", ruleDeflateNone, "", stream().Fixed(false).FlushTail())
	one("a copy that overlaps itself", ruleDeflateMany, "a"+string(make258('a')), stream().Fixed(false, append(lits("a"), deflate.Copy(258, 1))...).FlushTail())
	far := string(star(32760)) + "farthest"
	one("a copy from 32,768 bytes back", ruleDeflateMany, far+far[:8], stream().Stored(false, []byte(far)).Fixed(false, deflate.Copy(8, 32768)).FlushTail())
	cable := squeezed("cable and chain")
	good("A compressed message in fragments of one byte", ruleDeflateMany, []Event{echoed("cable and chain")}, fragments(wire.Text, wire.RSV1, cable, 1)...)
	good("A compressed message in three fragments, with Pings between", ruleInjected, []Event{ponged("1"), ponged("2"), echoed("cable and chain")},
		compressed(wire.Text, cable[:3], noFin), ping("1"), frame(wire.Continuation, cable[3:5], noFin), ping("2"), frame(wire.Continuation, cable[5:]))
	good("A compressed message with empty fragments around it", ruleDeflateMany, []Event{echoed("cable and chain")},
		compressed(wire.Text, nil, noFin), frame(wire.Continuation, cable, noFin), more(""))
	good("A message that is not compressed, where compression was agreed on", ruleDeflateMix, []Event{echoed("plain")}, text("plain"))
	good("Messages that are and are not compressed, in turn", ruleDeflateMix, []Event{echoed("plain"), echoed("cable and chain"), echoedBinary([]byte{0xFF}), echoed("cable and chain")},
		text("plain"), compressed(wire.Text, cable), frame(wire.Binary, []byte{0xFF}), compressed(wire.Text, cable))
	good("A fragmented message that is not compressed, where compression was agreed on", ruleDeflateMix, []Event{echoed("bowstern")}, text("bow", noFin), more("stern"))
	euro := squeezed("é€\U00010348")
	good("A compressed text split into fragments of one byte", ruleDeflateMany, []Event{echoed("é€\U00010348")}, fragments(wire.Text, wire.RSV1, euro, 1)...)
	reach := func(n int) []byte { return stream().Fixed(false, deflate.Copy(5, n)).FlushTail() }
	taken := []*Case{
		good("A compressed message that copies from the one before", ruleTakeover, []Event{echoed("cable"), echoed("cable")}, compressed(wire.Text, squeezed("cable")), compressed(wire.Text, reach(5))),
		good("The same with a message between that is not compressed, and so is not in the window", ruleTakeover, []Event{echoed("cable"), echoed("not there"), echoed("cable")},
			compressed(wire.Text, squeezed("cable")), text("not there"), compressed(wire.Text, reach(5))),
		good("A compressed message that copies from 32,768 bytes back, where the one before began", ruleTakeover, []Event{echoed(far), echoed(far[:5])},
			compressed(wire.Text, stream().Stored(false, []byte(far)).FlushTail()), compressed(wire.Text, reach(32768))),
	}
	for _, c := range taken {
		c.Deflate.takeover = true
	}
	return s.list
}

func make258(b byte) []byte {
	p := make([]byte, 258)
	for i := range p {
		p[i] = b
	}
	return p
}

// deflateBits is D3: reserved bits where they may not be.
func deflateBits() []*Case {
	s := series{prefix: "D3"}
	cable := squeezed("cable and chain")
	bad := func(what string, agreed bool, frames ...*wire.Frame) {
		rule := ruleRSV
		if agreed {
			rule = ruleDeflateRSV
			what += ", where compression was agreed on"
		}
		c := s.fails(what+".", rule, only1002, send(frames...))
		if agreed {
			c.Deflate = plainDeflate()
		}
	}
	bad("RSV1 on the second fragment of a compressed message", true, compressed(wire.Text, cable[:4], noFin), compressed(wire.Continuation, cable[4:]))
	bad("RSV1 on the second fragment of a message that is not compressed", true, text("bow", noFin), more("stern", rsv(wire.RSV1)))
	bad("RSV1 on a Ping", true, ping("cable", rsv(wire.RSV1)))
	bad("RSV1 on a Pong", true, pong("cable", rsv(wire.RSV1)))
	bad("RSV1 on a Ping inside a compressed message", true, compressed(wire.Text, cable[:4], noFin), ping("cable", rsv(wire.RSV1)))
	bad("RSV2 on a text message", true, text("cable", rsv(wire.RSV2)))
	bad("RSV3 on a text message", true, text("cable", rsv(wire.RSV3)))
	bad("RSV1 and RSV2 on a compressed message", true, frame(wire.Text, cable, rsv(wire.RSV1|wire.RSV2)))
	bad("RSV1 on a reserved opcode", true, frame(3, cable, rsv(wire.RSV1)))
	bad("RSV1 on a compressed text message, where compression was not agreed on", false, compressed(wire.Text, cable))
	bad("RSV1 on a compressed binary message, where compression was not agreed on", false, compressed(wire.Binary, cable))
	bad("RSV1 on a Ping, where compression was not agreed on", false, ping("cable", rsv(wire.RSV1)))
	bad("RSV1 on the second fragment, where compression was not agreed on", false, text("bow", noFin), more("stern", rsv(wire.RSV1)))
	c := s.add(&Case{Title: "RSV1 on a Close, where compression was agreed on.", Expectation: "The connection is failed with 1002, or TCP is closed.", Rule: ruleDeflateRSV,
		Script: []Step{send(frame(wire.Close, wire.ClosePayload(1000, nil), rsv(wire.RSV1))), killAfter(time.Second)},
		Expect: []Outcome{ok()}, Close: Closing{Codes: only1002}, wrongCodeFatal: true})
	c.Deflate = plainDeflate()
	return s.list
}

// bombs is D4: few bytes that inflate to very many, and many that inflate to
// nothing.
func bombs() []*Case {
	s := series{prefix: "D4"}
	const mib = 1 << 20
	end := Closing{EitherEnd: true, Codes: []int{1000, 1008, 1009}}
	add := func(title string, size, fragment int) {
		c := s.add(&Case{Title: title, Rule: ruleLimits, Expectation: "The message comes back, or the connection is failed with 1009 or 1008.", Close: end, heavy: true, quiet: true})
		c.Deflate = plainDeflate()
		c.Deflate.limit = 2 * size
		c.make = func(uint64) *Case {
			made := *c
			tokens := []deflate.Token{{}}
			for n := 1; n < size; n += 258 {
				tokens = append(tokens, deflate.Copy(min(258, max(3, size-n)), 1))
			}
			var stream deflate.Stream
			p := stream.Fixed(false, tokens...).FlushTail()
			f, _ := deflate.Scan(p, 0)
			back := ok(echoedBinary(make([]byte, f.Length)))
			made.Expect = []Outcome{ok(), back}
			made.Script = []Step{send(fragments(wire.Binary, wire.RSV1, p, fragment)...), await(1), closeWith(1000), killAfter(30 * time.Second)}
			made.keepOpen = true
			return &made
		}
	}
	add("A compressed message of 4 MiB in 26 KiB.", 4*mib, 0)
	add("A compressed message of 80 MiB in 515 KiB.", 80*mib, 0)
	add("The same in fragments of 1,000 bytes.", 80*mib, 1000)
	var blocks deflate.Stream
	for range 200000 {
		blocks.Stored(false, nil)
	}
	c := s.add(&Case{Title: "A compressed message of 200,000 empty blocks: a million bytes that inflate to none.", Rule: ruleLimits,
		Expectation: "The empty message comes back, or the connection is failed with 1009, 1008 or 1007.",
		Script:      []Step{send(compressed(wire.Binary, blocks.FlushTail())), await(1), closeWith(1000), killAfter(10 * time.Second)},
		Expect:      []Outcome{ok(echoedBinary(nil)), ok()}, Close: Closing{EitherEnd: true, Codes: []int{1000, 1007, 1008, 1009}}, keepOpen: true, heavy: true, quiet: true})
	c.Deflate = plainDeflate()
	return s.list
}
