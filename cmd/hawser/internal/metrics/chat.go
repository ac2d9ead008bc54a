package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hawser-ws/hawser/chat"
)

// latencies are histogram bounds in seconds, from a tenth of a millisecond, as on a fast
// disk, to the time limit of an operation.
var latencies = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// observer is the chat.Observer. The counters that every message uses are looked up once,
// here.
type observer struct {
	opened, authenticated, closed prometheus.Counter

	waits      [chat.NumQueues]prometheus.Observer
	fanouts    [chat.NumDeliveries]prometheus.Counter
	deliveries [chat.NumDeliveries]prometheus.Counter

	batches, appends           prometheus.Histogram
	stored, duplicates, failed prometheus.Counter

	refusals        *prometheus.CounterVec
	limited, delays [chat.NumLimits]prometheus.Counter

	all []prometheus.Collector
}

func newObserver() *observer {
	o := &observer{}
	o.opened = o.counter("chat_connections_opened_total", "Connections that the chat was given.")
	o.authenticated = o.counter("chat_connections_authenticated_total", "Connections whose auth was accepted.")
	o.closed = o.counter("chat_connections_closed_total", "Connections that ended.")

	waits := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "hawser_chat_queue_wait_seconds", Buckets: latencies,
		Help: "Time that an operation waited for its turn, by queue: the pools of logins, lookups, queries and resumes, and sequencers for messages.",
	}, []string{"queue"})
	o.all = append(o.all, waits)
	for q := range chat.NumQueues {
		o.waits[q] = waits.WithLabelValues(q.String())
	}

	fanouts := o.counters("chat_fanouts_total", "Messages and presence events sent to the connections that they concern, by kind.", "kind")
	deliveries := o.counters("chat_deliveries_total", "Connections that a message or presence event was sent to, by kind.", "kind")
	for d := range chat.NumDeliveries {
		o.fanouts[d] = fanouts.WithLabelValues(d.String())
		o.deliveries[d] = deliveries.WithLabelValues(d.String())
	}

	o.batches = o.histogram("chat_append_batch_messages", "Messages handed to the engine at once.", prometheus.ExponentialBuckets(1, 2, 11))
	o.appends = o.histogram("chat_append_seconds", "Time until the engine had stored a batch.", latencies)
	results := o.counters("chat_appended_messages_total", "Messages that the engine was asked to store, by result: stored, duplicate (of a ref that it had stored), or failed.", "result")
	o.stored, o.duplicates, o.failed = results.WithLabelValues("stored"), results.WithLabelValues("duplicate"), results.WithLabelValues("failed")

	o.refusals = o.counters("chat_refusals_total", "Errors sent to clients, by the reason that PROTOCOL.md lists.", "reason")
	limited := o.counters(limitRefusals, limitRefusalsHelp, "limit")
	delays := o.counters(limitDelays, limitDelaysHelp, "limit")
	for l := chat.NoLimit + 1; l < chat.NumLimits; l++ {
		if l != chat.ConnectionRateLimit { // which never refuses
			o.limited[l] = limited.WithLabelValues(l.String())
		}
		if l.HoldsBack() {
			o.delays[l] = delays.WithLabelValues(l.String())
		}
	}
	return o
}

func (o *observer) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Name: "hawser_" + name, Help: help})
	o.all = append(o.all, c)
	return c
}

func (o *observer) counters(name, help, label string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "hawser_" + name, Help: help}, []string{label})
	o.all = append(o.all, c)
	return c
}

func (o *observer) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "hawser_" + name, Help: help, Buckets: buckets})
	o.all = append(o.all, h)
	return h
}

func (o *observer) collectors() []prometheus.Collector { return o.all }

func (o *observer) ConnectionOpened()        { o.opened.Inc() }
func (o *observer) ConnectionAuthenticated() { o.authenticated.Inc() }
func (o *observer) ConnectionClosed()        { o.closed.Inc() }

func (o *observer) Waited(q chat.Queue, d time.Duration) { o.waits[q].Observe(d.Seconds()) }

func (o *observer) Appended(b chat.Batch) {
	o.batches.Observe(float64(b.Size))
	o.appends.Observe(b.Took.Seconds())
	o.stored.Add(float64(b.Size - b.Duplicates - b.Failed))
	if b.Duplicates > 0 {
		o.duplicates.Add(float64(b.Duplicates))
	}
	if b.Failed > 0 {
		o.failed.Add(float64(b.Failed))
	}
}

func (o *observer) Delivered(d chat.Delivery, n int) {
	o.fanouts[d].Inc()
	o.deliveries[d].Add(float64(n))
}

func (o *observer) Refused(reason string) { o.refusals.WithLabelValues(reason).Inc() }

func (o *observer) Limited(l chat.Limit) {
	if c := o.limited[l]; c != nil {
		c.Inc()
	}
}

func (o *observer) HeldBack(l chat.Limit) {
	if c := o.delays[l]; c != nil {
		c.Inc()
	}
}

var (
	users       = describe("chat_users", "Users with at least one connection.")
	rooms       = describe("chat_rooms", "Rooms with at least one person in them.")
	queueLength = describe("chat_queue_length", "Operations that wait for their turn, by queue.", "queue")
)

// hubCollector reads the state of a hub.
type hubCollector struct{ hub *chat.Hub }

func (c hubCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{users, rooms, queueLength} {
		ch <- d
	}
}

func (c hubCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.hub.Stats()
	ch <- gauge(users, float64(s.Users))
	ch <- gauge(rooms, float64(s.Rooms))
	for q := range chat.NumQueues {
		ch <- gauge(queueLength, float64(s.Waiting[q]), q.String())
	}
}
