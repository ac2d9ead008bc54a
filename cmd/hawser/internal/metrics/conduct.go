package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/guard"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/alert"
)

var (
	descOffences = describe("offences_total", "What clients did that honest ones do rarely or never, by kind.", "kind")
	descAlerts   = describe("alerts_total", "Alerts, by kind, those included that were left out of the log.", "kind")
	descHook     = describe("alert_webhook_requests_total", "Alerts that the webhook has taken (sent), has not taken (failed), and those that were not sent as too many waited (dropped).", "result")
)

// conductCollector reads how clients behave, and what was done about it.
type conductCollector struct {
	guard  *guard.Guard // nil: nothing is counted
	alerts *alert.Alerts
}

// WatchConduct adds the counters of a guard and of alerts. A nil guard counts
// nothing.
func (m *Metrics) WatchConduct(g *guard.Guard, a *alert.Alerts) {
	m.registry.MustRegister(conductCollector{g, a})
}

// Describe implements prometheus.Collector.
func (c conductCollector) Describe(to chan<- *prometheus.Desc) {
	to <- descOffences
	to <- descAlerts
	to <- descHook
}

// Collect implements prometheus.Collector.
func (c conductCollector) Collect(to chan<- prometheus.Metric) {
	for k := range chat.NumOffenceKinds {
		n := uint64(0)
		if c.guard != nil {
			n = c.guard.Offences(k)
		}
		to <- counter(descOffences, n, k.String())
	}
	for _, k := range alert.Kinds {
		to <- counter(descAlerts, c.alerts.Count(k), string(k))
	}
	sent, failed, dropped := c.alerts.Webhook()
	to <- counter(descHook, sent, "sent")
	to <- counter(descHook, failed, "failed")
	to <- counter(descHook, dropped, "dropped")
}
