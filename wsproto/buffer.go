package wsproto

import (
	"math/bits"
	"sync"
)

// Message buffers have sizes that are powers of two, with one pool per size, so
// that a peer that sends one byte and waits holds 512 bytes and not a megabyte
// that another message needed.
const (
	minClass = 9  // 512 bytes
	maxClass = 20 // 1 MiB; larger ones are left to the garbage collector
)

var buffers [maxClass + 1]sync.Pool

// poison makes tests fail that read a buffer after it was released.
var poison = false

// buffer holds the pieces of one message until it is whole. A nil buffer is an
// empty one.
type buffer struct{ b []byte }

func (m *buffer) bytes() []byte {
	if m == nil {
		return nil
	}
	return m.b
}

// append adds p and returns the buffer to use from now on. Its capacity is at most
// twice what was really received, whatever length a header promised, but at least
// 512 bytes.
func (m *buffer) append(p []byte) *buffer {
	if len(p) == 0 {
		return m
	}
	if need := len(m.bytes()) + len(p); need > cap(m.bytes()) {
		m = m.reserve(need)
	}
	m.b = append(m.b, p...)
	return m
}

// reserve returns a buffer with m's content and a capacity of at least need bytes.
// It releases m.
func (m *buffer) reserve(need int) *buffer { return m.moveTo(newBuffer(need)) }

// grow is like reserve for twice as much as m holds, but for no more than limit
// bytes.
func (m *buffer) grow(limit int) *buffer {
	double := max(2*len(m.bytes()), 1<<minClass)
	if double > limit {
		return m.moveTo(&buffer{make([]byte, 0, limit)})
	}
	return m.reserve(double)
}

func (m *buffer) moveTo(larger *buffer) *buffer {
	larger.b = append(larger.b, m.bytes()...)
	m.release()
	return larger
}

func newBuffer(need int) *buffer {
	class := max(bits.Len(uint(need-1)), minClass)
	if class <= maxClass {
		if m, ok := buffers[class].Get().(*buffer); ok {
			return m
		}
	}
	return &buffer{make([]byte, 0, 1<<class)}
}

// release returns the buffer to its pool. It must not be used afterwards.
func (m *buffer) release() {
	if m == nil {
		return
	}
	if poison {
		b := m.b[:cap(m.b)]
		for i := range b {
			b[i] = 0xDB
		}
	}
	if class := bits.Len(uint(cap(m.b) - 1)); class <= maxClass && cap(m.b) == 1<<class {
		m.b = m.b[:0]
		buffers[class].Put(m)
	}
}
