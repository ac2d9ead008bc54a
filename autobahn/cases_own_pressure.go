package autobahn

import (
	"fmt"
	"slices"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/deflate"
	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// distinct is n bytes that are not text and do not soon repeat.
func distinct(n int) []byte {
	p := prose(n)
	for i := range p {
		p[i] ^= 0xA5
	}
	return p
}

// pressure is B1: more than buffers hold, and a peer that does not read.
func pressure() []*Case {
	s := series{prefix: "B1"}
	// A peer may refuse more than it is willing to hold.
	refusable := Closing{EitherEnd: true, Codes: []int{1000, 1008, 1009}}
	pings := func(from, n int) (frames []*wire.Frame, events []Event) {
		for i := from; i < from+n; i++ {
			p := fmt.Sprint("ping ", i)
			frames, events = append(frames, ping(p)), append(events, ponged(p))
		}
		return frames, events
	}
	unread := func(title string, frames []*wire.Frame, events []Event) {
		c := s.add(&Case{Title: title, Rule: ruleFragAny, Expectation: "All comes back, frame by frame, once the tester reads; or the connection is failed with 1008 or 1009.",
			Script: []Step{mute(), send(frames...), {do: actWait, delay: 400 * time.Millisecond}, unmute(), await(len(events)), closeWith(1000), killAfter(20 * time.Second)},
			Expect: []Outcome{ok(events...), ok()}, Close: refusable})
		c.keepOpen, c.heavy, c.quiet, c.narrow = true, true, true, true
	}
	big := distinct(6 << 20)
	frames, events := pings(0, 50)
	unread("A binary message of 6 MiB and 50 Pings behind it, while the tester reads nothing.", append([]*wire.Frame{frame(wire.Binary, big)}, frames...), append([]Event{echoedBinary(big)}, events...))
	var mixed []*wire.Frame
	var back []Event
	for i := range 120 {
		p := append(fmt.Appendf(nil, "%d:", i), big[:64<<10]...)
		frames, events = pings(i, 1)
		mixed = append(append(mixed, frame(wire.Binary, p)), frames...)
		back = append(append(back, echoedBinary(p)), events...)
	}
	unread("120 binary messages of 64 KiB with a Ping behind each, while the tester reads nothing.", mixed, back)
	at := func(title string, rule *Rule, frames []*wire.Frame, events []Event) {
		c := s.echo(title, rule, events, send(frames...))
		c.Script[len(c.Script)-1] = killAfter(10 * time.Second)
		c.quiet = true
	}
	var messages []*wire.Frame
	var echoes []Event
	for i := range 1000 {
		m := fmt.Sprint("message ", i)
		messages, echoes = append(messages, text(m)), append(echoes, echoed(m))
	}
	at("1,000 text messages in one write.", ruleFragAny, messages, echoes)
	frames, events = pings(0, 1000)
	at("1,000 Pings in one write.", rulePongData, frames, events)
	var turns []*wire.Frame
	var both []Event
	for i := range 1000 {
		turns, both = append(turns, messages[i], frames[i]), append(both, echoes[i], events[i])
	}
	at("1,000 text messages, with a Ping behind each, in one write.", ruleInjected, turns, both)
	var empty []*wire.Frame
	var nothing []Event
	for range 1000 {
		empty, nothing = append(empty, frame(wire.Binary, nil)), append(nothing, echoedBinary(nil))
	}
	at("1,000 empty messages in one write.", ruleFragAny, empty, nothing)
	for _, c := range s.list {
		c.Suite = 2
	}
	return s.list
}

// sizes is B2: messages around every power of two, and headers across every boundary.
func sizes() []*Case {
	s := series{prefix: "B2"}
	around := func(from, to int) (list []int) {
		for k := from; k <= to; k++ {
			for _, n := range []int{1<<k - 1, 1 << k, 1<<k + 1} {
				if !slices.Contains(list, n) {
					list = append(list, n)
				}
			}
		}
		return list
	}
	add := func(title string, list []int, fragment int, packed bool) {
		c := s.add(&Case{Title: title, Expectation: "Each comes back as it was sent; then a clean close.", Rule: ruleEcho, Close: cleanClose, quiet: true, heavy: len(list) > 0 && list[len(list)-1] > 1<<17})
		if packed {
			c.Deflate = plainDeflate()
		}
		c.make = func(uint64) *Case {
			made := *c
			var events []Event
			for _, n := range list {
				for _, binary := range []bool{false, true} {
					op, p, bits := wire.Text, prose(n), byte(0)
					if binary {
						op, p = wire.Binary, distinct(n)
					}
					events = append(events, Event{Kind: MessageEvent, Binary: binary, Payload: p})
					if packed {
						d := deflate.Deflater{Bits: 15}
						p, bits = slices.Clone(d.Deflate(p)), wire.RSV1
					}
					made.Script = append(made.Script, send(fragments(op, bits, p, fragment)...), await(len(events)))
				}
			}
			made.Script = append(made.Script, killAfter(5*time.Second))
			made.Expect = []Outcome{ok(events...)}
			return &made
		}
	}
	add("Text and binary messages of every power of two of bytes up to 64 KiB, one less and one more.", around(0, 16), 0, false)
	add("Text and binary messages of every power of two of bytes from 128 KiB to 1 MiB, one less and one more.", around(17, 20), 0, false)
	add("The same up to 64 KiB in fragments of 1,000 bytes.", around(8, 16), 1000, false)
	add("The same up to 256 KiB, compressed, each by itself.", around(0, 18), 0, true)
	add("The same up to 64 KiB, compressed, in fragments of 100 bytes.", around(8, 16), 100, true)
	var script []Step
	var events []Event
	for k := 9; k <= 16; k++ {
		for over := -2; over <= 18; over++ {
			p := prose(1<<k - over)
			m := fmt.Sprintf("across 2^%d, %d", k, over)
			events = append(events, Event{Kind: MessageEvent, Payload: p}, echoed(m), echoed("and"))
			script = append(script, send(frame(wire.Text, p), text(m), text("and")), await(len(events)))
		}
	}
	c := s.echo("Three messages in one write, the first so long that the headers behind it lie across every power of two from 512 to 65,536.", ruleFragAny, events, script...)
	c.quiet = true
	for _, c := range s.list {
		c.Suite = 2
	}
	return s.list
}

// gluedMore is G3 (servers) and G4 (clients): more than a few bytes with the handshake.
func gluedMore() (list []*Case) {
	for i, role := range []Role{Server, Client} {
		s := series{prefix: fmt.Sprintf("G%d", i+3)}
		part := []string{"request", "answer"}[i]
		join := func(title string, frames []*wire.Frame, events []Event) {
			s.add(&Case{Title: title, Expectation: "All comes back, as if it had come later.", Rule: ruleOpenGlued, Testee: role, Suite: 2, quiet: true,
				Opening: gluedTo(frames, 0), Script: []Step{killAfter(5 * time.Second)}, Expect: []Outcome{ok(events...)}, Close: cleanClose})
		}
		for _, n := range []int{4000, 4096, 5000, 8192, 16384, 65535, 65536, 70000, 200000} {
			join(fmt.Sprintf("A message of %d bytes, and a short one, in the same write as the %s.", n, part),
				[]*wire.Frame{frame(wire.Binary, distinct(n)), text("and this")}, []Event{echoedBinary(distinct(n)), echoed("and this")})
		}
		var frames []*wire.Frame
		var events []Event
		for i := range 1000 {
			m := fmt.Sprintf("message %d, in the same write", i)
			frames, events = append(frames, text(m)), append(events, echoed(m))
		}
		join("1,000 messages in the same write as the "+part+".", frames[:1000], events)
		list = append(list, s.list...)
	}
	return list
}
