package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// Refusals are found by the reason that they are counted under, or by a label that names the
// setting itself.
func TestRefusals(t *testing.T) {
	m := New()
	limited := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hawser_limited_total", Help: "Limited."}, []string{limitLabel})
	m.registry.MustRegister(limited)
	limited.WithLabelValues("guests_per_minute").Add(3)
	limited.WithLabelValues("rooms").Add(5)
	m.chat.Refused("rate_limited")
	m.chat.Refused("rate_limited")
	m.chat.Refused("too_many_rooms")
	got, err := m.Refusals()
	if err != nil {
		t.Fatal(err)
	}
	rate := Refusals{`hawser_chat_refusals_total{reason="rate_limited"}`, 2}
	for setting, want := range map[string]Refusals{
		"limits.guests_per_minute":           {`hawser_limited_total{limit="guests_per_minute"}`, 3},
		"limits.rooms":                       {`hawser_limited_total{limit="rooms"}`, 5},
		"limits.user_messages_per_second":    rate,
		"limits.address_messages_per_second": rate,
		"limits.user_bytes_per_day":          {`hawser_chat_refusals_total{reason="quota_exceeded"}`, 0},
		"limits.connections":                 {`hawser_handshakes_total{code="503"}`, 0},
		"memory_budget":                      {`hawser_websockets_ended_total{cause="memory_budget"}`, 0},
	} {
		if d := cmp.Diff(want, got[setting]); d != "" {
			t.Errorf("%s (-want +got):\n%s", setting, d)
		}
	}
	if r, there := got["limits.burst"]; there {
		t.Errorf("a limit that makes wait has refused: %v", r)
	}
}
