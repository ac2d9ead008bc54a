package fuzz

import (
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// settings are what one connection is made of.
type settings struct {
	Role      wsproto.Role
	Limit     int // Config.MaxMessage
	Fragments int // Config.MaxFragments
	Stream    bool
	Closing   bool             // our own Close has been sent
	Deflate   *wsproto.Deflate // nil: not agreed on
	From      int              // Config.CompressFrom
}

// happening is an event, its pieces put together.
type happening struct {
	Kind    wsproto.Kind
	Opcode  frame.Opcode
	Code    wsproto.CloseCode // of Closed and Failed
	Payload string
}

// reply is a frame that goes back. Of a failure's Close the reference knows the
// code only.
type reply struct {
	Opcode  byte
	Payload string
}

// outcome is what a stream comes to.
type outcome struct {
	Events  []happening
	Replies []reply
	Partial string // with Stream: what has arrived of a message without an end
	Ended   bool   // Closed or Failed
	At      int    // how many bytes had to arrive for that
}

// receiver reads a whole stream at once, the way RFC 6455 §5 and §7 tell it. What
// it comes to is what a Conn must come to however the stream was cut.
type receiver struct {
	settings
	outcome
	in []byte

	// The message that has begun.
	op        byte // 0: none
	deflated  bool
	fragments int
	message   []byte
	wire      int // payload bytes, as they came

	history []byte // what compressed messages said before, with context takeover
}

func (s settings) reference(in []byte) outcome {
	r := receiver{settings: s, in: in}
	for pos := 0; pos < len(in) && !r.Ended; {
		pos = r.frame(pos)
	}
	if s.Stream && !r.deflated && !r.Ended {
		r.Partial = string(r.message)
	}
	return r.outcome
}

// fail is _Fail the WebSocket Connection_, once so many bytes have arrived.
func (r *receiver) fail(code wsproto.CloseCode, at int) int {
	r.Events = append(r.Events, happening{Kind: wsproto.Failed, Code: code})
	if !r.Closing {
		r.Replies = append(r.Replies, reply{8, string([]byte{byte(code >> 8), byte(code)})})
	}
	r.Ended, r.At = true, at
	return len(r.in)
}

// frame reads the frame at pos as far as it has arrived, and returns where the
// next one starts.
func (r *receiver) frame(pos int) int {
	b := r.in[pos:]
	if len(b) < 2 {
		return len(r.in)
	}
	fin, rsv1, rsv23 := b[0]&0x80 != 0, b[0]&0x40 != 0, b[0]&0x30 != 0
	op, masked, short := b[0]&0xF, b[1]&0x80 != 0, int(b[1]&0x7F)
	control := op >= 8
	switch {
	case op > 2 && op < 8 || op > 10,
		control && (!fin || short > 125),
		rsv23,
		rsv1 && (r.Deflate == nil || op != 1 && op != 2),
		masked != (r.Role == wsproto.Server),
		op == 0 && r.op == 0,
		(op == 1 || op == 2) && r.op != 0:
		return r.fail(1002, pos+2)
	}
	length, head, bad := longLength(b, short)
	if bad {
		return r.fail(1002, pos+head)
	}
	var key [4]byte
	if masked && len(b) >= head+4 {
		head += copy(key[:], b[head:])
	} else if masked || len(b) < head {
		return len(r.in)
	}
	payload := b[head:]
	whole := uint64(len(payload)) >= length
	if whole {
		payload = payload[:length]
	}
	if control {
		if !whole {
			return len(r.in)
		}
		return r.control(op, xored(payload, key, 0), pos+head+len(payload))
	}
	return r.data(b[0], length, xored(payload, key, 0), pos+head)
}

// longLength is the payload's length, and the header's without its key. When bad,
// that is how many bytes show it; when more are missing, it is beyond the end.
func longLength(b []byte, short int) (length uint64, head int, bad bool) {
	switch short {
	case 126:
		head = 4
	case 127:
		head = 10
		if len(b) > 2 && b[2] >= 0x80 {
			return 0, 3, true
		}
	default:
		return uint64(short), 2, false
	}
	if len(b) < head {
		return 0, len(b) + 1, false
	}
	for _, c := range b[2:head] {
		length = length<<8 | uint64(c)
	}
	return length, head, length < 126 || head == 10 && length < 65536
}

// data takes what arrived of a data frame's payload, which starts at start.
func (r *receiver) data(first byte, length uint64, payload []byte, start int) int {
	if op := first & 0xF; op != 0 {
		r.op, r.deflated, r.fragments, r.message, r.wire = op, first&0x40 != 0, 0, nil, 0
	}
	limit := r.Limit
	if r.deflated {
		limit += limit/128 + 64
	}
	r.fragments++
	switch {
	case (!r.Stream || r.deflated) && length > uint64(limit-r.wire):
		return r.fail(1009, start)
	case r.Fragments > 0 && r.fragments > r.Fragments:
		return r.fail(1008, start)
	}
	before := len(r.message)
	r.message = append(r.message, payload...)
	r.wire += len(payload)
	end := start + len(payload)
	whole := uint64(len(payload)) == length
	done := whole && first&0x80 != 0
	bad, open := -1, false
	if r.op == 1 && !r.deflated {
		bad, open = decodeUTF8(r.message)
	}
	switch {
	case bad >= 0:
		return r.fail(1007, start+bad-before+1)
	case !done:
		return end
	case open:
		return r.fail(1007, end)
	case r.deflated:
		if code := r.inflate(); code != 0 {
			return r.fail(code, end)
		}
	}
	r.Events = append(r.Events, happening{Kind: wsproto.Message, Opcode: frame.Opcode(r.op), Payload: string(r.message)})
	r.op, r.deflated, r.message = 0, false, nil
	return end
}

// inflate puts what a compressed message says in place of what it is.
func (r *receiver) inflate() (code wsproto.CloseCode) {
	takeover, bits := r.incoming()
	plain, err := inflateMessage(r.message, r.history, 1<<15, r.Limit)
	switch {
	case err == errTooLong:
		return 1009
	case err != nil:
		return 1007
	case r.op == 1 && !isUTF8(plain):
		return 1007
	}
	r.message = plain
	if takeover {
		r.history = append(r.history, plain...)
		r.history = r.history[max(0, len(r.history)-1<<bits):]
	}
	return 0
}

// incoming is what was agreed on for the direction towards this end.
func (s settings) incoming() (takeover bool, bits uint8) {
	if s.Role == wsproto.Server {
		return !s.Deflate.ClientNoContextTakeover, s.Deflate.ClientMaxWindowBits
	}
	return !s.Deflate.ServerNoContextTakeover, s.Deflate.ServerMaxWindowBits
}

func (r *receiver) control(op byte, payload []byte, end int) int {
	switch op {
	case 9:
		r.Events = append(r.Events, happening{Kind: wsproto.Ping, Payload: string(payload)})
		if !r.Closing {
			r.Replies = append(r.Replies, reply{10, string(payload)})
		}
		return end
	case 10:
		r.Events = append(r.Events, happening{Kind: wsproto.Pong, Payload: string(payload)})
		return end
	}
	code, reason := 1005, ""
	switch {
	case len(payload) == 1:
		return r.fail(1002, end)
	case len(payload) > 1:
		code, reason = int(payload[0])*256+int(payload[1]), string(payload[2:])
		if !mayBeSent(code) {
			return r.fail(1002, end)
		}
		if !isUTF8(payload[2:]) {
			return r.fail(1007, end)
		}
	}
	r.Events = append(r.Events, happening{Kind: wsproto.Closed, Code: wsproto.CloseCode(code), Payload: reason})
	if !r.Closing {
		r.Replies = append(r.Replies, reply{8, string(payload[:min(len(payload), 2)])})
	}
	r.Ended, r.At = true, end
	return len(r.in)
}

// mayBeSent says which close codes a frame may carry: those that RFC 6455 §7.4.1 or
// the registry define for it, and §7.4.2's 3000 to 4999.
func mayBeSent(code int) bool {
	for _, c := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014} {
		if code == c {
			return true
		}
	}
	return 3000 <= code && code < 5000
}
