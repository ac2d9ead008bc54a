package wsproto

import (
	"errors"
	"fmt"
)

// strictInflate decodes DEFLATE (RFC 1951) for tests: slowly, plainly, sharing
// no code with the library that the package uses, and refusing every reference
// that lies further back than the window. out holds the earlier plaintext; the
// result is out followed by the message.
func strictInflate(out, in []byte, window int) ([]byte, error) {
	r := &bitReader{in: append(append([]byte(nil), in...), deflateTail...)}
	for r.pos < 8*len(r.in) {
		final, kind := r.bit(), r.bits(2)
		var err error
		switch kind {
		case 0:
			r.pos = (r.pos + 7) &^ 7
			n, inverse := r.bits(16), r.bits(16)
			if n != inverse^0xFFFF {
				return nil, errors.New("stored block: length and its complement differ")
			}
			for range n {
				out = append(out, byte(r.bits(8)))
			}
		case 1:
			out, err = r.block(out, fixedLiterals(), codeOf(repeat(5, 30)), window)
		case 2:
			literals, distances := r.dynamic()
			out, err = r.block(out, literals, distances, window)
		default:
			err = errors.New("block of type 3")
		}
		if err == nil && r.pos > 8*len(r.in) {
			err = errors.New("ends inside a block")
		}
		if err != nil {
			return nil, err
		}
		if final == 1 {
			r.pos = (r.pos + 7) &^ 7
		}
		if len(r.in)*8-r.pos < 8 { // the tail ends on a byte
			break
		}
	}
	return out, nil
}

type bitReader struct {
	in  []byte
	pos int // in bits
}

func (r *bitReader) bit() int {
	b := 0
	if i := r.pos / 8; i < len(r.in) {
		b = int(r.in[i]>>(r.pos%8)) & 1
	}
	r.pos++
	return b
}

func (r *bitReader) bits(n int) (v int) {
	for i := range n {
		v |= r.bit() << i
	}
	return v
}

// code maps "length, code bits" to a symbol.
type code map[[2]int]int

// codeOf builds the canonical Huffman code of the given lengths (RFC 1951
// §3.2.2).
func codeOf(lengths []int) code {
	c, next := code{}, 0
	for length := 1; length <= 15; length++ {
		for symbol, l := range lengths {
			if l == length {
				c[[2]int{length, next}] = symbol
				next++
			}
		}
		next <<= 1
	}
	return c
}

func repeat(v, n int) (s []int) {
	for range n {
		s = append(s, v)
	}
	return s
}

func fixedLiterals() code {
	return codeOf(append(append(append(repeat(8, 144), repeat(9, 112)...), repeat(7, 24)...), repeat(8, 8)...))
}

func (r *bitReader) symbol(c code) (int, error) {
	v := 0
	for length := 1; length <= 15; length++ {
		v = v<<1 | r.bit()
		if s, ok := c[[2]int{length, v}]; ok {
			return s, nil
		}
	}
	return 0, errors.New("no such code")
}

func (r *bitReader) dynamic() (literals, distances code) {
	nl, nd, nc := 257+r.bits(5), 1+r.bits(5), 4+r.bits(4)
	order := [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	cl := make([]int, 19)
	for i := range nc {
		cl[order[i]] = r.bits(3)
	}
	c := codeOf(cl)
	var lengths []int
	for len(lengths) < nl+nd {
		s, err := r.symbol(c)
		if err != nil {
			break
		}
		switch s {
		case 16:
			lengths = append(lengths, repeat(lengths[len(lengths)-1], 3+r.bits(2))...)
		case 17:
			lengths = append(lengths, repeat(0, 3+r.bits(3))...)
		case 18:
			lengths = append(lengths, repeat(0, 11+r.bits(7))...)
		default:
			lengths = append(lengths, s)
		}
	}
	return codeOf(lengths[:nl]), codeOf(lengths[nl:])
}

func (r *bitReader) block(out []byte, literals, distances code, window int) ([]byte, error) {
	lengthBase := []int{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra := []int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	for {
		s, err := r.symbol(literals)
		switch {
		case err != nil:
			return nil, err
		case s < 256:
			out = append(out, byte(s))
			continue
		case s == 256:
			return out, nil
		}
		length := lengthBase[s-257] + r.bits(lengthExtra[s-257])
		d, err := r.symbol(distances)
		if err != nil {
			return nil, err
		}
		distance := d + 1
		if d >= 4 {
			distance = (2+d&1)<<(d/2-1) + 1 + r.bits(d/2-1)
		}
		if distance > window || distance > len(out) {
			return nil, fmt.Errorf("a reference %d bytes back; the window is %d, and %d bytes came before", distance, window, len(out))
		}
		for range length {
			out = append(out, out[len(out)-distance])
		}
	}
}
