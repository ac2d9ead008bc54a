package wsproto

import "github.com/hawser-ws/hawser/frame"

// Prepared is one message encoded once and sent to many connections. It is
// immutable and safe for concurrent use; whoever holds a slice of it must not
// write to it.
type Prepared struct {
	op      frame.Opcode
	payload []byte // within raw
	raw     []byte // an unmasked, uncompressed frame: header and payload
}

// NewPrepared encodes one message of p. It copies p. The opcode must be Text
// or Binary; a Text payload must be UTF-8, which is not checked.
func NewPrepared(op frame.Opcode, p []byte) *Prepared {
	if !op.IsData() {
		panic("wsproto: NewPrepared takes frame.Text or frame.Binary, not " + op.String())
	}
	raw := make([]byte, 0, frame.MaxHeaderSize+len(p))
	raw = frame.Header{Fin: true, Opcode: op, Length: uint64(len(p))}.Append(raw)
	n := len(raw)
	raw = append(raw, p...)
	return &Prepared{op: op, payload: raw[n:], raw: raw}
}

// Opcode is the message's opcode.
func (m *Prepared) Opcode() frame.Opcode { return m.op }

// Payload is the message as it was given, not framed. It is shared: read only.
func (m *Prepared) Payload() []byte { return m.payload }
