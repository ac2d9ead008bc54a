package autobahn

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/deflate"
	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// badText is a piece of text that no valid text contains.
type badText struct{ what, s string }

// broken are invalid anywhere. cutOff are invalid at a message's end.
var (
	broken = []badText{
		{"a byte that continues nothing", "\x80"},
		{"the first of two bytes, then a letter", "\xc3A"},
		{"the first of three bytes, then a letter", "\xe2A"},
		{"two of three bytes, then a letter", "\xe2\x82A"},
		{"two of four bytes, then a letter", "\xf0\x90A"},
		{"three of four bytes, then a letter", "\xf0\x90\x8dA"},
		{"a surrogate", "\xed\xa0\x80"},
		{"a slash in three bytes", "\xe0\x80\xaf"},
		{"a slash in four bytes", "\xf0\x80\x80\xaf"},
		{"a code point beyond the last", "\xf4\x90\x80\x80"},
		{"a byte that never occurs", "\xff"},
	}
	cutOff = []badText{
		{"the first of two bytes", "\xc3"}, {"the first of three bytes", "\xe2"}, {"two of three bytes", "\xe2\x82"},
		{"two of four bytes", "\xf0\x90"}, {"three of four bytes", "\xf0\x90\x8d"},
	}
)

const refused1007 = "The connection is failed with 1007, or TCP is closed."

var only1007 = []int{1007}

// textCases are U1 (text after other messages), U2 (long text), U3 (every offset) and U4
// (sequences that arrive in parts).
func textCases() (list []*Case) {
	for _, cases := range [][]*Case{laterText(), longText(), textOffsets(), textInParts()} {
		list = append(list, cases...)
	}
	for _, c := range list {
		c.Suite = 2
	}
	return list
}

// inText are the frames that precede the message, and the message that must be refused.
func inText(title string, before []*wire.Frame, events []Event, frames ...*wire.Frame) *Case {
	if len(before) == 0 {
		return badPart(title, only1007, events, send(frames...))
	}
	return badPart(title, only1007, events, send(before...), await(len(events)), send(frames...))
}

// laterText is U1.
func laterText() []*Case {
	s := series{prefix: "U1"}
	forms := []struct {
		what   string
		frames func(p string) []*wire.Frame
	}{
		{"in one frame", func(p string) []*wire.Frame { return []*wire.Frame{text(p)} }},
		{"in three fragments", func(p string) []*wire.Frame {
			n := len(p) / 3
			return []*wire.Frame{text(p[:n], noFin), more(p[n:2*n], noFin), more(p[2*n:])}
		}},
	}
	inflated := forms[:0:0]
	for _, f := range forms {
		inflated = append(inflated, struct {
			what   string
			frames func(p string) []*wire.Frame
		}{"compressed, " + f.what, func(p string) []*wire.Frame {
			frames := f.frames(string(squeezed(p)))
			frames[0].RSV = wire.RSV1
			return frames
		}})
	}
	bad := []badText{{"begins with two bytes for a slash", "\xc0\xaf and more"}, {"has a surrogate in its middle", "cable\xed\xa0\x80chain"}, {"ends inside a code point", "cable and chain\xe2\x82"}}
	nth := func(frames func(string) []*wire.Frame) (list []*Case) {
		for _, n := range []int{2, 3, 4, 5, 8, 9, 11, 16, 17, 33, 65, 101, 129, 257} {
			for _, b := range bad {
				var before []*wire.Frame
				var events []Event
				for i := range n - 1 {
					m := fmt.Sprint("message ", i)
					before, events = append(before, frames(m)...), append(events, echoed(m))
				}
				list = append(list, inText(fmt.Sprintf("message %d %s", n, b.what), before, events, frames(b.s)...))
			}
		}
		return list
	}
	for _, f := range forms {
		s.many("Text messages "+f.what+", of which the last, from the second to the 257th, is not UTF-8.", refused1007, ruleUTF8, func() []*Case { return nth(f.frames) })
	}
	for _, f := range inflated {
		s.many("Text messages, "+f.what+", of which the last, from the second to the 257th, is not UTF-8.", refused1007, ruleUTF8,
			func() []*Case { return compressedParts(nth(f.frames)) }).Deflate = plainDeflate()
	}
	s.many("A text message that is not UTF-8, after messages and frames of every other kind.", refused1007, ruleUTF8, func() []*Case { return afterOthers(forms[0].frames, forms[1].frames, bad) })
	s.many("The same where compression was agreed on, compressed and not.", refused1007, ruleUTF8, func() []*Case {
		list := append(afterOthers(forms[0].frames, forms[1].frames, bad), afterOthers(inflated[0].frames, inflated[1].frames, bad)...)
		for _, b := range bad {
			plain, packed := forms[0].frames, inflated[0].frames
			list = append(list,
				inText("after a compressed message, one that is not: "+b.what, packed("cable"), []Event{echoed("cable")}, plain(b.s)...),
				inText("after a message that is not compressed, one that is: "+b.what, plain("cable"), []Event{echoed("cable")}, packed(b.s)...))
		}
		return compressedParts(list)
	}).Deflate = plainDeflate()
	c := s.echo("Binary messages that are not UTF-8, in turn with text, whole and in fragments.", ruleEcho,
		[]Event{echoed("cable"), echoedBinary([]byte("\xff\xc3")), echoed("chain"), echoedBinary([]byte("\xe2\x82")), echoedBinary([]byte("\xed\xa0\x80")), echoed("é")},
		send(text("cable"), frame(wire.Binary, []byte("\xff\xc3")), text("chain"), frame(wire.Binary, []byte("\xe2"), noFin), more("\x82"), frame(wire.Binary, []byte("\xed\xa0\x80")), text("é")))
	c.Suite = 2
	return s.list
}

// afterOthers are bad texts after anything that may precede a text.
func afterOthers(whole, parts func(string) []*wire.Frame, bad []badText) (list []*Case) {
	long := string(star(70000))
	for _, o := range []struct {
		what   string
		frames []*wire.Frame
		events []Event
	}{
		{"a binary message", []*wire.Frame{frame(wire.Binary, []byte{0xFF})}, []Event{echoedBinary([]byte{0xFF})}},
		{"a binary message in fragments", []*wire.Frame{frame(wire.Binary, []byte{0xFF}, noFin), more("\xfe")}, []Event{echoedBinary([]byte{0xFF, 0xFE})}},
		{"an empty text message", []*wire.Frame{text("")}, []Event{echoed("")}},
		{"a text message in fragments", []*wire.Frame{text("bow", noFin), more("stern")}, []Event{echoed("bowstern")}},
		{"a text message of 70,000 bytes", []*wire.Frame{text(long)}, []Event{echoed(long)}},
		{"a Ping", []*wire.Frame{ping("there?")}, []Event{ponged("there?")}},
		{"a text message and a Ping", []*wire.Frame{text("cable"), ping("there?")}, []Event{echoed("cable"), ponged("there?")}},
		{"a Pong", []*wire.Frame{pong("")}, nil},
	} {
		for _, b := range bad {
			list = append(list, inText("after "+o.what+": it "+b.what, o.frames, o.events, whole(b.s)...),
				inText("after "+o.what+", in fragments: it "+b.what, o.frames, o.events, parts(b.s)...))
		}
	}
	for _, b := range bad {
		frames := parts(b.s)
		c := badPart("a Ping after its first fragment: it "+b.what, only1007, []Event{ponged("x")}, send(frames[0], ping("x")), await(1), send(frames[1:]...))
		c.Expect = append(c.Expect, ok()) // the first fragment may be bad already
		list = append(list, c)
	}
	return list
}

// prose is n bytes of ASCII that do not soon repeat.
func prose(n int) []byte {
	b := make([]byte, 0, n+24)
	for i := int64(0); len(b) < n; i++ {
		b = append(strconv.AppendInt(b, i*i, 16), " knots, "...)
	}
	return b[:n]
}

// longText is U2: where checks that cover only the first bytes end.
func longText() []*Case {
	s := series{prefix: "U2"}
	const rule = "The connection is failed with 1007 (or with 1009, where it is more than the testee takes), or TCP is closed."
	add := func(how string, packed bool, fragment int) {
		c := s.many("Text of a power of two of bytes, from 1 KiB to 1 MiB, one byte less and one more, and then two bytes for a slash, or a cut code point; "+how+".", rule, ruleUTF8, func() (list []*Case) {
			for k := 10; k <= 20; k++ {
				for _, n := range []int{1<<k - 1, 1 << k, 1<<k + 1} {
					for i, tail := range []string{"\xc0\xaf, and on it goes", "\xe2\x82"} {
						if i == 1 && n != 1<<k {
							continue
						}
						part := badPart(fmt.Sprintf("%d good bytes, then %x", n, tail), []int{1007, 1009}, nil)
						part.make = func(uint64) *Case {
							made := *part
							p, bits := append(prose(n), tail...), byte(0)
							if packed {
								var d deflate.Deflater
								d.Bits, bits = 15, wire.RSV1
								p = bytes.Clone(d.Deflate(p))
							}
							made.Script = []Step{send(fragments(wire.Text, bits, p, fragment)...), killAfter(5 * time.Second)}
							return &made
						}
						if packed {
							part.Deflate = plainDeflate()
						}
						part.quiet = true
						list = append(list, part)
					}
				}
			}
			return list
		})
		if packed {
			c.Deflate = plainDeflate()
		}
		c.heavy = true
	}
	add("in one frame", false, 0)
	add("in fragments of 1,000 bytes", false, 1000)
	add("compressed", true, 0)
	add("compressed, in fragments of 1,000 bytes", true, 1000)
	return s.list
}

// offsets are where checks of 16, 32, 64 or 128 bytes at once may miss something.
const offsets = 137

// textOffsets is U3.
func textOffsets() []*Case {
	s := series{prefix: "U3"}
	everywhere := func(kinds []badText, tail int, frames func(p []byte) []*wire.Frame) func() []*Case {
		return func() (list []*Case) {
			for at := range offsets {
				for _, b := range kinds {
					p := append(append(prose(at), b.s...), prose(tail)...)
					list = append(list, badPart(fmt.Sprintf("%s at byte %d", b.what, at), only1007, nil, send(frames(p)...)))
				}
			}
			return list
		}
	}
	packed := func(list func() []*Case) func() []*Case {
		return func() []*Case { return compressedParts(list()) }
	}
	whole := func(p []byte) []*wire.Frame { return []*wire.Frame{frame(wire.Text, p)} }
	deflated := func(p []byte) []*wire.Frame { return []*wire.Frame{compressed(wire.Text, squeezed(string(p)))} }
	second := func(p []byte) []*wire.Frame {
		return []*wire.Frame{text("seven b", noFin), frame(wire.Continuation, p)}
	}
	few := []badText{broken[0], broken[1], broken[3], broken[5], broken[6]}
	s.many("Text with each kind of bytes that are not UTF-8 at every offset from 0 to 136.", refused1007, ruleUTF8, everywhere(broken, 50, whole))
	s.many("Text that ends inside a code point, after every number of bytes from 0 to 136.", refused1007, ruleUTF8, everywhere(cutOff, 0, whole))
	s.many("Bytes that are not UTF-8 at every offset of a second fragment.", refused1007, ruleUTF8, everywhere(few, 50, second))
	s.many("Bytes that are not UTF-8 at every offset of compressed text.", refused1007, ruleUTF8, packed(everywhere(few, 50, deflated))).Deflate = plainDeflate()
	s.many("Compressed text that ends inside a code point, after every number of bytes.", refused1007, ruleUTF8, packed(everywhere(cutOff[2:], 0, deflated))).Deflate = plainDeflate()
	var messages []string
	for at := range offsets {
		for _, good := range []string{"é", "€", "\uFFFF", "\U00010348", "\U0010FFFF"} {
			messages = append(messages, string(prose(at))+good+"and on", string(prose(at))+good)
		}
	}
	for _, f := range []func([]byte) []*wire.Frame{whole, second, deflated} {
		var frames []*wire.Frame
		var events []Event
		for _, m := range messages {
			list := f([]byte(m))
			if frames = append(frames, list...); len(list) > 1 {
				m = "seven b" + m
			}
			events = append(events, echoed(m))
		}
		title := "Code points of two, three and four bytes at every offset from 0 to 136."
		if len(s.list) == 6 {
			title = "The same in a second fragment."
		}
		c := s.echo(title, ruleEcho, events, inBatches(frames, 40)...)
		c.Script[len(c.Script)-1] = killAfter(10 * time.Second)
		if c.quiet = true; len(s.list) == 8 {
			c.Title, c.Deflate = "The same in compressed text.", plainDeflate()
		}
	}
	return s.list
}

// inBatches sends messages in batches of the given size, and waits for each batch to
// come back.
func inBatches(frames []*wire.Frame, n int) (script []Step) {
	messages, from := 0, 0
	for i, f := range frames {
		if f.Fin && f.Opcode < wire.Close {
			messages++
		}
		if f.Fin && messages%n == 0 || i == len(frames)-1 {
			script = append(script, send(frames[from:i+1]...), await(messages))
			from = i + 1
		}
	}
	return script
}

// textInParts is U4.
func textInParts() []*Case {
	s := series{prefix: "U4"}
	between := []struct {
		what   string
		frames []*wire.Frame
		events []Event
	}{
		{"", nil, nil},
		{", with a Ping between", []*wire.Frame{ping("x")}, []Event{ponged("x")}},
		{", with an empty fragment between", []*wire.Frame{more("", noFin)}, nil},
	}
	split := func() (list []*Case) {
		for _, b := range append(broken, cutOff...) {
			for at := 1; at < len(b.s); at++ {
				for _, m := range between {
					one, two := "cable"+b.s[:at], b.s[at:]
					frames := append([]*wire.Frame{text(one, noFin)}, m.frames...)
					list = append(list, badPart(fmt.Sprintf("%s, split after %d bytes%s", b.what, at, m.what), only1007, nil))
					last := list[len(list)-1]
					last.Script = []Step{send(frames...), await(len(m.events)), send(more(two)), killAfter(time.Second)}
					// Where the first fragment is bad already, its Ping may be too late.
					last.Expect = []Outcome{ok(m.events...), ok()}
				}
			}
		}
		for _, b := range cutOff {
			list = append(list,
				badPart(b.what+" at the end of the first fragment of two", only1007, nil, send(text("cable"+b.s, noFin), more("chain"))),
				badPart(b.what+" at the end, and an empty last fragment", only1007, nil, send(text("cable"+b.s, noFin), more(""))),
				badPart(b.what+" at the end of the second fragment of three", only1007, nil, send(text("cable", noFin), more("chain"+b.s, noFin), more("rope"))))
		}
		return list
	}
	s.many("Bytes that are not UTF-8, split between two fragments at each of them, with a Ping and with an empty fragment between.", refused1007, ruleUTF8, func() []*Case { return split() })
	s.many("Bytes that are not UTF-8 in a frame that arrives in two parts, split at each of them.", refused1007, ruleUTF8, func() (list []*Case) {
		for _, b := range broken {
			for at := 1; at < len(b.s); at++ {
				f := text("cable" + b.s + "chain")
				list = append(list, badPart(fmt.Sprintf("%s, split after %d bytes", b.what, at), only1007, nil,
					piece(f, 0, 5+at), Step{do: actWait, delay: 5 * time.Millisecond, forced: true}, piece(f, 5+at, len(f.Payload))))
			}
		}
		return list
	})
	return s.list
}
