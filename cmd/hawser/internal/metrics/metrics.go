package metrics

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/server"
)

// maxScrapes is how many scrapes are answered at a time; more are answered 503.
const maxScrapes = 4

// Metrics are the metrics of one process.
type Metrics struct {
	registry *prometheus.Registry
	chat     *observer
}

// New returns metrics with those of the process, and with what their Observer is
// told.
func New() *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), chat: newObserver()}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
	)
	m.registry.MustRegister(m.chat.collectors()...)
	return m
}

// Observer is for the chat.Config of the hub.
func (m *Metrics) Observer() chat.Observer { return m.chat }

// Watch adds the sources that are read at each scrape. It is called once, before
// the first.
func (m *Metrics) Watch(s *server.Server, h *chat.Hub, engine chat.Health) {
	m.registry.MustRegister(serverCollector{s}, hubCollector{h}, engineCollector{engine})
}

// Handler answers a scrape.
func (m *Metrics) Handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError, // some metrics are better than none
		MaxRequestsInFlight: maxScrapes,
	})
}

// describe makes the description of a metric that is read at a scrape.
func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("hawser_"+name, help, labels, nil)
}

func counter(d *prometheus.Desc, n uint64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}
