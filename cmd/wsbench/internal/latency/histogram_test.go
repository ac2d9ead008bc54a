package latency

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// Percentiles against a sorted list of everything.
func TestPercentiles(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var h Histogram
	var all []int64
	for range 50_000 {
		ns := int64(math.Exp(r.NormFloat64()*2 + 12))
		all = append(all, ns)
		h.Record(ns)
	}
	slices.Sort(all)
	for _, p := range []float64{1, 50, 90, 99, 99.9, 99.99} {
		want := float64(all[int(math.Round(p/100*float64(len(all))))-1])
		if got := float64(h.Percentile(p)); math.Abs(got/want-1) > 0.002 {
			t.Errorf("p%v is %v, want %v", p, got, want)
		}
	}
	if got := int64(h.Max()); got != all[len(all)-1] {
		t.Errorf("max is %d, want exactly %d", got, all[len(all)-1])
	}
}

func TestAddAndTake(t *testing.T) {
	var a, b Histogram
	a.Record(1000)
	b.Record(3000)
	b.Record(5 * int64(time.Hour))
	a.Add(&b)
	if a.Count() != 3 || a.Max() != time.Hour || a.Over() != 1 {
		t.Errorf("%d, max %v, over %d", a.Count(), a.Max(), a.Over())
	}
	took := a.Take()
	if took.Count() != 3 || a.Count() != 0 || a.Max() != 0 || took.Max() != time.Hour {
		t.Errorf("took %d, left %d", took.Count(), a.Count())
	}
	a.Record(7)
	if took.Count() != 3 {
		t.Error("what was taken still changes")
	}
}

// A packed histogram says what it did before, and can be used on.
func TestPack(t *testing.T) {
	var packed, plain, empty Histogram
	empty.Pack()
	for i := range int64(5000) {
		packed.Record(i * i)
		plain.Record(i * i)
	}
	packed.Pack()
	packed.Pack()
	same := func() {
		t.Helper()
		for _, p := range []float64{0, 42, 50, 99, 99.99, 100} {
			if a, b := packed.Percentile(p), plain.Percentile(p); a != b {
				t.Errorf("p%v is %v packed, %v before", p, a, b)
			}
		}
		if packed.Count() != plain.Count() || packed.Mean() != plain.Mean() || empty.Count() != 0 {
			t.Errorf("%d, mean %v; %d, mean %v", packed.Count(), packed.Mean(), plain.Count(), plain.Mean())
		}
		a, err := json.Marshal(packed)
		b, err2 := json.Marshal(plain)
		if err != nil || err2 != nil || string(a) != string(b) {
			t.Errorf("%s\n%s, %v %v", a, b, err, err2)
		}
	}
	same()
	packed.Record(7)
	plain.Record(7)
	same()
	packed.Pack()
	sum := empty.Take()
	sum.Add(&packed)
	packed.Add(&plain)
	plain.Add(&sum)
	same()
	packed.Pack()
	took := packed.Take()
	if took.Count() != plain.Count() || packed.Count() != 0 {
		t.Errorf("took %d of %d, left %d", took.Count(), plain.Count(), packed.Count())
	}
}

func BenchmarkUnpack(b *testing.B) {
	var h Histogram
	for range 10_000 {
		h.Record(rand.Int64N(10_000_000))
	}
	h.Pack()
	b.ReportMetric(float64(len(h.packed.b)), "bytes")
	for b.Loop() {
		h.Percentile(42)
	}
}

func TestJSON(t *testing.T) {
	var h, got, empty Histogram
	for i := range int64(1000) {
		h.Record(i * i * i)
	}
	b, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, p := range []float64{0, 42, 50, 99, 99.99, 100} {
		if h.Percentile(p) != got.Percentile(p) {
			t.Errorf("p%v: %v became %v", p, h.Percentile(p), got.Percentile(p))
		}
	}
	if b, _ := json.Marshal(empty); string(b) != "null" {
		t.Errorf("empty is %s", b)
	}
	if err := json.Unmarshal([]byte("null"), &got); err != nil || got.Count() != 0 {
		t.Errorf("null is %d, %v", got.Count(), err)
	}
	for _, bad := range []string{`{}`, `{"hdr":"AAAA","count":1}`, `7`, strings.Replace(string(b), `"count":1000`, `"count":999`, 1)} {
		if err := json.Unmarshal([]byte(bad), &got); err == nil || !strings.Contains(err.Error(), "histogram") {
			t.Errorf("%.40s: %v", bad, err)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	var h Histogram
	b.ReportAllocs()
	for b.Loop() {
		h.Record(123456)
	}
}
