package autobahn

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/deflate"
	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// contexts is D5: what a compressed message may refer back to, and what follows a final
// block.
func contexts() []*Case {
	s := series{prefix: "D5"}
	lits := func(p string) []deflate.Token { return deflate.Literals([]byte(p)) }
	stream := func() *deflate.Stream { return &deflate.Stream{} }
	reach := func(length, n int) []byte { return stream().Fixed(false, deflate.Copy(length, n)).FlushTail() }
	good := func(title string, rule *Rule, events []Event, frames ...*wire.Frame) *Case {
		c := s.echo(title, rule, events, send(frames...))
		c.Deflate = plainDeflate()
		return c
	}
	// Many inflaters end at a final block. Refusing what follows is better than losing
	// it.
	final := func(title, message string, payload []byte) {
		c := good(title, ruleDeflateBin1, []Event{echoed(message)}, compressed(wire.Text, payload))
		c.Expectation += " Failing the connection with 1007 or 1002 is NON-STRICT; losing what follows is not."
		c.Expect = append(c.Expect, Outcome{Verdict: NonStrict, end: &Closing{Codes: []int{1007, 1002}}})
	}
	final("A compressed message with a block behind a final one.", "cable and chain",
		stream().Fixed(true, lits("cable")...).Align().Fixed(false, lits(" and chain")...).FlushTail())
	final("A compressed message of three final blocks of different types.", "cable and chain",
		append(stream().Fixed(true, lits("cable")...).Align().Stored(true, []byte(" and ")).Fixed(true, lits("chain")...).Bytes(), 0))
	final("A compressed message with a block behind a final one that copies from it.", "cable cable",
		stream().Fixed(true, lits("cable ")...).Align().Fixed(false, deflate.Copy(5, 6)).FlushTail())
	cable := compressed(wire.Text, squeezed("cable"))
	taken := func(title string, events []Event, frames ...*wire.Frame) {
		good(title, ruleTakeover, events, frames...).Deflate.takeover = true
	}
	taken("A message that ends with a final block, and one that copies from it.", []Event{echoed("cable"), echoed("cable")},
		compressed(wire.Text, append(stream().Fixed(true, lits("cable")...).Bytes(), 0)), compressed(wire.Text, reach(5, 5)))
	for _, e := range []struct {
		what  string
		frame *wire.Frame
	}{
		{"an empty compressed message (the byte 0)", compressed(wire.Text, []byte{0})},
		{"an empty compressed message (an empty block with the fixed codes)", compressed(wire.Text, stream().Fixed(false).FlushTail())},
		{"an empty message that is not compressed", text("")},
	} {
		taken("Two messages, of which the second copies from the first, and between them "+e.what+".", []Event{echoed("cable"), echoed(""), echoed("cable")},
			cable, e.frame, compressed(wire.Text, reach(5, 5)))
	}
	taken("Text, a binary message that copies from it, and text that copies from both: there is one context in each direction.",
		[]Event{echoed("cable"), echoedBinary([]byte("cable!")), echoed("cable!")}, cable,
		compressed(wire.Binary, stream().Fixed(false, deflate.Copy(5, 5), deflate.Token{Literal: '!'}).FlushTail()), compressed(wire.Text, reach(6, 6)))
	taken("A binary message and text that copies from it.", []Event{echoedBinary([]byte("cable")), echoed("cable")},
		compressed(wire.Binary, squeezed("cable")), compressed(wire.Text, reach(5, 5)))
	half := func(b byte) string { return string(bytes.Repeat([]byte{b}, 7)) + string(prose(19993)) }
	taken("Two messages of 20,000 bytes, and a third that copies from 32,768 bytes back, in the first.",
		[]Event{echoed(half('a')), echoed(half('b')), echoed((half('a') + half('b'))[40000-32768:][:100])},
		compressed(wire.Text, stream().Stored(false, []byte(half('a'))).FlushTail()), compressed(wire.Text, stream().Stored(false, []byte(half('b'))).FlushTail()),
		compressed(wire.Text, reach(100, 32768)))
	taken("A compressed message in fragments, with Pings between, and one that copies from it.", []Event{ponged("1"), echoed("cable"), echoed("cable")},
		compressed(wire.Text, squeezed("cable")[:2], noFin), ping("1"), frame(wire.Continuation, squeezed("cable")[2:]), compressed(wire.Text, reach(5, 5)))
	var frames []*wire.Frame
	var events []Event
	for i := range 12 {
		p := append(prose(3000), fmt.Sprint(i)...)
		f := compressed([]byte{wire.Text, wire.Binary}[i%2], squeezed(string(p)))
		frames, events = append(frames, f), append(events, Event{Kind: MessageEvent, Binary: i%2 == 1, Payload: p})
	}
	good("Text and binary messages in turn that are much alike: what comes back must be compressed in one context.", ruleTakeover, events, frames...)
	c := s.fails("A compressed message, and one that copies from before the first.", ruleDeflateBad, []int{1007, 1002}, send(cable), await(1), send(compressed(wire.Text, reach(5, 6))))
	c.Expect, c.Deflate = []Outcome{ok(echoed("cable"))}, plainDeflate()
	for _, c := range s.list {
		c.Suite = 2
	}
	return s.list
}

// compressedConversations is R2 (with context takeover) and R3 (each message by itself):
// the conversations of R1, compressed.
func compressedConversations() (list []*Case) {
	for i, prefix := range []string{"R2", "R3"} {
		s := series{prefix: prefix}
		for range 6 {
			c := s.add(&Case{Title: "Thirty random messages, most of them compressed" + []string{", each of which may refer back", ", each by itself"}[i] + ", fragmented at random, with Pings and Pongs between, written in random pieces.",
				Expectation: "All comes back in order; then a clean close. UNIMPLEMENTED where permessage-deflate is not agreed on.", Rule: ruleFragAny, Suite: 2, random: true, Close: cleanClose, Deflate: plainDeflate()})
			c.Deflate.takeover = i == 0
			c.make = func(seed uint64) *Case { return compressedConversation(c, seed, i == 1) }
		}
		list = append(list, s.list...)
	}
	return list
}

func compressedConversation(base *Case, seed uint64, alone bool) *Case {
	r := rand.New(rand.NewPCG(seed, 7692))
	c := *base
	d := deflate.Deflater{Bits: 15, NoTakeover: alone}
	var events []Event
	for range 30 {
		opcode, payload, bits := wire.Text, randomText(r), byte(0)
		switch r.IntN(4) {
		case 0:
			opcode, payload = wire.Binary, randomBytes(r, size(r))
		case 1:
			payload = prose(size(r))
		}
		events = append(events, Event{Kind: MessageEvent, Binary: opcode == wire.Binary, Payload: payload})
		if r.IntN(4) > 0 {
			payload, bits = slices.Clone(d.Deflate(payload)), wire.RSV1
		}
		message := len(events) - 1
		frames := randomFragments(r, opcode, payload, func(p []byte) {
			events = slices.Insert(events, message, Event{Kind: PongEvent, Payload: p})
			message++
		})
		frames[0].RSV = bits
		c.Script = append(c.Script, randomWrites(r, frames))
	}
	c.Script = append(c.Script, killAfter(5*time.Second))
	c.Expect = []Outcome{ok(events...)}
	return &c
}
