package snapshot

import (
	"bytes"
	"math"
	"testing"
)

// Written values are read again, and no prefix is accepted as the whole.
func TestReadsWhatWasWritten(t *testing.T) {
	b := AppendUint(nil, math.MaxUint64)
	b = AppendInt(b, 300)
	b = AppendBool(b, true)
	b = AppendBytes(b, []byte("bytes"))
	b = append(b, 0xA5)
	b = AppendString(b, "")
	b = AppendUint(b, math.MaxUint32)
	read := func(b []byte) (ok bool, err error) {
		r := NewReader(b)
		ok = r.Uint(math.MaxUint64) == math.MaxUint64
		ok = r.Int(300) == 300 && ok
		ok = r.Bool() && ok
		ok = bytes.Equal(r.Bytes(5), []byte("bytes")) && ok
		ok = r.Byte() == 0xA5 && ok
		ok = r.String(0) == "" && ok
		ok = r.Uint32() == math.MaxUint32 && ok
		return ok, r.End()
	}
	if ok, err := read(b); !ok || err != nil {
		t.Errorf("read %t, %v", ok, err)
	}
	for n := range b {
		if _, err := read(b[:n]); err != ErrMalformed {
			t.Errorf("the first %d of %d bytes: %v", n, len(b), err)
		}
	}
	if _, err := read(append(b, 0)); err != ErrMalformed {
		t.Errorf("with a byte more: %v", err)
	}
}

func TestRefusesWhatNobodyWrites(t *testing.T) {
	for name, read := range map[string]func() *Reader{
		"a long form of 0":         func() *Reader { r := NewReader([]byte{0x80, 0}); r.Uint(9); return r },
		"a long form of 127":       func() *Reader { r := NewReader([]byte{0xFF, 0}); r.Uint(999); return r },
		"a number over the limit":  func() *Reader { r := NewReader([]byte{10}); r.Uint(9); return r },
		"a number over 64 bits":    func() *Reader { r := NewReader(bytes.Repeat([]byte{0xFF}, 11)); r.Uint(math.MaxUint64); return r },
		"a length over what comes": func() *Reader { r := NewReader([]byte{3, 1, 2}); r.Bytes(9); return r },
		"its own length":           func() *Reader { r := NewReader([]byte{2, 1}); r.Bytes(9); return r },
		"a length over the limit":  func() *Reader { r := NewReader([]byte{3, 1, 2, 3}); r.Bytes(2); return r },
		"a bool of 2":              func() *Reader { r := NewReader([]byte{2}); r.Bool(); return r },
		"a negative limit":         func() *Reader { r := NewReader([]byte{1}); r.Int(-1); return r },
	} {
		r := read()
		if r.Err() != ErrMalformed || r.Len() != 0 || r.Byte() != 0 || r.Bytes(9) != nil || r.End() != ErrMalformed {
			t.Errorf("%s: %v", name, r.Err())
		}
	}
}
