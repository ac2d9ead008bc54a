package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hawser-ws/hawser/chat"
)

var healthy = describe("engine_healthy", "1 if the engine does all that it should, and 0 otherwise.")

// engineCollector asks an engine for its health, and for any figures that it has. Each
// engine has its own figures, so they cannot be described in advance.
type engineCollector struct{ engine chat.Health }

// Describe describes nothing, which makes this an unchecked collector for Prometheus'
// library.
func (c engineCollector) Describe(chan<- *prometheus.Desc) {}

func (c engineCollector) Collect(ch chan<- prometheus.Metric) {
	health := 0.0
	if c.engine.Healthy() == nil {
		health = 1
	}
	ch <- gauge(healthy, health)
	measured, ok := c.engine.(chat.Measured)
	if !ok {
		return
	}
	for _, f := range measured.Figures() {
		ch <- figure(f)
	}
}

// figure is a figure of an engine as a metric. An error goes to the scrape's log.
func figure(f chat.Figure) prometheus.Metric {
	d := describe("engine_"+f.Name, f.Help)
	var m prometheus.Metric
	var err error
	switch f.Kind {
	case chat.Counter:
		m, err = prometheus.NewConstMetric(d, prometheus.CounterValue, f.Value)
	case chat.Gauge:
		m, err = prometheus.NewConstMetric(d, prometheus.GaugeValue, f.Value)
	default:
		m, err = prometheus.NewConstHistogram(d, f.Histogram.Count, f.Histogram.Sum, f.Histogram.UpTo)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(d, err)
	}
	return m
}
