package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// A limit's effect is found by the label that names its setting, or by the reason that it
// shares with others.
func TestEffects(t *testing.T) {
	m := &Metrics{registry: prometheus.NewRegistry()}
	count := func(name, label string, counts map[string]float64) {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: "Counts."}, []string{label})
		for value, n := range counts {
			c.WithLabelValues(value).Add(n)
		}
		m.registry.MustRegister(c)
	}
	count("hawser_limit_refusals_total", "limit", map[string]float64{"guests_per_minute": 3, "rooms": 5, "memory_budget": 6, "messages_per_second": 0})
	count("hawser_limit_delays_total", "limit", map[string]float64{"accepts_per_second": 7, "messages_per_second": 8})
	count("hawser_chat_refusals_total", "reason", map[string]float64{"rate_limited": 2, "too_many_rooms": 1})
	of, err := m.Effects()
	if err != nil {
		t.Fatal(err)
	}
	rate := Effect{2, 0, `hawser_chat_refusals_total{reason="rate_limited"}`}
	for setting, want := range map[string]Effect{
		"limits.guests_per_minute":           {3, 0, `hawser_limit_refusals_total{limit="guests_per_minute"}`},
		"limits.rooms":                       {5, 0, `hawser_limit_refusals_total{limit="rooms"}`},
		"memory_budget":                      {6, 0, `hawser_limit_refusals_total{limit="memory_budget"}`},
		"limits.accepts_per_second":          {0, 7, `hawser_limit_delays_total{limit="accepts_per_second"}`},
		"limits.messages_per_second":         {0, 8, `hawser_limit_refusals_total{limit="messages_per_second"}`},
		"limits.user_messages_per_second":    rate,
		"limits.address_messages_per_second": rate,
		"limits.user_bytes_per_day":          {0, 0, `hawser_chat_refusals_total{reason="quota_exceeded"}`},
		"write_queue":                        {0, 0, `hawser_websockets_ended_total{cause="queue_full"}`},
		"limits.burst":                       {},
	} {
		if d := cmp.Diff(want, of(setting)); d != "" {
			t.Errorf("%s (-want +got):\n%s", setting, d)
		}
	}
}
