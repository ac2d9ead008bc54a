package corpus

import (
	"bytes"
	"testing"
	"unicode/utf8"

	"github.com/klauspost/compress/flate"
)

// Sizes are those of the data that the cases were first run with; each corpus
// is worth a case because of how well it compresses.
func TestCorpora(t *testing.T) {
	for _, c := range []struct {
		*Corpus
		size     int
		from, to float64 // compressed, of plain
	}{
		{JSON, 194056, 0, 0.2}, {Bitmap, 263222, 0.3, 0.9}, {Prose, 222218, 0.05, 0.6},
		{HTML, 263527, 0, 0.3}, {Noise, 1042328, 0.95, 1.05},
	} {
		data := c.data()
		if len(data) != c.size {
			t.Errorf("%s: %d bytes, want %d", c.Name, len(data), c.size)
		}
		if !c.Binary && !utf8.Valid(data) {
			t.Errorf("%s is not UTF-8", c.Name)
		}
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, 6)
		w.Write(data)
		w.Close()
		t.Logf("%s: %.3f", c.Name, float64(b.Len())/float64(len(data)))
		if r := float64(b.Len()) / float64(len(data)); r < c.from || r > c.to {
			t.Errorf("%s compresses to %.2f, want %.2f to %.2f", c.Name, r, c.from, c.to)
		}
	}
}

func TestCutGoesRound(t *testing.T) {
	for _, c := range All() {
		var all []byte
		from := 0
		for total := 0; total < 3*c.Len(); total += 131072 {
			p, next := c.Cut(nil, from, 131072)
			if n := c.Count(p); n != 131072 {
				t.Fatalf("%s: cut %d units at %d, want 131072", c.Name, n, from)
			}
			all, from = append(all, p...), next
		}
		if !bytes.Equal(all[:len(c.data())], c.data()) {
			t.Errorf("%s: the cuts do not follow one another", c.Name)
		}
		if !c.Binary && !utf8.Valid(all) {
			t.Errorf("%s: a cut split a code point", c.Name)
		}
	}
}
