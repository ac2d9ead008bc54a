package snapshot

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

// AppendUint appends v.
func AppendUint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// AppendInt appends v, which must not be negative.
func AppendInt(dst []byte, v int) []byte {
	if v < 0 {
		panic("snapshot: AppendInt of a negative number")
	}
	return binary.AppendUvarint(dst, uint64(v))
}

// AppendBool appends v as one byte.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, 1)
	}
	return append(dst, 0)
}

// AppendBytes appends the length of p, and p.
func AppendBytes(dst, p []byte) []byte { return append(AppendInt(dst, len(p)), p...) }

// AppendString is AppendBytes for a string.
func AppendString(dst []byte, s string) []byte { return append(AppendInt(dst, len(s)), s...) }

// ErrMalformed is what a Reader reports for bytes that no writer of this version made.
var ErrMalformed = errors.New("snapshot: malformed")

// Reader reads what the Append functions have written. After the first error it returns
// zero values only, so that a caller may check once, at the end, with Err or End.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads b, which must not be modified while its slices are in use.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Err returns ErrMalformed if anything read so far was malformed.
func (r *Reader) Err() error { return r.err }

// End returns ErrMalformed also if something is left.
func (r *Reader) End() error {
	if len(r.b) > 0 {
		r.Fail()
	}
	return r.err
}

// Len returns how many bytes are left.
func (r *Reader) Len() int { return len(r.b) }

// Fail makes the Reader report ErrMalformed. A caller uses it for a value that it finds to
// be impossible.
func (r *Reader) Fail() {
	r.b, r.err = nil, ErrMalformed
}

// Uint reads a number of at most limit.
func (r *Reader) Uint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	// A shorter encoding of the same number must not exist.
	if n <= 0 || v > limit || n > 1 && n != (bits.Len64(v)+6)/7 {
		r.Fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads a number of at most limit.
func (r *Reader) Int(limit int) int { return int(r.Uint(uint64(max(limit, 0)))) }

// Uint32 reads a number of 32 bits.
func (r *Reader) Uint32() uint32 { return uint32(r.Uint(math.MaxUint32)) }

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.b) == 0 {
		r.Fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// Bool reads what AppendBool has written.
func (r *Reader) Bool() bool {
	v := r.Byte()
	if v > 1 {
		r.Fail()
	}
	return v == 1
}

// Bytes reads at most limit bytes. The result is a part of the Reader's bytes.
func (r *Reader) Bytes(limit int) []byte {
	n := r.Int(min(limit, len(r.b)))
	if r.err != nil || n > len(r.b) { // the length itself took bytes
		r.Fail()
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}

// String reads at most limit bytes as a string of its own.
func (r *Reader) String(limit int) string { return string(r.Bytes(limit)) }

// Rest reads everything that is left. The result is a part of the Reader's bytes.
func (r *Reader) Rest() []byte {
	p := r.b
	r.b = nil
	return p
}
