package autobahn

import (
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"strings"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// explainKey is the masking key in explanations; in a run, keys are random.
var explainKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// Explain writes what a case sends, with the bytes, what it expects and the
// sentence that it tests. opt determines what a random case is.
func Explain(w io.Writer, c *Case, opt *Options) {
	fmt.Fprintf(w, "%s  tests a %s\n\n", c.ID, c.Testee)
	played := c
	if c.make != nil {
		played = c.make(opt.random(c).Uint64())
	}
	e := &explainer{w: w, c: played, opt: opt}
	e.wrapped("Sent", c.Title)
	e.wrapped("Expected", c.Expectation)
	if c.Rule != nil {
		e.wrapped(c.Rule.Ref, c.Rule.Text)
	}
	if c.random {
		fmt.Fprintf(w, "\nThis is what it sends with --seed %d.\n", opt.Seed)
	}
	if c.parts != nil {
		e.parts()
		return
	}
	e.opening()
	e.deflate()
	e.script()
	e.loop()
	e.outcomes()
}

// Part is the part of a case with an id such as "K5.1/17", or the case itself if the id
// is the case's; nil for neither.
func Part(cases []*Case, id string) *Case {
	name, _, _ := strings.Cut(id, "/")
	c := Find(cases, name)
	if c == nil || name == id {
		return c
	}
	if c.parts != nil {
		return Find(c.parts(), id)
	}
	return nil
}

// parts lists some of a case's parts, each of which can be explained by its own id.
func (e *explainer) parts() {
	const shown = 12
	list := e.c.parts()
	fmt.Fprintf(e.w, "\nIt has %d parts, each on %s:\n", len(list), e.c.where())
	for i, p := range list {
		if i == shown {
			fmt.Fprintf(e.w, "    and so on to %s\n", list[len(list)-1].ID)
			break
		}
		fmt.Fprintf(e.w, "    %-10s %s\n", p.ID, p.Title)
	}
}

type explainer struct {
	w   io.Writer
	c   *Case
	opt *Options
}

// wrapped writes a labelled paragraph of at most 78 columns.
func (e *explainer) wrapped(label, s string) {
	line := label + ":"
	for word := range strings.FieldsSeq(s) {
		if len(line)+1+len(word) > 78 {
			fmt.Fprintln(e.w, line)
			line = "   "
		}
		line += " " + word
	}
	fmt.Fprintln(e.w, line)
}

func (e *explainer) opening() {
	o := e.c.Opening
	if o == nil {
		return
	}
	s := &session{c: e.c, opt: e.opt, client: true, rng: rand.New(rand.NewPCG(1, 2)), log: &WireLog{}}
	if o.Request != nil {
		fmt.Fprintf(e.w, "\nOpening handshake:\n%s", quoted(s.request(&Target{url: &url.URL{Host: "server.example", Path: "/"}}).Bytes()))
	}
	if o.Response != nil {
		s.client = false
		h := &wire.Head{Fields: []wire.Field{{Name: "Sec-WebSocket-Key", Value: s.newKey()}}}
		fmt.Fprintf(e.w, "\nAnswer to the opening handshake:\n%s", quoted(s.response(h).Bytes()))
	}
	if len(o.Glue) > 0 {
		fmt.Fprintln(e.w, "\nIn the same write:")
		for _, f := range o.Glue {
			e.frame(f)
		}
	}
}

// quoted is text with its lines kept, and unprintable characters escaped.
func quoted(p []byte) string {
	var b strings.Builder
	for line := range strings.SplitAfterSeq(string(p), "\n") {
		if line != "" {
			q := fmt.Sprintf("%q", line)
			b.WriteString("    " + q[1:len(q)-1] + "\n")
		}
	}
	return b.String()
}

func (e *explainer) deflate() {
	d := e.c.Deflate
	if d == nil {
		return
	}
	if e.c.Testee&Server != 0 {
		fmt.Fprintf(e.w, "\nOffered to a server: %s\n", d.offer())
	}
	if e.c.Testee&Client != 0 && len(d.Takes) > 0 {
		fmt.Fprintln(e.w, "\nAsked of a client, in order of preference:")
		for _, t := range d.Takes {
			fmt.Fprintf(e.w, "    %s\n", Params{ClientNoTakeover: t.NoTakeover, ClientBits: t.Bits})
		}
	}
}

func (e *explainer) script() {
	if len(e.c.Script) == 0 {
		return
	}
	fmt.Fprintln(e.w, "\nSteps:")
	for i := range e.c.Script {
		if i == 40 {
			fmt.Fprintf(e.w, "  and %d more\n", len(e.c.Script)-i)
			return
		}
		e.step(&e.c.Script[i])
	}
}

func (e *explainer) step(s *Step) {
	title := map[action]string{
		actSend: "send, in one write", actSync: "send, each frame in a write of its own", actChop: "send", actClose: "close",
		actHangUp: "close TCP", actHalfClose: "end our side of TCP", actMute: "read nothing for now", actUnmute: "read again",
	}[s.do]
	switch s.do {
	case actChop:
		if title = "send, in one write"; s.chop > 0 {
			title = fmt.Sprintf("send, in writes of %d bytes", s.chop)
		}
	case actPiece:
		title = fmt.Sprintf("send bytes %d to %d of the payload of", s.from, s.to)
	case actSplit:
		title = fmt.Sprintf("send in two writes, the first of %d bytes,", s.from)
	case actWait:
		title = fmt.Sprintf("wait %v", s.delay)
	case actAwait:
		title = fmt.Sprintf("wait until %d things have come back", s.events)
	case actStream:
		title = s.stream.what
	case actMeet:
		title = "wait for the other streams"
	case actKill:
		title = fmt.Sprintf("after %v at most, fail the connection", s.delay)
	case actFinish:
		title = fmt.Sprintf("after %v at most, close the connection", s.delay)
	}
	fmt.Fprintln(e.w, "  "+title)
	if s.do == actClose {
		e.frame(&wire.Frame{Fin: true, Opcode: wire.Close, Payload: wire.ClosePayload(s.code, s.reason)})
	}
	for i, f := range s.frames {
		if i == 8 {
			fmt.Fprintf(e.w, "    and %d more frames\n", len(s.frames)-i)
			return
		}
		e.frame(f)
	}
}

// frame writes a frame and its bytes, as each role would send it.
func (e *explainer) frame(f *wire.Frame) {
	fmt.Fprintln(e.w, "    "+describe(f))
	line := func(to string, client bool) {
		p := f.Append(nil, client, explainKey)
		more := ""
		if len(p) > 48 {
			more = fmt.Sprintf(" … %d in all", len(p))
			p = p[:48]
		}
		fmt.Fprintf(e.w, "      %s %s%s\n", to, hex.EncodeToString(p), more)
	}
	if e.c.Testee&Server != 0 {
		line("to a server:", true)
	}
	if e.c.Testee&Client != 0 {
		line("to a client:", false)
	}
}

func (e *explainer) loop() {
	l := e.c.Loop
	if l == nil {
		return
	}
	fmt.Fprintf(e.w, "\n%d times, each when the message before has come back:\n", l.Count)
	s := &session{c: e.c, opt: e.opt}
	p := (&loop{Loop: l}).message1(s)
	opcode, rsvBits := wire.Text, byte(0)
	if l.Binary {
		opcode = wire.Binary
	}
	if e.c.Deflate != nil {
		a := newAgreement(Params{}, true)
		p, rsvBits = a.out.Deflate(p), wire.RSV1
	}
	for i, f := range fragments(opcode, rsvBits, p, l.Fragment) {
		if i == 2 {
			fmt.Fprintln(e.w, "    and so on")
			break
		}
		e.frame(f)
	}
	if l.chop > 0 {
		fmt.Fprintf(e.w, "    in writes of %d bytes\n", l.chop)
	}
}

func (e *explainer) outcomes() {
	if len(e.c.Expect) > 0 {
		fmt.Fprintln(e.w, "\nVerdicts:")
	}
	for _, o := range e.c.Expect {
		fmt.Fprintf(e.w, "  %s: %s\n", o.Verdict, trace(o.Events))
	}
	c := &e.c.Close
	who := "the testee closes first"
	switch {
	case c.EitherEnd:
		who = "either side may close first"
	case c.ByTester:
		who = "the tester closes first"
	}
	if c.Clean {
		who += ", with the whole closing handshake"
	}
	if len(c.Codes) > 0 {
		who += fmt.Sprintf("; the testee's code is one of %v, or there is none", c.Codes)
	}
	fmt.Fprintf(e.w, "\nClose: %s.\n", who)
}

// trace is events in words.
func trace(events []Event) string {
	if len(events) == 0 {
		return "nothing comes back"
	}
	var parts []string
	for i, ev := range events {
		if i == 6 {
			parts = append(parts, fmt.Sprintf("and %d more", len(events)-i))
			break
		}
		switch ev.Kind {
		case MessageEvent:
			parts = append(parts, fmt.Sprintf("%s message of %d bytes %s", kind(ev.Binary), len(ev.Payload), printable(ev.Payload, 24)))
		case PongEvent:
			parts = append(parts, "Pong "+printable(ev.Payload, 24))
		case TimeoutEvent:
			parts = append(parts, "still open after the "+ev.Tag+" wait")
		}
	}
	return strings.Join(parts, ", ")
}
