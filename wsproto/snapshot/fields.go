package snapshot

import (
	"iter"
	"math"
)

// A record of fields can be read by a neighbouring version of the program: a field that the
// reader does not know is skipped, and one that is missing has the value zero. So a later addition needs no
// new version of the format, as long as an older reader does no harm without it.

// AppendField appends a field: its number, and its value after its length.
func AppendField(dst []byte, number uint64, value []byte) []byte {
	return AppendBytes(AppendUint(dst, number), value)
}

// AppendUintField appends a field whose value is a number, unless that is 0.
func AppendUintField(dst []byte, number, v uint64) []byte {
	if v == 0 {
		return dst
	}
	var value [10]byte
	return AppendField(dst, number, AppendUint(value[:0], v))
}

// AppendStringField appends a field whose value is a string, unless that is empty.
func AppendStringField(dst []byte, number uint64, s string) []byte {
	if s == "" {
		return dst
	}
	return AppendString(AppendUint(dst, number), s)
}

// Fields ranges over the fields of what is left, in the order in which they were appended, each with a Reader
// of its value. A field may occur more than once. The caller must check the error of the value's Reader.
func (r *Reader) Fields() iter.Seq2[uint64, *Reader] {
	return func(yield func(uint64, *Reader) bool) {
		for r.err == nil && len(r.b) > 0 {
			number := r.Uint(math.MaxUint64)
			value := r.Bytes(len(r.b))
			if r.err != nil || !yield(number, &Reader{b: value}) {
				return
			}
		}
	}
}
