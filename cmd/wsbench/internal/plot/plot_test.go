package plot

import (
	"encoding/xml"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		scale  Scale
		values []float64
		format func(float64) string
		want   string
	}{
		{Linear, []float64{0, 97_000}, Count, "0 20 k 40 k 60 k 80 k 100 k"},
		{Linear, []float64{3, 3}, Count, "0 0.5 1 1.5 2 2.5 3"},
		{Linear, []float64{0, 0}, Count, "0 0.2 0.4 0.6 0.8 1"},
		{Log, []float64{15_000, 900_000}, Nanoseconds, "10 µs 20 µs 50 µs 100 µs 200 µs 500 µs 1 ms"},
		{Log, []float64{100, 3e9}, Nanoseconds, "100 ns 1 µs 10 µs 100 µs 1 ms 10 ms 100 ms 1 s"},
		{Tail, []float64{0, 99.99}, Percentile, "0% 50% 90% 99% 99.9% 99.99%"},
		{Binary, []float64{0, 23 << 20}, Bytes, "0 B 4 MiB 8 MiB 12 MiB 16 MiB 20 MiB 24 MiB"},
		{Linear, nil, Bytes, "0 B 0.5 B 1 B 1.5 B 2 B"},
	} {
		a := newAxis(c.scale, c.values, c.format)
		var got []string
		for _, v := range a.ticks() {
			got = append(got, c.format(v))
			if p := a.at(v); p < -1e-9 || p > 1+1e-9 {
				t.Errorf("%v: tick %v is at %v", c.values, v, p)
			}
		}
		if d := cmp.Diff(c.want, strings.Join(got, " ")); d != "" {
			t.Errorf("%v: %s", c.values, d)
		}
	}
}

// Each nine has the same space.
func TestTailScale(t *testing.T) {
	a := newAxis(Tail, []float64{99.99}, nil)
	for i, p := range []float64{0, 90, 99, 99.9, 99.99} {
		if got, want := a.at(p), float64(i)/4; math.Abs(got-want) > 1e-9 {
			t.Errorf("%v%% is at %v, want %v", p, got, want)
		}
	}
}

// The output is XML, whatever the names and values are.
func TestSVGIsXML(t *testing.T) {
	for _, svg := range []string{
		(&Chart{Title: `a < b & "c"`, XFormat: Seconds, YFormat: Count, Series: []Series{
			{Name: "<script>", Points: []Point{{0, 1}, {1, 2}}}, {Name: "one", Points: []Point{{0, 0}}}, {Name: "none"}}}).SVG(),
		(&Chart{XFormat: Seconds, YFormat: Count}).SVG(),
		(&Chart{X: Tail, Y: Log, XFormat: Percentile, YFormat: Nanoseconds, Series: []Series{{Points: []Point{{100, 0}, {50, 5}}, Step: true}}}).SVG(),
		(&Bars{Title: "a & b", Format: Count, Bars: []Bar{{"<b>", 1, 0, 2}, {"n", math.NaN(), 0, 0}, {"z", 0, 0, 0}}}).SVG(),
		(&Bars{Format: Count}).SVG(),
	} {
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := d.Token(); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%v in\n%s", err, svg)
			}
		}
		for _, bad := range []string{"NaN", "Inf", "<script>"} {
			if strings.Contains(svg, bad) {
				t.Errorf("%s in\n%s", bad, svg)
			}
		}
	}
}
