package autobahn

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/autobahn/internal/deflate"
	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

const extension = "permessage-deflate"

// Deflate is how a case negotiates permessage-deflate (RFC 7692 §7.1).
type Deflate struct {
	// Offers is what the tester offers as a client, in order of preference.
	Offers []Params
	// Takes is what the tester asks for as a server, in order of preference.
	Takes []Take
	// strict fails a case whose answer does not accept an offer as RFC 7692 says.
	strict bool
	// declined: the peer must not agree.
	declined bool
	// takeover: the case needs context takeover on our side.
	takeover bool
	// raw, if set, is the offer, or the answer, as it is.
	raw string
	// limit is the maximum size in bytes that a message may inflate to. 0: 64 MiB.
	limit int
}

// Params are the extension's parameters in an offer or in an answer.
type Params struct {
	ServerNoTakeover bool
	ClientNoTakeover bool
	ServerBits       int // 0: absent
	ClientBits       int // 0: absent; anyBits: present without a value
}

// anyBits is client_max_window_bits without a value.
const anyBits = -1

// Take is what the tester, as a server, asks of the client.
type Take struct {
	NoTakeover bool
	Bits       int // 0: not asked for
}

func (p Params) String() string {
	b := extension
	if p.ServerNoTakeover {
		b += "; server_no_context_takeover"
	}
	if p.ServerBits != 0 {
		b += "; server_max_window_bits=" + strconv.Itoa(p.ServerBits)
	}
	if p.ClientNoTakeover {
		b += "; client_no_context_takeover"
	}
	switch p.ClientBits {
	case 0:
	case anyBits:
		b += "; client_max_window_bits"
	default:
		b += "; client_max_window_bits=" + strconv.Itoa(p.ClientBits)
	}
	return b
}

// windowBits are the values of RFC 7692 §7.1.2 for 8 to 15: "a decimal integer value
// without leading zeroes".
var windowBits = []string{"8", "9", "10", "11", "12", "13", "14", "15"}

// parseParams reads the parameters of one extension element (RFC 7692 §7.1).
func parseParams(e wire.Extension, offer bool) (p Params, err error) {
	seen := map[string]bool{}
	for _, q := range e.Params {
		if seen[q.Name] {
			return p, fmt.Errorf("the parameter %s twice", q.Name)
		}
		seen[q.Name] = true
		switch q.Name {
		case "server_no_context_takeover", "client_no_context_takeover":
			if q.HasValue {
				return p, fmt.Errorf("%s with the value %q", q.Name, q.Value)
			}
			if q.Name[0] == 's' {
				p.ServerNoTakeover = true
			} else {
				p.ClientNoTakeover = true
			}
		case "server_max_window_bits", "client_max_window_bits":
			n := slices.Index(windowBits, q.Value) + 8
			if !q.HasValue && offer && q.Name[0] == 'c' {
				n = anyBits
			} else if n < 8 {
				return p, fmt.Errorf("%s=%q", q.Name, q.Value)
			}
			if q.Name[0] == 's' {
				p.ServerBits = n
			} else {
				p.ClientBits = n
			}
		default:
			return p, fmt.Errorf("the unknown parameter %q", q.Name)
		}
	}
	return p, nil
}

// Agreement holds the parameters of permessage-deflate that both sides agreed on.
type Agreement struct {
	Params
	in  *deflate.Inflater
	out *deflate.Deflater
}

func newAgreement(p Params, client bool) *Agreement {
	bits := func(n int) int {
		if n <= 0 {
			return 15
		}
		return n
	}
	a := &Agreement{Params: p}
	if client {
		a.in = &deflate.Inflater{Bits: bits(p.ServerBits), NoTakeover: p.ServerNoTakeover}
		a.out = &deflate.Deflater{Bits: bits(p.ClientBits), NoTakeover: p.ClientNoTakeover}
	} else {
		a.in = &deflate.Inflater{Bits: bits(p.ClientBits), NoTakeover: p.ClientNoTakeover}
		a.out = &deflate.Deflater{Bits: bits(p.ServerBits), NoTakeover: p.ServerNoTakeover}
	}
	return a
}

// conforms reports what is wrong with answer as the acceptance of one of the
// offers; "" for nothing (RFC 7692 §7.1.1.1, §7.1.2.1).
func conforms(answer Params, offers []Params) string {
	wrong := "nothing was offered"
	for _, o := range offers {
		switch {
		case o.ServerNoTakeover && !answer.ServerNoTakeover:
			wrong = "the answer leaves out server_no_context_takeover"
		case o.ServerBits != 0 && o.ServerBits != 15 && answer.ServerBits == 0: // without it, it is 15
			wrong = "the answer leaves out server_max_window_bits"
		case o.ServerBits != 0 && answer.ServerBits > o.ServerBits:
			wrong = fmt.Sprintf("the answer has server_max_window_bits=%d, larger than the %d offered", answer.ServerBits, o.ServerBits)
		case o.ClientBits == 0 && answer.ClientBits != 0:
			wrong = "the answer has client_max_window_bits, which was not offered"
		case o.ClientBits > 0 && answer.ClientBits > o.ClientBits:
			wrong = fmt.Sprintf("the answer has client_max_window_bits=%d, larger than the %d offered", answer.ClientBits, o.ClientBits)
		default:
			return ""
		}
	}
	return wrong
}

// accept chooses, as a server, among the client's offers.
func (d *Deflate) accept(offers []Params) (Params, bool) {
	for _, t := range d.Takes {
		for _, o := range offers {
			if t.Bits != 0 && o.ClientBits == 0 {
				continue
			}
			bits := t.Bits
			if o.ClientBits > 0 {
				bits = min(bits, o.ClientBits)
			}
			return Params{ServerNoTakeover: o.ServerNoTakeover, ServerBits: o.ServerBits, ClientNoTakeover: t.NoTakeover, ClientBits: bits}, true
		}
	}
	return Params{}, false
}

func (d *Deflate) offer() string {
	if d.raw != "" {
		return d.raw
	}
	list := make([]string, len(d.Offers))
	for i, o := range d.Offers {
		list[i] = o.String()
	}
	return strings.Join(list, ", ")
}

// beginDeflate checks what was agreed on. It is false if the case is over.
func (s *session) beginDeflate() bool {
	a, d := s.negotiated, s.c.Deflate
	verdict, why := OK, ""
	switch {
	case a == nil && d.declined:
		return true
	case a == nil:
		verdict, why = Unimplemented, "permessage-deflate was not agreed on"
	case d.declined:
		verdict, why = Failed, "the server accepted an offer that it must decline"
	case s.client && (d.strict || s.c.window && !s.opt.OriginalGrading) && conforms(a.Params, d.Offers) != "":
		verdict, why = Failed, conforms(a.Params, d.Offers)
	case d.takeover && a.out.NoTakeover:
		verdict, why = Unimplemented, "the peer does not want our context to be taken over"
	}
	if verdict != OK {
		s.forced, s.result = verdict, why
		s.sendClose(1000, nil)
		return false
	}
	a.in.Limit = d.limit
	s.parser.MaxMessage = uint64(d.limit) // what comes back need not be compressed
	s.parser.Inflater = a.in
	return true
}
