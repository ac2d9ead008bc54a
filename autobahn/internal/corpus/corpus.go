// Package corpus makes the payloads of the compression cases: five bodies of
// data that compress well, a little, or not at all. They are the same in every
// run and on every machine; nothing is read from a file.
package corpus

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"unicode/utf8"
)

// Corpus is a body of data from which messages are cut.
type Corpus struct {
	Name   string
	Binary bool // sent as binary messages; otherwise it is UTF-8
	data   func() []byte
	starts func() []int32 // where each code point starts, in a text
}

// The corpora, in the order of cases 12.1 to 12.5.
var (
	JSON   = text("JSON", 194056, report)
	Bitmap = binary("a grey bitmap", 263222, bitmap)
	Prose  = binary("prose", 222218, prose)
	HTML   = text("HTML", 263527, table)
	Noise  = binary("a document that is compressed already", 1042328, document)
)

// Periodic is a binary corpus that repeats itself after period bytes and, except
// for a piece of JSON in each period, nowhere else: a reference back has to reach
// that far.
func Periodic(period int) *Corpus {
	return binary(fmt.Sprintf("data that repeats after %d bytes", period), period*(40000/period+1), func(r *rand.Rand, size int) []byte {
		one := append([]byte(nil), JSON.data()[:period/8]...)
		for len(one) < period {
			one = append(one, byte(r.Uint32()))
		}
		return bytes.Repeat(one, size/period)
	})
}

// All are the corpora in the order of cases 12.1 to 12.5.
func All() []*Corpus { return []*Corpus{JSON, Bitmap, Prose, HTML, Noise} }

func binary(name string, size int, make func(*rand.Rand, int) []byte) *Corpus {
	return &Corpus{Name: name, Binary: true, data: sync.OnceValue(func() []byte { return make(random(name), size) })}
}

func text(name string, size int, make func(*rand.Rand, int) []byte) *Corpus {
	c := &Corpus{Name: name, data: sync.OnceValue(func() []byte { return make(random(name), size) })}
	c.starts = sync.OnceValue(func() []int32 {
		var starts []int32
		for i := range string(c.data()) {
			starts = append(starts, int32(i))
		}
		return starts
	})
	return c
}

func random(name string) *rand.Rand {
	var seed uint64
	for _, b := range []byte(name) {
		seed = seed*131 + uint64(b)
	}
	return rand.New(rand.NewPCG(seed, 7692))
}

// Compresses reports whether deflating makes the corpus a good deal smaller.
func (c *Corpus) Compresses() bool { return c != Bitmap && c != Noise }

// Len is the corpus's length: bytes, or code points in a text.
func (c *Corpus) Len() int {
	if c.Binary {
		return len(c.data())
	}
	return len(c.starts())
}

// Cut appends to dst the n units (bytes, or code points) from position from,
// wrapping around at the end, and returns the position after them.
func (c *Corpus) Cut(dst []byte, from, n int) (p []byte, next int) {
	size := c.Len()
	next = (from + n) % size
	if next > from {
		return append(dst, c.slice(from, next)...), next
	}
	dst = append(dst, c.slice(from, size)...)
	return append(dst, c.slice(0, next)...), next
}

// Count is how many units p has.
func (c *Corpus) Count(p []byte) int {
	if c.Binary {
		return len(p)
	}
	return utf8.RuneCount(p)
}

func (c *Corpus) slice(from, to int) []byte {
	if c.Binary {
		return c.data()[from:to]
	}
	at := func(i int) int {
		if i == len(c.starts()) {
			return len(c.data())
		}
		return int(c.starts()[i])
	}
	return c.data()[at(from):at(to)]
}

// fit cuts p to n bytes, without leaving half a code point.
func fit(p []byte, n int) []byte {
	p = p[:n]
	for i := n - 1; i > n-4 && !utf8.Valid(p); i-- {
		p[i] = ' '
	}
	return p
}

func report(r *rand.Rand, size int) []byte {
	var b strings.Builder
	b.WriteString("{\n   \"harbour/0.6.0\": {\n")
	for i := 1; b.Len() < size+300; i++ {
		level := 20
		if r.IntN(4) == 0 {
			level = r.IntN(100)
		}
		fmt.Fprintf(&b, "      \"%d.%d.%d\": {\n         \"station\": %q,\n         \"state\": \"FINE\",\n         \"stateAtEbb\": \"FINE\",\n         \"level\": %d,\n         \"reportfile\": \"harbour_0_6_0_reading_%d_%d_%d.json\"\n      },\n",
			i/400+1, i/20%20+1, i%20+1, stations[r.IntN(len(stations))], level, i/400+1, i/20%20+1, i%20+1)
	}
	return []byte(b.String())[:size]
}

var stations = []string{"Quay North", "Quay South", "Lock 1", "Lock 2", "Harbour Mouth", "Dry Dock", "Chain Ferry", "Breakwater"}

// bitmap is a header, a palette, and a picture of 512 by 512 grey pixels.
func bitmap(r *rand.Rand, size int) []byte {
	p := make([]byte, 0, size)
	p = append(p, "BM"...)
	for i := len(p); i < 1078; i++ {
		p = append(p, byte(i>>2))
	}
	for y := 0; len(p) < size; y++ {
		for x := 0; x < 512 && len(p) < size; x++ {
			dx, dy := x-200, y-300
			p = append(p, byte(x/4+y/8+(dx*dx+dy*dy)/2048+r.IntN(8)))
		}
	}
	return p
}

// words is a vocabulary; the first words are the most common.
func words(r *rand.Rand, n int) []string {
	syllables := []string{"an", "ber", "che", "da", "el", "fra", "gen", "ha", "in", "ker", "lich", "mo", "ne", "or", "pe", "ru", "sch", "te", "un", "ver", "wa", "zu"}
	list := make([]string, n)
	for i := range list {
		for k := 1 + r.IntN(2) + i*2/n; k > 0; k-- {
			list[i] += syllables[r.IntN(len(syllables))]
		}
	}
	return list
}

// pick chooses from list, early ones far more often.
func pick(r *rand.Rand, list []string) string {
	f := r.Float64()
	return list[int(f*f*f*float64(len(list)))]
}

// prose is verse in an encoding that is not UTF-8. Poets repeat themselves.
func prose(r *rand.Rand, size int) []byte {
	list := words(r, 900)
	phrases := make([]string, 400)
	for i := range phrases {
		for k := 6 + r.IntN(6); k > 0; k-- {
			phrases[i] += pick(r, list) + " "
		}
	}
	p := make([]byte, 0, size+200)
	for len(p) < size {
		p = append(p, pick(r, phrases)...)
		p = append(p, pick(r, list)...)
		if r.IntN(8) == 0 {
			p = append(p, 0xE4, 0xDF)
		}
		p = append(p, ",\r\n"...)
	}
	return p[:size]
}

func table(r *rand.Rand, size int) []byte {
	list := words(r, 1500)
	notes := make([]string, 150)
	for i := range notes {
		notes[i] = pick(r, list) + " " + pick(r, list) + " " + pick(r, list) + " " + pick(r, list)
	}
	var b strings.Builder
	b.WriteString("<!DOCTYPE html>\n<html>\n<body>\n<table>\n")
	for i := 0; b.Len() < size+400; i++ {
		title := pick(r, list)
		if i%300 == 7 {
			title = "Größe – à la carte €"
		}
		fmt.Fprintf(&b, "<tr class=\"row\"><td class=\"number\">%d</td><td class=\"name\">%s</td>", i, title)
		fmt.Fprintf(&b, "<td class=\"note\">%s</td><td class=\"price\">%d.%02d</td></tr>\n", pick(r, notes), r.IntN(90), r.IntN(100))
	}
	return fit([]byte(b.String()), size)
}

func document(r *rand.Rand, size int) []byte {
	p := make([]byte, 0, size+8)
	for i := 1; len(p) < size; i++ {
		p = fmt.Appendf(p, "%d 0 obj << /Length 8192 /Filter /FlateDecode >> stream\n", i)
		for k := 0; k < 1024; k++ {
			v := r.Uint64()
			p = append(p, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
		}
		p = append(p, "\nendstream endobj\n"...)
	}
	return p[:size]
}
