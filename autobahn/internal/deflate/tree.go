package deflate

import "errors"

const treeBits = 15

// tree decodes one Huffman code (RFC 1951 §3.2.2) by its canonical order.
type tree struct {
	count   [treeBits + 1]int
	symbols []int
	quick   [1 << 9]uint16 // symbol<<4 | length, for codes of at most 9 bits; 0: longer
}

var fixedLengths, fixedDistances = fixedTrees()

func fixedTrees() (l, d *tree) {
	var lengths [288]byte
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	var distances [32]byte
	for i := range distances {
		distances[i] = 5
	}
	l, _ = newTree(lengths[:])
	d, _ = newTree(distances[:])
	return l, d
}

// newTree makes the code whose lengths are given, one for each symbol.
func newTree(lengths []byte) (*tree, error) {
	t := &tree{}
	for _, n := range lengths {
		t.count[n]++
	}
	t.count[0] = 0
	left := 1
	var next [treeBits + 2]int // the first code of each length
	var first [treeBits + 2]int
	code := 0
	for n := 1; n <= treeBits; n++ {
		left = left<<1 - t.count[n]
		if left < 0 {
			return nil, errors.New("an over-subscribed Huffman code")
		}
		code = (code + t.count[n-1]) << 1
		next[n] = code
		first[n+1] = first[n] + t.count[n]
	}
	t.symbols = make([]int, first[treeBits+1])
	for s, n := range lengths {
		if n == 0 {
			continue
		}
		t.symbols[first[n]] = s
		first[n]++
		if n <= 9 {
			t.enter(next[n], uint(n), s)
		}
		next[n]++
	}
	return t, nil
}

// enter puts a short code into the table, which is indexed by the next bits as
// they come.
func (t *tree) enter(code int, n uint, symbol int) {
	r := 0
	for i := uint(0); i < n; i++ {
		r = r<<1 | code>>i&1
	}
	for ; r < len(t.quick); r += 1 << n {
		t.quick[r] = uint16(symbol<<4) | uint16(n)
	}
}

func (t *tree) next(s *scanner) (int, error) {
	s.fill(treeBits)
	if e := t.quick[s.acc&(1<<9-1)]; e != 0 && uint(e&15) <= s.nbits {
		s.acc >>= e & 15
		s.nbits -= uint(e & 15)
		return int(e >> 4), nil
	}
	code, first, index := 0, 0, 0
	for n := 1; n <= treeBits; n++ {
		b, err := s.bits(1)
		if err != nil {
			return 0, err
		}
		code |= b
		if code-first < t.count[n] {
			return t.symbols[index+code-first], nil
		}
		index += t.count[n]
		first = (first + t.count[n]) << 1
		code <<= 1
	}
	return 0, errors.New("an invalid Huffman code")
}
