package stamp

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"strings"
)

// Stamp says which message a payload is.
type Stamp struct {
	Stream uint32 // who sent it
	Seq    uint32 // 0, 1, 2 … in its stream
	Due    int64  // when it was to be sent, in nanoseconds of the monotonic clock
}

// A payload begins with a check, stream, seq and due: big-endian in binary, and
// in text as digits of 6 bits, the highest first. The check is a CRC-32C of
// everything behind it, the filler included.
const (
	// TextSize and BinarySize are the least lengths of a payload in bytes.
	TextSize   = 6 + 6 + 6 + 11
	BinarySize = 4 + 4 + 4 + 8

	textCheck   = 6
	binaryCheck = 4
)

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// digits is the inverse of letters; 0xff is no letter.
var digits = func() (d [256]byte) {
	for i := range d {
		d[i] = 0xff
	}
	for i, c := range []byte(letters) {
		d[c] = byte(i)
	}
	return d
}()

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Maker makes payloads of one size. It is immutable once made and may be used by
// any number of goroutines.
type Maker struct {
	size   int
	binary bool
	pool   []byte // filler is cut out of it
}

// Filler says what a payload is filled up with.
type Filler uint8

const (
	// Random filler does not compress: random bytes, or in text random letters of
	// base64, which hold 6 bits in 8.
	Random Filler = iota
	// Compressible filler is like what feeds send. It needs no escape in JSON.
	Compressible
)

// poolSize is how much filler there is to cut from: more than the largest
// window of permessage-deflate, so that random filler stays random.
const poolSize = 256 << 10

// NewMaker makes payloads of size bytes, raised to the least that holds a stamp.
// The seed decides on the filler.
func NewMaker(size int, binary bool, f Filler, seed uint64) *Maker {
	m := &Maker{size: max(size, TextSize), binary: binary}
	if binary {
		m.size = max(size, BinarySize)
	}
	n := poolSize + m.size
	if f == Compressible {
		const text = `tick symbol=HWSR bid=101.25 ask=101.27 volume=1200; `
		m.pool = []byte(strings.Repeat(text, n/len(text)+1))[:n]
	} else {
		m.pool = make([]byte, n)
		rand.NewChaCha8(seedBytes(seed)).Read(m.pool)
		if !binary {
			for i, b := range m.pool {
				m.pool[i] = letters[b&63]
			}
		}
	}
	return m
}

func seedBytes(seed uint64) (b [32]byte) {
	binary.LittleEndian.PutUint64(b[:], seed)
	return b
}

// Size is the length of each payload in bytes.
func (m *Maker) Size() int { return m.size }

// Binary reports whether the payloads are binary rather than text.
func (m *Maker) Binary() bool { return m.binary }

// Append appends the payload of s to dst.
func (m *Maker) Append(dst []byte, s Stamp) []byte {
	head := TextSize
	if m.binary {
		head = BinarySize
	}
	at := len(dst)
	dst = append(dst, m.pool[:head]...) // overwritten below
	from := int((s.Stream*2654435761 + s.Seq*40503) % poolSize)
	dst = append(dst, m.pool[from:from+m.size-head]...)
	p := dst[at:]
	if m.binary {
		binary.BigEndian.PutUint32(p[4:], s.Stream)
		binary.BigEndian.PutUint32(p[8:], s.Seq)
		binary.BigEndian.PutUint64(p[12:], uint64(s.Due))
		binary.BigEndian.PutUint32(p, crc32.Checksum(p[binaryCheck:], castagnoli))
		return dst
	}
	putDigits(p[6:12], uint64(s.Stream))
	putDigits(p[12:18], uint64(s.Seq))
	putDigits(p[18:29], uint64(s.Due))
	putDigits(p[:6], uint64(crc32.Checksum(p[textCheck:], castagnoli)))
	return dst
}

// Parse reads a payload back. ok is false if it is not, byte for byte, one that
// a Maker of this kind made.
func (m *Maker) Parse(p []byte) (s Stamp, ok bool) {
	if len(p) != m.size {
		return Stamp{}, false
	}
	if m.binary {
		s.Stream = binary.BigEndian.Uint32(p[4:])
		s.Seq = binary.BigEndian.Uint32(p[8:])
		s.Due = int64(binary.BigEndian.Uint64(p[12:]))
		return s, crc32.Checksum(p[binaryCheck:], castagnoli) == binary.BigEndian.Uint32(p)
	}
	check, ok1 := number(p[:6])
	stream, ok2 := number(p[6:12])
	seq, ok3 := number(p[12:18])
	due, ok4 := number(p[18:29])
	s = Stamp{uint32(stream), uint32(seq), int64(due)}
	return s, ok1 && ok2 && ok3 && ok4 && check == uint64(crc32.Checksum(p[textCheck:], castagnoli))
}

func putDigits(dst []byte, v uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = letters[v&63]
		v >>= 6
	}
}

func number(p []byte) (v uint64, ok bool) {
	for _, c := range p {
		d := digits[c]
		if d == 0xff {
			return 0, false
		}
		v = v<<6 | uint64(d)
	}
	return v, true
}
