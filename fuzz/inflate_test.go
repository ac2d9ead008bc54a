package fuzz

import "errors"

var (
	errCorrupt = errors.New("not DEFLATE")
	errTooLong = errors.New("longer than the limit")
)

// deflateTail is what RFC 7692 §7.2.1 has a sender take off.
const deflateTail = "\x00\x00\xff\xff"

// inflater decodes DEFLATE (RFC 1951) bit by bit.
type inflater struct {
	in  []byte
	pos int // in bits

	out    []byte
	before int // how much of out is older than this message
	window int // how far back a reference may reach
	limit  int // of the message
}

// inflateMessage is what a compressed message says (RFC 7692 §7.2.2), given the
// history that it may refer to, through a window of that many bytes. The error is
// errCorrupt, or errTooLong if limit is passed before anything is wrong.
func inflateMessage(payload, history []byte, window, limit int) (plain []byte, err error) {
	z := &inflater{
		in:     append(append([]byte(nil), payload...), deflateTail...),
		out:    append([]byte(nil), history[max(0, len(history)-window):]...),
		window: window,
		limit:  limit,
	}
	z.before = len(z.out)
	defer func() {
		// The one panic below ends the decoding from wherever it is.
		if r := recover(); r != nil {
			if e, ok := r.(error); ok && (e == errCorrupt || e == errTooLong) {
				plain, err = nil, e
				return
			}
			panic(r)
		}
	}()
	for z.pos < 8*len(z.in) {
		z.block()
	}
	return z.out[z.before:], nil
}

func (z *inflater) bits(n int) (v int) {
	for i := range n {
		if z.pos == 8*len(z.in) {
			panic(errCorrupt)
		}
		v |= int(z.in[z.pos/8]>>(z.pos%8)&1) << i
		z.pos++
	}
	return v
}

func (z *inflater) align() { z.pos = (z.pos + 7) / 8 * 8 }

func (z *inflater) put(b byte) {
	z.out = append(z.out, b)
	if len(z.out)-z.before > z.limit {
		panic(errTooLong)
	}
}

func (z *inflater) block() {
	final, kind := z.bits(1), z.bits(2)
	switch kind {
	case 0:
		z.align()
		length, inverse := z.bits(16), z.bits(16)
		if length+inverse != 65535 {
			panic(errCorrupt)
		}
		for range length {
			z.put(byte(z.bits(8)))
		}
	case 1:
		z.coded(fixedLiterals, fixedDistances)
	case 2:
		z.coded(z.dynamicCodes())
	default:
		panic(errCorrupt)
	}
	if final == 1 {
		z.align() // 7.2.3.4: another block may follow
	}
}

// huffman is a canonical code: how many codes there are of each length, and their
// symbols in order.
type huffman struct {
	count   [16]int
	symbols []int
}

// newHuffman makes the code of RFC 1951 §3.2.2. A code that leaves bits without
// meaning, or gives them two, is refused; but it may be empty, and a single
// code of one bit stands alone (§3.2.7).
func newHuffman(lengths []int) (h huffman) {
	for _, n := range lengths {
		h.count[n]++
	}
	h.count[0] = 0
	free, used := 1, 0
	for n := 1; n <= 15; n++ {
		free = free*2 - h.count[n]
		used += h.count[n]
		if free < 0 {
			panic(errCorrupt)
		}
		for symbol, length := range lengths {
			if length == n {
				h.symbols = append(h.symbols, symbol)
			}
		}
	}
	if free > 0 && used > 0 && (used > 1 || h.count[1] != 1) {
		panic(errCorrupt)
	}
	return h
}

func (z *inflater) symbol(h huffman) int {
	code, first, index := 0, 0, 0
	for n := 1; n <= 15; n++ {
		code = code<<1 + z.bits(1)
		first <<= 1
		if i := code - first; i < h.count[n] {
			return h.symbols[index+i]
		}
		index += h.count[n]
		first += h.count[n]
	}
	panic(errCorrupt)
}

var fixedLiterals, fixedDistances = fixedCodes()

// fixedCodes are those of 3.2.6.
func fixedCodes() (literals, distances huffman) {
	lengths := make([]int, 288)
	for symbol := range lengths {
		switch {
		case symbol < 144:
			lengths[symbol] = 8
		case symbol < 256:
			lengths[symbol] = 9
		case symbol < 280:
			lengths[symbol] = 7
		default:
			lengths[symbol] = 8
		}
	}
	five := make([]int, 32)
	for i := range five {
		five[i] = 5
	}
	return newHuffman(lengths), newHuffman(five)
}

func (z *inflater) dynamicCodes() (literals, distances huffman) {
	numLiterals, numDistances, n := 257+z.bits(5), 1+z.bits(5), 4+z.bits(4)
	if numLiterals > 286 || numDistances > 30 {
		panic(errCorrupt)
	}
	var meta [19]int
	order := []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	for _, symbol := range order[:n] {
		meta[symbol] = z.bits(3)
	}
	code := newHuffman(meta[:])
	var lengths []int
	for len(lengths) < numLiterals+numDistances {
		value, times := z.symbol(code), 1
		switch value {
		case 16:
			if len(lengths) == 0 {
				panic(errCorrupt)
			}
			value, times = lengths[len(lengths)-1], 3+z.bits(2)
		case 17:
			value, times = 0, 3+z.bits(3)
		case 18:
			value, times = 0, 11+z.bits(7)
		}
		for range times {
			lengths = append(lengths, value)
		}
	}
	if len(lengths) > numLiterals+numDistances {
		panic(errCorrupt)
	}
	return newHuffman(lengths[:numLiterals]), newHuffman(lengths[numLiterals:])
}

// coded reads a block in which literals and references have codes.
func (z *inflater) coded(literals, distances huffman) {
	for {
		symbol := z.symbol(literals)
		switch {
		case symbol < 256:
			z.put(byte(symbol))
			continue
		case symbol == 256:
			return
		case symbol > 285:
			panic(errCorrupt)
		}
		// 3.2.5: eight lengths without extra bits, then four for each number of them.
		length, extra := symbol-254, 0
		if symbol >= 265 {
			extra = (symbol - 261) / 4
			length = 3 + (4+(symbol-261)%4)<<extra
		}
		if symbol == 285 {
			length, extra = 258, 0
		}
		length += z.bits(extra)

		d := z.symbol(distances)
		if d > 29 {
			panic(errCorrupt)
		}
		distance := d + 1
		if d >= 4 {
			extra := d/2 - 1
			distance = 1 + (2+d%2)<<extra + z.bits(extra)
		}
		if distance > min(len(z.out), z.window) {
			panic(errCorrupt)
		}
		for range length {
			z.put(z.out[len(z.out)-distance])
		}
	}
}
