package metrics

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

// The chat's reports for each message allocate nothing.
func TestObserverAllocatesNothing(t *testing.T) {
	o := newObserver()
	o.Refused("rate_limited") // the first of a kind may
	for name, tell := range map[string]func(){
		"a connection": func() { o.ConnectionOpened(); o.ConnectionAuthenticated(); o.ConnectionClosed() },
		"a wait":       func() { o.Waited(chat.SequencerQueue, time.Millisecond) },
		"a batch":      func() { o.Appended(chat.Batch{Size: 7, Duplicates: 1, Failed: 1, Took: time.Second}) },
		"a delivery":   func() { o.Delivered(chat.RoomDelivery, 100) },
		"a refusal":    func() { o.Refused("rate_limited"); o.Limited(chat.UserRateLimit) },
		"a delay":      func() { o.HeldBack(chat.RoomRateLimit); o.HeldBack(chat.ContentLimit) },
	} {
		if n := testing.AllocsPerRun(100, tell); n != 0 {
			t.Errorf("%s costs %v allocations", name, n)
		}
	}
}

func BenchmarkObserver(b *testing.B) {
	o := newObserver()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			o.Waited(chat.SequencerQueue, time.Millisecond)
			o.Delivered(chat.RoomDelivery, 100)
		}
	})
}

// The server's powers of 2 become buckets of seconds, and none of them is lost.
func TestIterationBuckets(t *testing.T) {
	counts := make([]uint64, 24)
	for i := range counts {
		counts[i] = uint64(i + 1)
	}
	count, buckets := iterationBuckets(counts)
	if count != 24*25/2 {
		t.Errorf("%d in all", count)
	}
	// Less than 4 µs are those at 0, 1 and 2.
	if len(buckets) != 11 || buckets[4e-6] != 1+2+3 || buckets[16e-6] != 1+2+3+4+5 || buckets[4.194304] != 23*24/2 {
		t.Errorf("%v", buckets)
	}
}

var discard = slog.New(slog.DiscardHandler)

// engine is a chat.Health with figures.
type engine struct {
	chat.Health
	broken  error
	figures []chat.Figure
}

func (e *engine) Healthy() error         { return e.broken }
func (e *engine) Figures() []chat.Figure { return e.figures }

// scrape returns the lines about an engine.
func scrape(t *testing.T, e chat.Health) string {
	t.Helper()
	m := New()
	m.registry.MustRegister(engineCollector{e})
	w := httptest.NewRecorder()
	m.Handler(discard).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	var lines []string
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, "hawser_engine_") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// An engine's own figures are shown with their kinds, and an invalid one hides no other.
func TestEngineFigures(t *testing.T) {
	h := chat.NewHistogram(.001, .01)
	h.Observe(.005)
	h.Observe(5)
	e := &engine{figures: []chat.Figure{
		{Name: "damaged_records_total", Help: "Damaged.", Kind: chat.Counter, Value: 3},
		{Name: "free_pages", Help: "Free.", Kind: chat.Gauge, Value: 7},
		{Name: "sync_seconds", Help: "Sync.", Kind: chat.Distribution, Histogram: h.Data()},
		{Name: "free_pages", Help: "Once more.", Kind: chat.Gauge, Value: 8},
	}}
	want := `hawser_engine_damaged_records_total 3
hawser_engine_free_pages 7
hawser_engine_healthy 1
hawser_engine_sync_seconds_bucket{le="0.001"} 0
hawser_engine_sync_seconds_bucket{le="0.01"} 1
hawser_engine_sync_seconds_bucket{le="+Inf"} 2
hawser_engine_sync_seconds_sum 5.005
hawser_engine_sync_seconds_count 2
`
	if d := cmp.Diff(want, scrape(t, e)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	e.broken, e.figures = errors.New("the disk is full"), nil
	if d := cmp.Diff("hawser_engine_healthy 0\n", scrape(t, e)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
