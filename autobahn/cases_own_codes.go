package autobahn

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// everyCode is K5: each close code from 0 to 4999, on a connection of its own.
func everyCode() []*Case {
	s := series{prefix: "K5"}
	valid := func(code int) bool { return validCode(code) || registered(code) }
	s.many("A Close with each code that may be sent: 1000 to 1003, 1007 to 1014 and 3000 to 4999.", "A clean close with 1000, or the same code.", ruleCodes, func() (list []*Case) {
		for code := range 5000 {
			if valid(code) {
				list = append(list, &Case{Title: fmt.Sprint("the code ", code), Script: []Step{closeWith(code), killAfter(time.Second)}, Expect: []Outcome{ok()},
					Close: Closing{ByTester: true, Codes: []int{1000, code}, Clean: true}, keepOpen: true, wrongCodeFatal: true})
			}
		}
		return list
	})
	s.many("A Close with each code up to 2999 that may not be sent.", refused1002, ruleCodes, func() (list []*Case) {
		for code := range 3000 {
			if !valid(code) {
				list = append(list, &Case{Title: fmt.Sprint("the code ", code), Script: []Step{closeWith(code), killAfter(time.Second)}, Expect: []Outcome{ok()},
					Close: closeRefused(1002), keepOpen: true, wrongCodeFatal: true})
			}
		}
		return list
	})
	return s.list
}

// maskingKeys is M7: what a client masks with, for every kind of frame.
func maskingKeys() []*Case {
	s := series{prefix: "M7"}
	var frames []*wire.Frame
	var events []Event
	for i := range 64 {
		p := fmt.Sprint("ping ", i)
		frames = append(frames, text("again"), frame(wire.Binary, []byte("again")), ping(p))
		events = append(events, echoed("again"), echoedBinary([]byte("again")), ponged(p))
	}
	c := s.echo("64 equal text messages, 64 equal binary ones and 64 Pings: the masking keys of what comes back must be unpredictable.", ruleMaskKey, events, send(frames...))
	c.inspect = func(s *session) string {
		by := map[byte][]sentKey{}
		for _, k := range s.keys {
			by[k.opcode] = append(by[k.opcode], k)
		}
		for _, op := range []byte{wire.Text, wire.Binary, wire.Pong} {
			if wrong := weakKeys(by[op]); wrong != "" {
				return opcodeName(op) + " frames: " + wrong
			}
		}
		return weakKeys(s.keys)
	}
	s.many("A Close on sixteen connections: the masking keys of the answers must be unpredictable.", "Each is answered; the keys differ.", ruleMaskKey, func() (list []*Case) {
		for i := range 16 {
			list = append(list, &Case{Title: fmt.Sprintf("Close %d", i+1), Script: []Step{closeWith(1000), killAfter(time.Second)}, Expect: []Outcome{ok()}, Close: cleanClose, keepOpen: true})
		}
		return list
	}).across = func(parts []*Result) string {
		var keys []sentKey
		for _, r := range parts {
			for _, k := range r.keys {
				if k.opcode == wire.Close {
					keys = append(keys, k)
				}
			}
		}
		return weakKeys(keys)
	}
	for _, c := range s.list {
		c.Testee, c.Suite = Client, 2
	}
	return s.list
}

// weakKeys says what makes masking keys predictable; "" for nothing. The chance that
// random keys look predictable is less than one in a hundred thousand.
func weakKeys(keys []sentKey) string {
	if len(keys) < 4 {
		return ""
	}
	seen := map[[4]byte]int{}
	var ones, zeros uint32
	constant, first := 0, [4]byte{}
	steps := [2]map[uint32]bool{{}, {}}
	small := [2]int{}
	var last [2]uint32
	for i, k := range keys {
		if seen[k.key]++; seen[k.key] > 1 {
			if len(seen) == 1 {
				return fmt.Sprintf("every frame has the masking key %x", k.key)
			}
			return fmt.Sprintf("the masking key %x is used more than once in %d frames", k.key, i+1)
		}
		if k.key[0] == k.key[1] && k.key[1] == k.key[2] && k.key[2] == k.key[3] {
			if constant++; constant > 1 {
				return fmt.Sprintf("masking keys of four equal bytes: %x and %x", first, k.key)
			}
			first = k.key
		}
		number := [2]uint32{binary.BigEndian.Uint32(k.key[:]), binary.LittleEndian.Uint32(k.key[:])}
		ones, zeros = ones|number[0], zeros|^number[0]
		for o := range number {
			if i > 0 {
				step := number[o] - last[o]
				if steps[o][step] = true; step < 1<<16 || -step < 1<<16 {
					small[o]++
				}
			}
			last[o] = number[o]
		}
	}
	switch n := len(keys) - 1; {
	case len(steps[0]) == 1 || len(steps[1]) == 1 || n >= 4 && (small[0] == n || small[1] == n):
		return "the masking keys can be foreseen: each is so much more than the one before"
	case n >= 40 && ones&zeros != 1<<32-1:
		return fmt.Sprintf("some bits of the masking keys never change (%032b)", ones&zeros)
	}
	return ""
}

// afterClose is P2: what follows a Close, and how TCP ends.
func afterClose() []*Case {
	s := series{prefix: "P2"}
	for _, c := range []struct {
		title  string
		end    Closing
		events []Event
		script []Step
	}{
		{"A Close.", cleanClose, nil, []Step{closeWith(1000)}},
		{"A Close without a code.", cleanClose, nil, []Step{closeWith(-1)}},
		{"A text message and, when it is back, a Close.", cleanClose, []Event{echoed("and out")}, []Step{send(text("and out")), await(1), closeWith(1000)}},
		{"A Ping and, when the Pong is there, a Close.", cleanClose, []Event{ponged("and out")}, []Step{send(ping("and out")), await(1), closeWith(1000)}},
		{"A reserved opcode: the testee closes first.", Closing{Codes: only1002}, nil, []Step{send(frame(3, nil))}},
	} {
		k := s.add(&Case{Title: c.title + " The tester listens until TCP ends.", Rule: ruleNothingMore, Suite: 2,
			Expectation: "One Close, nothing behind it, and an ordinary end of TCP. A data frame behind the Close is FAILED; another control frame, or a reset, is NON-STRICT.",
			Script:      append(c.script, killAfter(3*time.Second)), Expect: []Outcome{ok(c.events...)}, Close: c.end})
		k.keepOpen, k.linger = true, true
		k.inspect = func(s *session) string {
			for _, op := range s.late {
				if op < wire.Close {
					return fmt.Sprintf("a %s frame came behind the Close", opcodeName(op))
				}
			}
			return ""
		}
		k.remark = func(s *session) string {
			if len(s.late) > 0 {
				return fmt.Sprintf("a %s frame came behind the Close", opcodeName(s.late[0]))
			}
			if s.reset {
				return "TCP ended with a reset, not in order"
			}
			return ""
		}
	}
	return s.list
}
