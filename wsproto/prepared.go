package wsproto

import (
	"sync"

	"github.com/hawser-ws/hawser/frame"
)

// Prepared is a message that is encoded once and sent on many connections. It is
// immutable and safe for concurrent use. The slices that it returns are shared, and must
// not be written to.
type Prepared struct {
	op      frame.Opcode
	payload []byte // within raw
	raw     []byte // an unmasked, uncompressed frame: header and payload

	mu         sync.Mutex
	compressed *[maxWindowBits + 1][]byte // Guarded by mu. Frames by window bits; nil until one is needed.
}

// NewPrepared encodes one message with a copy of p. It panics if op is not Text or
// Binary. A Text payload must be UTF-8, which is not checked.
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

// Opcode returns the message's opcode: Text or Binary.
func (m *Prepared) Opcode() frame.Opcode { return m.op }

// Payload returns the message's payload, without a header and uncompressed. It is
// shared and must not be written to.
func (m *Prepared) Payload() []byte { return m.payload }

// deflated returns the message as a frame compressed with an empty window of the given
// bits, or the uncompressed frame if that is no longer. It is compressed only once.
func (m *Prepared) deflated(bits uint8) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.compressed == nil {
		m.compressed = new([maxWindowBits + 1][]byte)
	}
	if b := m.compressed[bits]; b != nil {
		return b
	}
	buf := newBuffer(len(m.payload)/2 + 64)
	defer buf.release()
	buf.b = appendDeflated(buf.b, m.payload, nil, bits, minLevel)
	b := m.raw
	if z := buf.b[:len(buf.b)-len(deflateTail)]; len(z) < len(m.payload) {
		h := frame.Header{Fin: true, RSV1: true, Opcode: m.op, Length: uint64(len(z))}
		b = append(h.Append(make([]byte, 0, frame.MaxHeaderSize+len(z))), z...)
	}
	m.compressed[bits] = b
	return b
}
