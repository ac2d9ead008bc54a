package autobahn

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// position is where a frame stands on a connection: the frames before it, and what comes
// back for them.
type position struct {
	what   string
	before []*wire.Frame
	events []Event
}

var (
	atFirst    = position{what: "at first"}
	afterGood  = position{"after a good message", []*wire.Frame{text("Hello, quay")}, []Event{echoed("Hello, quay")}}
	afterSplit = position{"after a message in fragments", []*wire.Frame{text("bow", noFin), more("stern")}, []Event{echoed("bowstern")}}
	afterPing  = position{"after a Ping", []*wire.Frame{ping("there?")}, []Event{ponged("there?")}}
	inside     = position{"inside a message", []*wire.Frame{text("bow", noFin)}, nil}
	insideLate = position{"inside a message, after its second fragment", []*wire.Frame{text("bow", noFin), more("", noFin)}, nil}
)

// afterMany is a position after n good messages.
func afterMany(n int) position {
	p := position{what: fmt.Sprintf("after %d good messages", n)}
	for i := range n {
		m := fmt.Sprint("message ", i)
		p.before, p.events = append(p.before, text(m)), append(p.events, echoed(m))
	}
	return p
}

// insidePing is a position after a Ping inside a message.
var insidePing = position{"inside a message, after a Ping", []*wire.Frame{text("bow", noFin), ping("there?")}, []Event{ponged("there?")}}

// refusedAt are parts in which a frame must be refused wherever it stands.
func refusedAt(codes []int, f *wire.Frame, places ...position) (list []*Case) {
	for _, p := range places {
		title := describe(f) + ", " + p.what
		if len(p.events) > 0 {
			list = append(list, badPart(title, codes, p.events, send(p.before...), await(len(p.events)), send(f)))
		} else {
			list = append(list, badPart(title, codes, nil, send(slices.Concat(p.before, []*wire.Frame{f})...)))
		}
	}
	return list
}

const refused1002 = "The connection is failed with 1002, or TCP is closed."

var controlOpcodes = []byte{wire.Close, wire.Ping, wire.Pong}

// controlPayload is a payload of n bytes that a control frame may have; a Close's begins
// with a code, so that an answer to it is recognised.
func controlPayload(op byte, n int) []byte {
	p := prose(n)
	if op == wire.Close && n > 1 {
		copy(p, wire.ClosePayload(1000, nil))
	}
	return p
}

// controlFrames is C1: control frames in fragments, and long ones.
func controlFrames() []*Case {
	s := series{prefix: "C1"}
	s.many("A Close, a Ping and a Pong without FIN, empty and not, at first, after a message and inside one.", refused1002, ruleControl125, func() (list []*Case) {
		for _, op := range controlOpcodes {
			for _, n := range []int{0, 2, 9, 125} {
				if op == wire.Close && n == 0 {
					continue // an answer to it looks like a refusal
				}
				list = append(list, refusedAt(only1002, frame(op, controlPayload(op, n), noFin), atFirst, afterGood, inside, insidePing)...)
			}
		}
		return list
	})
	tooLong := []int{1002, 1009}
	s.many("A Close, a Ping and a Pong of more than 125 bytes, at first, after a message and inside one.", "The connection is failed with 1002 or 1009, or TCP is closed.", ruleControl125, func() (list []*Case) {
		for _, op := range controlOpcodes {
			for _, n := range []int{126, 127, 128, 255, 256, 1000, 4096, 65535, 65536} {
				list = append(list, refusedAt(tooLong, frame(op, controlPayload(op, n)), atFirst, afterGood, inside)...)
				if n <= 65535 {
					list = append(list, refusedAt(tooLong, frame(op, controlPayload(op, n), form(wire.Length64)), atFirst, inside)...)
				}
			}
		}
		return list
	})
	s.many("A Close, a Ping and a Pong whose short length is written in 16 and in 64 bits.", refused1002+" Taking it is NON-STRICT.", ruleLength, func() (list []*Case) {
		for _, op := range controlOpcodes {
			for _, n := range []int{0, 2, 125} {
				for _, l := range []wire.LengthForm{wire.Length16, wire.Length64} {
					for _, p := range []position{atFirst, afterGood, inside} {
						list = append(list, longControl(frame(op, controlPayload(op, n), form(l)), p))
					}
				}
			}
		}
		return list
	})
	for _, c := range s.list {
		c.Suite = 2
	}
	return s.list
}

// longControl is a control frame with a length in more bytes than it needs. A testee that
// accepts it answers the Ping that follows.
func longControl(f *wire.Frame, p position) *Case {
	c := badPart(describe(f)+", "+p.what, only1002, p.events)
	c.Script = []Step{send(p.before...), await(len(p.events)), send(f)}
	switch f.Opcode {
	case wire.Ping:
		c.Expect = append(c.Expect, laxClean(append(slices.Clone(p.events), ponged(string(f.Payload)))...))
	case wire.Pong:
		c.Script = append(c.Script, Step{do: actWait, delay: 20 * time.Millisecond}, send(ping("taken?")))
		c.Expect = append(c.Expect, laxClean(append(slices.Clone(p.events), ponged("taken?"))...))
	case wire.Close:
		c.tolerated = &Closing{Codes: []int{1000}, Clean: true}
	}
	c.Script = append(c.Script, killAfter(time.Second))
	return c
}

// rsvFrames are V1 (without an extension) and V2 (with permessage-deflate): reserved bits
// on every frame.
func rsvFrames() []*Case {
	const title = "Reserved bits, alone and together, on %s, empty and not, at first and later"
	plain := series{prefix: "V1"}
	packed := series{prefix: "V2"}
	frames := func(ops []byte, noFinToo bool, all bool, places ...position) (list []*Case) {
		for _, op := range ops {
			for bits := byte(1); bits < 8; bits++ {
				if !all && bits == wire.RSV1 {
					continue
				}
				for _, n := range []int{0, 9} {
					p := controlPayload(op, n)
					if op == wire.Close && n == 0 {
						p = wire.ClosePayload(1000, nil)
					}
					list = append(list, refusedAt(only1002, frame(op, p, rsv(bits)), places...)...)
					if noFinToo {
						list = append(list, refusedAt(only1002, frame(op, p, rsv(bits), noFin), places...)...)
					}
				}
			}
		}
		return list
	}
	data, conts := []byte{wire.Text, wire.Binary}, []byte{wire.Continuation}
	for i, s := range []*series{&plain, &packed} {
		rule, agreed, add := ruleRSV, "", func(list []*Case) []*Case { return list }
		if i == 1 {
			rule, agreed, add = ruleDeflateRSV, ", where compression was agreed on", compressedParts
		}
		s.many(fmt.Sprintf(title, "the first frame of a message")+agreed+".", refused1002, rule, func() []*Case {
			return add(frames(data, true, i == 0, atFirst, afterGood, afterSplit))
		})
		s.many(fmt.Sprintf(title, "continuations")+agreed+".", refused1002, rule, func() []*Case {
			return add(frames(conts, true, true, inside, insideLate, insidePing))
		})
		s.many(fmt.Sprintf(title, "control frames")+agreed+".", refused1002, rule, func() []*Case {
			return add(frames(controlOpcodes, false, true, atFirst, afterGood, inside))
		})
	}
	cable := squeezed("cable and chain")
	begun := position{"inside a compressed message", []*wire.Frame{compressed(wire.Text, cable[:4], noFin)}, nil}
	done := position{"after a compressed message", []*wire.Frame{compressed(wire.Text, cable)}, []Event{echoed("cable and chain")}}
	packed.many("Reserved bits on every frame inside a compressed message and after one.", refused1002, ruleDeflateRSV, func() (list []*Case) {
		list = append(frames(conts, true, true, begun), frames(controlOpcodes, false, true, begun, done)...)
		return compressedParts(append(list, frames(data, true, false, done)...))
	})
	for _, c := range packed.list {
		c.Deflate = plainDeflate()
	}
	return append(plain.list, packed.list...)
}

// opcodeFrames is O1: reserved opcodes, and data frames where none is allowed.
func opcodeFrames() []*Case {
	s := series{prefix: "O1"}
	reserved := func(first byte, places ...position) func() []*Case {
		return func() (list []*Case) {
			for op := first; op < first+5; op++ {
				for _, n := range []int{0, 5, 200} {
					if op > 8 && n > 125 {
						continue
					}
					list = append(list, refusedAt(only1002, frame(op, prose(n)), places...)...)
					list = append(list, refusedAt(only1002, frame(op, prose(n), noFin), places...)...)
				}
			}
			return list
		}
	}
	s.many("The reserved opcodes 3 to 7, with FIN and without, empty and not, at first, after a message and between fragments.", refused1002, ruleOpcode, reserved(3, atFirst, afterGood, afterPing, inside, insideLate))
	s.many("The reserved opcodes 11 to 15, with FIN and without, empty and not, at first, after a message and between fragments.", refused1002, ruleOpcode, reserved(11, atFirst, afterGood, afterPing, inside, insideLate))
	s.many("The reserved opcodes where compression was agreed on.", refused1002, ruleOpcode, func() []*Case {
		return compressedParts(append(reserved(3, atFirst, inside)(), reserved(11, atFirst, inside)()...))
	}).Deflate = plainDeflate()
	each := func(f func(p []byte, options ...func(*wire.Frame)) *wire.Frame, places ...position) (list []*Case) {
		for _, n := range []int{0, 5, 200} {
			list = append(list, refusedAt(only1002, f(prose(n)), places...)...)
			list = append(list, refusedAt(only1002, f(prose(n), noFin), places...)...)
		}
		return list
	}
	s.many("The first frame of a message inside another one, empty and not, with FIN and without.", refused1002, ruleInterleave, func() (list []*Case) {
		empty := position{"inside a message that is empty so far", []*wire.Frame{text("", noFin)}, nil}
		binary := position{"inside a binary message", []*wire.Frame{frame(wire.Binary, []byte{0xFF}, noFin)}, nil}
		for _, op := range []byte{wire.Text, wire.Binary} {
			list = append(list, each(func(p []byte, options ...func(*wire.Frame)) *wire.Frame { return frame(op, p, options...) }, inside, insideLate, insidePing, empty, binary)...)
		}
		return list
	})
	s.many("A continuation where there is nothing to continue, empty and not, with FIN and without.", refused1002, ruleFragments, func() []*Case {
		return each(func(p []byte, options ...func(*wire.Frame)) *wire.Frame {
			return frame(wire.Continuation, p, options...)
		}, atFirst, afterGood, afterSplit, afterPing, afterMany(5))
	})
	return s.list
}

// maskedFrames are M5 (servers) and M6 (clients): frames with the wrong masking.
func maskedFrames() (list []*Case) {
	for i, role := range []Role{Server, Client} {
		s := series{prefix: fmt.Sprintf("M%d", i+5)}
		how, options, rule := "Frames that are not masked", [][]func(*wire.Frame){{masking(wire.Never)}}, ruleMaskServer
		if role == Client {
			how, rule = "Frames that are masked, also with the key 0", ruleMaskClient
			options = [][]func(*wire.Frame){{masking(wire.Always)}, {masking(wire.Always), masked(0, 0, 0, 0)}}
		}
		add := func(what string, ops []byte, places ...position) {
			s.many(how+": "+what+", empty and not, at first and later.", refused1002, rule, func() (list []*Case) {
				for _, op := range ops {
					for _, n := range []int{0, 5, 125, 126} {
						if op > 7 && n > 125 {
							continue
						}
						for _, o := range options {
							p := controlPayload(op, n)
							if op == wire.Close && n == 0 {
								p = wire.ClosePayload(1000, nil)
							}
							list = append(list, refusedAt(only1002, frame(op, p, o...), places...)...)
						}
					}
				}
				return list
			}).Testee = role
		}
		add("messages", []byte{wire.Text, wire.Binary}, atFirst, afterGood, afterSplit, afterMany(2), afterMany(5), afterMany(10), afterMany(20), afterMany(100))
		add("control frames", controlOpcodes, atFirst, afterGood, inside, afterMany(10))
		add("continuations", []byte{wire.Continuation}, inside, insideLate, insidePing)
		list = append(list, s.list...)
	}
	return list
}

// longLengths is L2: lengths that are too long for what they say, or too large, on every
// frame of a message.
func longLengths() []*Case {
	s := series{prefix: "L2"}
	s.many("Text, binary and continuation frames whose length is written in more bytes than it needs.", refused1002+" Taking it is NON-STRICT.", ruleLength, func() (list []*Case) {
		for _, op := range []byte{wire.Text, wire.Binary, wire.Continuation} {
			for _, l := range []struct {
				form  wire.LengthForm
				sizes []int
			}{{wire.Length16, []int{0, 1, 124, 125}}, {wire.Length64, []int{0, 1, 125, 126, 127, 256, 65534, 65535}}} {
				for _, n := range l.sizes {
					list = append(list, longData(frame(op, prose(n), form(l.form)), position{}), longData(frame(op, prose(n), form(l.form)), afterGood))
				}
			}
		}
		return list
	})
	tooBig := []int{1002, 1009}
	s.many("Text, binary and continuation frames with a length whose highest bit is set.", "The connection is failed with 1002 or 1009, or TCP is closed.", ruleLength63, func() (list []*Case) {
		for _, n := range []uint64{1 << 63, 1<<63 | 5, 1<<63 | 126, 1<<64 - 1} {
			f := func(op byte) *wire.Frame { return frame(op, []byte("cable"), form(wire.Length64), claim(n)) }
			list = append(list, refusedAt(tooBig, f(wire.Text), afterGood)...)
			list = append(list, refusedAt(tooBig, f(wire.Binary), atFirst, afterGood)...)
			list = append(list, refusedAt(tooBig, f(wire.Continuation), inside, insidePing)...)
		}
		for _, op := range []byte{wire.Text, wire.Binary} { // and as many bytes as it says without that bit
			list = append(list, refusedAt(tooBig, frame(op, prose(65540), form(wire.Length64), claim(1<<63|65540)), atFirst, afterGood)...)
		}
		return list
	})
	return s.list
}

// longData is a data frame with a length in more bytes than it needs, which may be
// accepted.
func longData(f *wire.Frame, p position) *Case {
	events, frames, back := p.events, []*wire.Frame{f}, string(f.Payload)
	if f.Opcode == wire.Continuation {
		frames, back = []*wire.Frame{text("bow", noFin), f}, "bow"+back
	}
	c := badPart(strings.TrimSuffix(describe(f)+", "+p.what, ", "), only1002, events)
	c.Script = []Step{send(p.before...), await(len(events)), send(frames...), killAfter(time.Second)}
	c.Expect = append(c.Expect, laxClean(append(slices.Clone(events), Event{Kind: MessageEvent, Binary: f.Opcode == wire.Binary, Payload: []byte(back)})...))
	return c
}
