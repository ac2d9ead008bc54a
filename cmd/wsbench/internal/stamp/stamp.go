package stamp

import (
	"encoding/binary"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
)

// Stamp says which message a payload is.
type Stamp struct {
	Stream uint32 // the sender
	Seq    uint32 // 0, 1, 2 … in its stream
	Due    int64  // when it was due, in nanoseconds of the monotonic clock
}

// A payload begins with a head of four words of 48 bits: a check of 64 bits, then the
// stream, seq and due, all big-endian. In text each word is eight letters of 6 bits, the
// highest first. Filler follows, which the stream and the seq decide on. So nothing of a
// payload is free: what arrives is compared with what must have been sent.
const (
	headBits = 4 * 48

	// TextSize and BinarySize are the minimum lengths of a payload in bytes.
	TextSize   = headBits / 6
	BinarySize = headBits / 8
)

// Maker makes payloads of one size. It is immutable once made and may be used by
// any number of goroutines.
type Maker struct {
	Options
	pool  []byte // filler is cut out of it
	reach uint32 // at any place before this one
}

// Options say what payloads are like.
type Options struct {
	Size   int  // in bytes, raised to the minimum that holds a stamp
	Binary bool // rather than text
	Filler Filler
	Seed   uint64 // decides on the filler
	// Deflate says that the payloads may be compressed.
	Deflate bool
}

// Filler says what a payload is filled up with.
type Filler uint8

const (
	// Random filler does not compress: random bytes, or in text random letters of 64
	// different ones, which hold 6 bits in 8.
	Random Filler = iota
	// Compressible filler is like what feeds send. It needs no escape in JSON.
	Compressible
)

// How many places there are to cut filler from. If payloads are compressed they are more
// than the largest window of permessage-deflate has bytes, so that random filler stays
// random. If not, they are so few that the filler stays in the processor's cache.
const (
	placesDeflate = 256 << 10
	placesPlain   = 8 << 10
)

// NewMaker makes a Maker.
func NewMaker(o Options) *Maker {
	m := &Maker{Options: o, reach: placesPlain}
	m.Size = max(o.Size, m.head())
	if o.Deflate {
		m.reach = placesDeflate
	}
	n := (int(m.reach) + m.Size + 7) &^ 7 // whole words
	if o.Filler == Compressible {
		const text = `tick symbol=HWSR bid=101.25 ask=101.27 volume=1200; `
		m.pool = []byte(strings.Repeat(text, n/len(text)+1))[:n]
		return m
	}
	m.pool = make([]byte, n)
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], o.Seed)
	rand.NewChaCha8(seed).Read(m.pool)
	if !o.Binary {
		for w := range slices.Chunk(m.pool, 8) {
			putWord(w, binary.LittleEndian.Uint64(w))
		}
	}
	return m
}

// head is the length of a payload's head in bytes.
func (m *Maker) head() int {
	if m.Binary {
		return BinarySize
	}
	return TextSize
}

// Append appends the payload of s to dst.
func (m *Maker) Append(dst []byte, s Stamp) []byte {
	var head [TextSize]byte
	dst = append(dst, head[:m.putHead(&head, s)]...)
	return append(dst, m.filler(s)...)
}

// Parse reads a payload back. ok is false if it is not, byte for byte, one that
// a Maker of this kind made.
func (m *Maker) Parse(p []byte) (s Stamp, ok bool) {
	if len(p) != m.Size {
		return Stamp{}, false
	}
	if m.Binary {
		s = Stamp{binary.BigEndian.Uint32(p[8:]), binary.BigEndian.Uint32(p[12:]), int64(binary.BigEndian.Uint64(p[16:]))}
	} else {
		// Of four words the check is one and a third.
		w1, w2, w3 := word(p[8:]), word(p[16:]), word(p[24:])
		s = Stamp{uint32(w1), uint32(w2 >> 16), int64(w2<<48 | w3)}
	}
	// What is no letter was read as one: the comparison shows it.
	var head [TextSize]byte
	n := m.putHead(&head, s)
	return s, string(p[:n]) == string(head[:n]) && string(p[n:]) == string(m.filler(s))
}

// putHead writes the head of a payload, and returns its length in bytes.
func (m *Maker) putHead(to *[TextSize]byte, s Stamp) int {
	hi, lo := bits.Mul64((uint64(s.Stream)<<32|uint64(s.Seq))^0x9e3779b97f4a7c15, uint64(s.Due)^0xd1b54a32d192ed03)
	check := hi ^ lo
	if m.Binary {
		binary.BigEndian.PutUint64(to[:], check)
		binary.BigEndian.PutUint32(to[8:], s.Stream)
		binary.BigEndian.PutUint32(to[12:], s.Seq)
		binary.BigEndian.PutUint64(to[16:], uint64(s.Due))
		return BinarySize
	}
	putWord(to[:], check>>16)
	putWord(to[8:], check<<48>>16|uint64(s.Stream))
	putWord(to[16:], uint64(s.Seq)<<16|uint64(s.Due)>>48)
	putWord(to[24:], uint64(s.Due)&(1<<48-1))
	return TextSize
}

// filler is what follows the head.
func (m *Maker) filler(s Stamp) []byte {
	from := int((s.Stream*2654435761 + s.Seq*40503) % m.reach)
	return m.pool[from : from+m.Size-m.head()]
}
