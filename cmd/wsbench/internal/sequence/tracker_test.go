package sequence

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTracker(t *testing.T) {
	const o, l, d = InOrder, Late, Doubled
	for name, c := range map[string]struct {
		arrivals []uint32
		want     []Verdict
		sent     uint32
		missing  uint64
	}{
		"all in order":             {[]uint32{0, 1, 2}, []Verdict{o, o, o}, 3, 0},
		"one lost":                 {[]uint32{0, 2}, []Verdict{o, o}, 3, 1},
		"the first lost":           {[]uint32{1}, []Verdict{o}, 2, 1},
		"the last lost":            {[]uint32{0, 1}, []Verdict{o, o}, 3, 1},
		"all lost":                 {nil, nil, 3, 3},
		"doubled at once":          {[]uint32{0, 0, 1}, []Verdict{o, d, o}, 2, 0},
		"doubled much later":       {[]uint32{0, 1, 2, 3, 0}, []Verdict{o, o, o, o, d}, 4, 0},
		"swapped":                  {[]uint32{1, 0, 2}, []Verdict{o, l, o}, 3, 0},
		"late and doubled":         {[]uint32{1, 0, 0}, []Verdict{o, l, d}, 2, 0},
		"late, from a gap's start": {[]uint32{4, 0, 1}, []Verdict{o, l, l}, 5, 2},
		"late, from a gap's end":   {[]uint32{4, 3, 2}, []Verdict{o, l, l}, 5, 2},
		"late, out of a gap":       {[]uint32{4, 2, 2, 1, 3, 0}, []Verdict{o, l, d, l, l, l}, 5, 0},
		"gap beside gap":           {[]uint32{2, 5, 4, 1}, []Verdict{o, o, l, l}, 6, 2},
	} {
		t.Run(name, func(t *testing.T) {
			var tr Tracker
			var got []Verdict
			for _, seq := range c.arrivals {
				got = append(got, tr.Arrive(seq))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("verdicts (-want +got):\n%s", d)
			}
			if n := tr.Missing(c.sent); n != c.missing {
				t.Errorf("%d missing, want %d", n, c.missing)
			}
		})
	}
}

// The tracker against a set that keeps everything.
func TestTrackerAgainstSet(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		var tr Tracker
		seen := map[uint32]bool{}
		var top uint32
		for range 300 {
			seq := top + r.Uint32N(4)
			if r.IntN(4) == 0 {
				seq = r.Uint32N(top + 1)
			}
			want := InOrder
			switch {
			case seen[seq]:
				want = Doubled
			case seq < top:
				want = Late
			}
			if got := tr.Arrive(seq); got != want {
				t.Fatalf("seq %d with next %d: %d, want %d", seq, top, got, want)
			}
			seen[seq] = true
			top = max(top, seq+1)
			if tr.Missing(top) != uint64(int(top)-len(seen)) {
				t.Fatalf("%d missing of %d, seen %d", tr.Missing(top), top, len(seen))
			}
		}
	}
}

// Forgotten messages stay counted.
func TestTrackerForgets(t *testing.T) {
	var tr Tracker
	const n = 2 * maxGaps
	for i := range uint32(n) {
		tr.Arrive(2*i + 1)
	}
	if got := tr.Missing(2 * n); got != n {
		t.Errorf("%d missing, want %d", got, n)
	}
	if len(tr.gaps) > maxGaps {
		t.Errorf("%d gaps are kept", len(tr.gaps))
	}
}
