package autobahn

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// greek is a word of five letters in 11 bytes, one of three and four of two.
const greek = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"

// textGroup is one group of 6.5 to 6.23: byte strings, each valid or not.
type textGroup struct {
	what    string
	strings []string
}

// incomplete are sequences whose last byte is missing: two to six bytes long, the
// first five from the lowest first byte, the others from the highest.
var incomplete = []string{
	"\xc0", "\xe0\x80", "\xf0\x80\x80", "\xf8\x80\x80\x80", "\xfc\x80\x80\x80\x80",
	"\xdf", "\xef\xbf", "\xf7\xbf\xbf", "\xfb\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf",
}

// textGroups are the byte strings that decoders are known to get wrong.
func textGroups() []textGroup {
	var prefixes []string
	for i := 1; i <= len(greek); i++ {
		prefixes = append(prefixes, greek[:i])
	}
	lonely := func(from, to int) (s string) {
		for b := from; b < to; b++ {
			s += string([]byte{byte(b), ' '})
		}
		return s
	}
	var trailing []byte
	for b := 0x80; b < 0xBF; b++ {
		trailing = append(trailing, byte(b))
	}
	all := ""
	for _, s := range incomplete {
		all += s
	}
	// The last two code points of every plane are not characters, but valid.
	nonCharacters := []string{"\uFFFE", "\uFFFF"}
	for plane := rune(1); plane <= 16; plane++ {
		nonCharacters = append(nonCharacters, string(plane<<16|0xFFFE), string(plane<<16|0xFFFF))
	}
	return []textGroup{
		{"valid text", []string{"hello$world", "hello¢world", "hello€world", "hello\U00024B62world", greek}},
		{"every prefix of a valid text", prefixes},
		{"the first sequence of each length", []string{"\x00", "\u0080", "\u0800", "\U00010000"}},
		{"the first sequences of five and of six bytes", []string{"\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80"}},
		{"the last sequence of each length", []string{"\x7f", "\u07FF", "\uFFFF", "\U0010FFFF"}},
		{"the last sequences of four, five and six bytes", []string{"\xf7\xbf\xbf\xbf", "\xfb\xbf\xbf\xbf\xbf", "\xfd\xbf\xbf\xbf\xbf\xbf"}},
		{"what stands beside surrogates and at the end", []string{"\uD7FF", "\uE000", "\uFFFD", "\U0010FFFF", "\xf4\x90\x80\x80"}},
		{"continuation bytes without a first one", []string{"\x80", "\xbf", "\x80\xbf", "\x80\xbf\x80", "\x80\xbf\x80\xbf", "\x80\xbf\x80\xbf\x80", "\x80\xbf\x80\xbf\x80\xbf", string(trailing)}},
		{"first bytes without continuation", []string{lonely(0xC0, 0xDF), lonely(0xE0, 0xEF), lonely(0xF0, 0xF7), lonely(0xF8, 0xFB), lonely(0xFC, 0xFD)}},
		{"sequences without their last byte", incomplete},
		{"such sequences one after the other", []string{all}},
		{"bytes that never occur", []string{"\xfe", "\xff", "\xfe\xfe\xff\xff"}},
		{"a slash in more bytes than it needs", []string{"\xc0\xaf", "\xe0\x80\xaf", "\xf0\x80\x80\xaf", "\xf8\x80\x80\x80\xaf", "\xfc\x80\x80\x80\x80\xaf"}},
		{"the highest code points in more bytes than they need", []string{"\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf8\x87\xbf\xbf\xbf", "\xfc\x83\xbf\xbf\xbf\xbf"}},
		{"NUL in more bytes than it needs", []string{"\xc0\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xf8\x80\x80\x80\x80", "\xfc\x80\x80\x80\x80\x80"}},
		{"single surrogates", []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf", "\xed\xb0\x80", "\xed\xbe\x80", "\xed\xbf\xbf"}},
		{"pairs of surrogates", surrogatePairs()},
		{"code points that are not characters, but valid", nonCharacters},
		{"special characters", []string{"\uFFF9", "\uFFFA", "\uFFFB", "\uFFFC", "\uFFFD", "\uFFFE", "\uFFFF"}},
	}
}

func surrogatePairs() (list []string) {
	for _, high := range []string{"\xed\xa0\x80", "\xed\xad\xbf", "\xed\xae\x80", "\xed\xaf\xbf"} {
		for _, low := range []string{"\xed\xb0\x80", "\xed\xbf\xbf"} {
			list = append(list, high+low)
		}
	}
	return list
}

const failed1007 = "The connection is failed with 1007."

// utf8Cases is 6.*.
func utf8Cases() (list []*Case) {
	good := func(id, title, message string, last Step, frames ...*wire.Frame) {
		list = append(list, &Case{ID: id, Title: title, Expectation: echoWanted, Rule: ruleEcho,
			Script: []Step{send(frames...), last}, Expect: []Outcome{ok(echoed(message))}, Close: cleanClose})
	}
	bad := func(id, title string, last Step, frames ...*wire.Frame) {
		list = append(list, &Case{ID: id, Title: title, Expectation: failed1007, Rule: ruleUTF8,
			Script: []Step{send(frames...), last}, Expect: []Outcome{ok()}, Close: badPayload})
	}
	second, half := closeAfter(time.Second), killAfter(time.Second/2)
	good("6.1.1", "An empty text message.", "", second, text(""))
	good("6.1.2", "An empty text message in three empty fragments.", "", second, text("", noFin), more("", noFin), more(""))
	good("6.1.3", "A text message in three fragments, the first and the last empty.", "in the middle", second,
		text("", noFin), more("in the middle", noFin), more(""))
	hello := "Grüße aus dem Hafen – żółw"
	good("6.2.1", "A text message beyond ASCII.", hello, second, text(hello))
	good("6.2.2", "The same in two fragments, split between code points.", hello, second, text(hello[:7], noFin), more(hello[7:]))
	good("6.2.3", "The same in fragments of one byte.", hello, second, fragments(wire.Text, 0, []byte(hello), 1)...)
	good("6.2.4", "A Greek word in fragments of one byte.", greek, second, fragments(wire.Text, 0, []byte(greek), 1)...)
	surrogate := greek + "\xed\xa0\x80edited"
	bad("6.3.1", "A text message with a surrogate, in one frame.", killAfter(time.Second), text(surrogate))
	bad("6.3.2", "The same in fragments of one byte.", killAfter(time.Second), fragments(wire.Text, 0, []byte(surrogate), 1)...)
	list = append(list, failFast()...)
	for g, group := range textGroups() {
		for i, s := range group.strings {
			id := fmt.Sprintf("6.%d.%d", g+5, i+1)
			if title := fmt.Sprintf("A text message: %s (%x).", group.what, s); utf8.ValidString(s) {
				good(id, title, s, half, text(s))
			} else {
				bad(id, title, half, text(s))
			}
		}
	}
	return list
}

// failFast is 6.4.*: invalid text that arrives in three parts a second apart.
func failFast() (list []*Case) {
	whole := greek + "\xf4\x90\x80\x80edited"
	cuts := []struct {
		at1, at2 int
		what     string
	}{
		{len(greek), len(greek) + 4, "the second of which is a code point beyond the last"},
		{len(greek) + 1, len(greek) + 2, "the second of which is the one byte that makes it invalid"},
	}
	for i, inFrames := range []bool{true, true, false, false} {
		cut := cuts[i%2]
		c := &Case{ID: fmt.Sprintf("6.4.%d", i+1), Rule: ruleUTF8,
			Expectation: "The connection is failed with 1007 before the third part is sent. Failing it then is NON-STRICT.",
			Expect:      []Outcome{ok(timedOut("first")), lax(timedOut("first"), timedOut("second"))}, Close: badPayload}
		var parts [3]Step
		if inFrames {
			c.Title = "Invalid text in three fragments a second apart, " + cut.what + "."
			parts[0] = send(text(whole[:cut.at1], noFin))
			parts[1] = send(more(whole[cut.at1:cut.at2], noFin))
			parts[2] = send(more(whole[cut.at2:]))
		} else {
			c.Title = "Invalid text in one frame, written in three parts a second apart, " + cut.what + "."
			f := text(whole, noFin)
			parts[0] = piece(f, 0, cut.at1)
			parts[1] = piece(f, cut.at1, cut.at2)
			parts[2] = piece(f, cut.at2, len(whole))
		}
		c.Script = []Step{parts[0], wait(time.Second, "first"), parts[1], wait(time.Second, "second"), parts[2]}
		if !inFrames {
			c.Script = append(c.Script, send(more("")))
		}
		c.Script = append(c.Script, killAfter(time.Second))
		list = append(list, c)
	}
	return list
}
