package trial

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/result"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{{[]float64{3, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}, {[]float64{7}, 7}} {
		if got := Median(c.v); got != c.want {
			t.Errorf("%v: %v, want %v", c.v, got, c.want)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}

// Of many experiments in which there is no difference, the interval leaves 1 out
// about as rarely as it promises; and a real difference is found.
func TestRatioInterval(t *testing.T) {
	const experiments, rounds = 100, 15
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(factor float64) []float64 {
		v := make([]float64, rounds)
		for i := range v {
			v[i] = factor * math.Exp(0.1*r.NormFloat64())
		}
		return v
	}
	wrong, found := 0, 0
	for i := range experiments {
		if !Ratio(draw(1), draw(1), uint64(i)).Holds(1) {
			wrong++
		}
		if x := Ratio(draw(1), draw(1.5), uint64(i)); !x.Holds(1) && x.Holds(1.5) {
			found++
		}
	}
	if share := float64(wrong) / experiments; share > 0.10 {
		t.Errorf("a difference was claimed in %.1f%% of the cases without one", 100*share)
	}
	if share := float64(found) / experiments; share < 0.85 {
		t.Errorf("a difference of one half was found in %.1f%% of the cases", 100*share)
	}
}

// What disturbs a round disturbs both, and cancels out.
func TestRatioIsPaired(t *testing.T) {
	a := []float64{10, 20, 30, 40, 50, 60}
	var b []float64
	for _, v := range a {
		b = append(b, 2*v)
	}
	if got := Ratio(a, b, 1); got.Value != 2 || got.Low != 2 || got.High != 2 {
		t.Errorf("%+v; every pair has ratio 2", got)
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		i      Estimate
		rounds int
		want   string
	}{
		{Estimate{1.02, 0.97, 1.05}, 9, "no difference shown"},
		{Estimate{1.2, 1.1, 1.3}, 9, "higher"},
		{Estimate{0.8, 0.7, 0.9}, 9, "lower"},
		{Estimate{0.5, 0.4, 0.6}, 3, "too few rounds to say"},
		{Estimate{math.NaN(), 0, 0}, 9, "not measured"},
	} {
		if got := Verdict(c.i, c.rounds); got != c.want {
			t.Errorf("%+v: %q, want %q", c.i, got, c.want)
		}
	}
}

func TestSearch(t *testing.T) {
	const limit = 37_000
	server := func(_ context.Context, load float64) (Outcome, error) { return Outcome{Holds: load <= limit}, nil }
	got, err := Search(t.Context(), 1000, math.Inf(1), 0.02, server)
	if err != nil || got.Load > limit || got.Next <= limit || got.Next-got.Load > 0.02*got.Next {
		t.Errorf("%v, %v", got, err)
	}
	// The first may be far too much.
	got, _ = Search(t.Context(), 1_000_000, math.Inf(1), 0.02, server)
	if got.Load > limit || got.Next <= limit || got.Load < limit*0.97 {
		t.Errorf("from above: %v", got)
	}
	// One disturbance does not decide.
	disturbed := false
	got, _ = Search(t.Context(), 1000, math.Inf(1), 0.02, func(ctx context.Context, load float64) (Outcome, error) {
		if load == 8000 && !disturbed {
			disturbed = true
			return Outcome{}, nil
		}
		return server(ctx, load)
	})
	if !disturbed || got.Load < limit*0.97 {
		t.Errorf("with a disturbance: %v", got)
	}
	// Nor does one of the client's.
	disturbed = false
	got, _ = Search(t.Context(), 1000, math.Inf(1), 0.02, func(ctx context.Context, load float64) (Outcome, error) {
		if load == 8000 && !disturbed {
			disturbed = true
			return Outcome{Holds: true, Client: true}, nil
		}
		return server(ctx, load)
	})
	if !disturbed || got.Client || got.Load < limit*0.97 {
		t.Errorf("with a disturbance of the client: %v", got)
	}
	got, _ = Search(t.Context(), 1000, 500, 0.02, server)
	if got.Load != 500 || len(got.Probes) != 1 {
		t.Errorf("the most is less than the first: %v after %v", got, got.Probes)
	}
	got, _ = Search(t.Context(), 1000, 5000, 0.02, server)
	if got.Load != 5000 || !strings.Contains(got.String(), "the maximum") {
		t.Errorf("bounded: %v", got)
	}
	got, _ = Search(t.Context(), 1000, math.Inf(1), 0.02, func(_ context.Context, load float64) (Outcome, error) {
		return Outcome{Holds: load < 5000, Client: load > 5000}, nil
	})
	if !got.Client || got.Load != 4000 || !strings.Contains(got.String(), "at least 4000") {
		t.Errorf("a client at its limit: %v", got)
	}
	got, _ = Search(t.Context(), 100, math.Inf(1), 0.02, func(context.Context, float64) (Outcome, error) { return Outcome{}, nil })
	if got.Load != 0 || !strings.Contains(got.String(), "none") {
		t.Errorf("nothing holds: %v", got)
	}
}

// A value that is missing in a round is reported, once.
func TestMissingMetrics(t *testing.T) {
	for s, want := range map[load.Scenario]string{load.Echo: "no message was received in a round", load.Connect: "no handshake was done in a round"} {
		m := &Measured{Values: map[string][]float64{}}
		m.addRun(&result.Result{Plan: load.Plan{Scenario: s}, Seconds: 1, Total: load.Tally{Sent: 1}, Server: &result.Server{}})
		if len(m.Failed) != 1 || m.Failed[0] != want {
			t.Errorf("%s: %q, want %q", s, m.Failed, want)
		}
	}
}

func TestParseCandidate(t *testing.T) {
	c, err := ParseCandidate("ours=bin/wsecho --listen 127.0.0.1:{port}", "ws://127.0.0.1:{port}/")
	if err != nil || c.Name != "ours" || c.Command != "bin/wsecho --listen 127.0.0.1:{port}" {
		t.Errorf("%+v, %v", c, err)
	}
	for _, bad := range []string{"bin/wsecho", "=x {port}", "a b=x {port}", "a=x"} {
		if _, err := ParseCandidate(bad, ""); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
