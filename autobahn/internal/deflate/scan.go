package deflate

import (
	"errors"
	"fmt"
)

// Found is what Scan saw of a stream.
type Found struct {
	Length   int  // bytes that the stream inflates to
	Reach    int  // the largest distance of a copy
	Final    bool // a block had BFINAL set
	Blocks   int
	Trailing int // bytes after a final block
}

var errShort = errors.New("the DEFLATE stream ends inside a block")

// Scan follows p, a DEFLATE stream, without inflating it. It ends at a final
// block, or where p ends between two blocks. history is how many bytes may be
// copied from before p.
func Scan(p []byte, history int) (Found, error) {
	s := scanner{in: p}
	f := Found{}
	for {
		if len(s.in)*8+int(s.nbits) < 3 {
			return f, nil
		}
		h, err := s.bits(3)
		if err != nil {
			return f, err
		}
		f.Blocks++
		switch h >> 1 {
		case 0:
			err = s.stored(&f)
		case 1:
			err = s.block(&f, history, fixedLengths, fixedDistances)
		case 2:
			var l, d *tree
			if l, d, err = s.dynamic(); err == nil {
				err = s.block(&f, history, l, d)
			}
		default:
			err = errors.New("a block of the reserved type 3")
		}
		if err != nil {
			return f, err
		}
		if h&1 != 0 {
			f.Final, f.Trailing = true, len(s.in)+int(s.nbits)/8
			return f, nil
		}
	}
}

type scanner struct {
	in    []byte
	acc   uint64
	nbits uint
}

func (s *scanner) fill(n uint) bool {
	for s.nbits < n {
		if len(s.in) == 0 {
			return false
		}
		s.acc |= uint64(s.in[0]) << s.nbits
		s.in = s.in[1:]
		s.nbits += 8
	}
	return true
}

func (s *scanner) bits(n uint) (int, error) {
	if !s.fill(n) {
		return 0, errShort
	}
	v := int(s.acc & (1<<n - 1))
	s.acc >>= n
	s.nbits -= n
	return v, nil
}

func (s *scanner) stored(f *Found) error {
	s.acc >>= s.nbits & 7
	s.nbits -= s.nbits & 7
	n, err := s.bits(16)
	if err != nil {
		return err
	}
	c, err := s.bits(16)
	if err != nil {
		return err
	}
	if n != c^0xFFFF {
		return errors.New("a stored block whose length is not its complement's complement")
	}
	for ; n > 0 && s.nbits > 0; n-- {
		if _, err := s.bits(8); err != nil {
			return err
		}
		f.Length++
	}
	if n > len(s.in) {
		return errShort
	}
	s.in = s.in[n:]
	f.Length += n
	return nil
}

func (s *scanner) block(f *Found, history int, lengths, distances *tree) error {
	for {
		v, err := lengths.next(s)
		if err != nil {
			return err
		}
		switch {
		case v < 256:
			f.Length++
			continue
		case v == 256:
			return nil
		case v > 285:
			return fmt.Errorf("the invalid length symbol %d", v)
		}
		n, err := s.bits(lengthExtra[v-257])
		if err != nil {
			return err
		}
		n += lengthBase[v-257]
		if v, err = distances.next(s); err != nil {
			return err
		}
		if v > 29 {
			return fmt.Errorf("the invalid distance symbol %d", v)
		}
		d, err := s.bits(distExtra[v])
		if err != nil {
			return err
		}
		d += distBase[v]
		if d > f.Length+history {
			return fmt.Errorf("a copy from %d bytes back, where there are %d", d, f.Length+history)
		}
		f.Reach = max(f.Reach, d)
		f.Length += n
	}
}

// dynamic reads the codes of a block of type 2 (RFC 1951 §3.2.7).
func (s *scanner) dynamic() (l, d *tree, err error) {
	v, err := s.bits(14)
	if err != nil {
		return nil, nil, err
	}
	nlen, ndist, ncode := v&31+257, v>>5&31+1, v>>10+4
	order := [19]int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}
	var code [19]byte
	for i := range ncode {
		if v, err = s.bits(3); err != nil {
			return nil, nil, err
		}
		code[order[i]] = byte(v)
	}
	t, err := newTree(code[:])
	if err != nil {
		return nil, nil, err
	}
	all := make([]byte, 0, nlen+ndist)
	for len(all) < nlen+ndist {
		if v, err = t.next(s); err != nil {
			return nil, nil, err
		}
		if v < 16 {
			all = append(all, byte(v))
			continue
		}
		var what byte
		extra, base := [3]uint{2, 3, 7}[v-16], [3]int{3, 3, 11}[v-16]
		if v == 16 {
			if len(all) == 0 {
				return nil, nil, errors.New("a repeated code length where there is none before")
			}
			what = all[len(all)-1]
		}
		n, err := s.bits(extra)
		if err != nil {
			return nil, nil, err
		}
		for n += base; n > 0; n-- {
			all = append(all, what)
		}
	}
	if len(all) > nlen+ndist {
		return nil, nil, errors.New("more code lengths than announced")
	}
	if l, err = newTree(all[:nlen]); err != nil {
		return nil, nil, err
	}
	d, err = newTree(all[nlen:])
	return l, d, err
}
