package dialect

import (
	"bytes"
	"math"
)

// Kind says what a part of the server's output is.
type Kind uint8

const (
	Unknown  Kind = iota // not described by the file
	Expected             // the answer that ends the current step of the opening
	Delivery             // a published message; Payload is set
	Ping                 // the protocol's own, to be answered by Pong
	Refused              // the server reports an error
	Ignored              // to be ignored, by the file
)

// Part is one message of the server's, in terms of the dialect.
type Part struct {
	Kind    Kind
	Payload []byte // of a Delivery: what was published; nil if it is not where it should be
	Text    []byte // all of it
}

// match matches parts that contain a text, or are equal to one. The zero value matches
// nothing.
type match struct{ contains, equals []byte }

func (m match) in(p []byte) bool {
	return len(m.contains) > 0 && bytes.Contains(p, m.contains) || len(m.equals) > 0 && bytes.Equal(p, m.equals)
}

// Opening returns the steps from the first on, before the end, with which a connection
// opens: those that resume its session if it has one.
func (d *Dialect) Opening(v *Vars) (first, end int) {
	if v.Session != "" && d.begin < len(d.open) {
		return d.begin, len(d.open)
	}
	return 0, d.begin
}

// Over is, for Read, the step of a connection whose opening is over.
const Over = math.MaxInt

// Login is how many steps precede the first that is about rooms.
func (d *Dialect) Login() int {
	for i := range d.begin {
		if d.open[i].rooms {
			return i
		}
	}
	return d.begin
}

// ForRooms reports whether step i is said, and answered, once for each of a
// connection's rooms.
func (d *Dialect) ForRooms(i int) bool { return d.open[i].rooms }

// Step appends the message of step i, if it has one. waits reports whether an answer
// must be heard before the next step.
func (d *Dialect) Step(dst []byte, i int, v *Vars) (out []byte, waits bool) {
	v.ID++
	return d.open[i].send.append(dst, v, nil), len(d.open[i].expect.contains) > 0
}

// Expect returns the text that the answer in step i must contain.
func (d *Dialect) Expect(i int) string { return string(d.open[i].expect.contains) }

// Publish appends a message that publishes the payload.
func (d *Dialect) Publish(dst []byte, v *Vars, payload []byte) []byte {
	v.ID++
	return d.publish.append(dst, v, payload)
}

// Pong appends the answer to a ping.
func (d *Dialect) Pong(dst []byte, v *Vars) []byte { return d.pong.append(dst, v, nil) }

// Split splits off the first part of a message. more is false when nothing is left.
func (d *Dialect) Split(p []byte) (part, rest []byte, more bool) {
	if len(d.separator) == 0 {
		return p, nil, len(p) > 0
	}
	for len(p) > 0 {
		part, rest, _ = bytes.Cut(p, d.separator)
		if len(part) > 0 {
			return part, rest, true
		}
		p = rest
	}
	return nil, nil, false
}

// Read classifies a part. step is the step of the opening whose answer is awaited, or
// Over.
func (d *Dialect) Read(p []byte, step int) Part {
	switch {
	case step < len(d.open) && d.open[step].expect.in(p):
		return Part{Kind: Expected, Text: p}
	case d.ping.in(p):
		return Part{Kind: Ping, Text: p}
	case d.delivery.in(p):
		_, payload, found := bytes.Cut(p, d.delivery.after)
		if !found {
			return Part{Kind: Delivery, Text: p}
		}
		if len(d.delivery.before) > 0 {
			payload, _, _ = bytes.Cut(payload, d.delivery.before)
		}
		return Part{Kind: Delivery, Payload: payload, Text: p}
	}
	for _, m := range d.refused {
		if m.in(p) {
			return Part{Kind: Refused, Text: p}
		}
	}
	for _, m := range d.ignore {
		if m.in(p) {
			return Part{Kind: Ignored, Text: p}
		}
	}
	return Part{Text: p}
}
