package metrics

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/hawser-ws/hawser/server"
)

var (
	httpConnections  = describe("http_connections", "Connections that are not WebSockets, or not yet.")
	handshakes       = describe("handshakes_total", "Opening handshakes answered, by HTTP status; requests that a limit refused before are among them.", "code")
	onLoops          = describe("handshakes_on_loops_total", "Opening handshakes that an event loop answered with 101, which costs least; hawser_handshakes_total counts them, too.")
	websockets       = describe("websockets", "WebSockets now, those that are closing included.")
	closing          = describe("websockets_closing", "WebSockets that one side has begun to close.")
	opened           = describe("websockets_opened_total", "WebSockets opened.")
	ended            = describe("websockets_ended_total", "WebSockets ended, closing ones included, by their first cause. Evicted are those of write_timeout, queue_full and memory_budget.", "cause")
	cut              = describe("websockets_cut_total", "WebSockets that a stop did not wait for.")
	unwatched        = describe("websockets_unwatched_total", "Connections that the system refused to watch.")
	messagesReceived = describe("messages_received_total", "WebSocket messages received.")
	messagesSent     = describe("messages_sent_total", "WebSocket messages queued to be sent.")
	dropped          = describe("messages_dropped_total", "Messages that need not arrive and were not sent to a WebSocket that reads too slowly.")
	coalesced        = describe("messages_coalesced_total", "Messages that a newer version replaced before they were sent.")
	bytesReceived    = describe("received_bytes_total", "Bytes received on WebSockets, under TLS after decryption.")
	bytesSent        = describe("sent_bytes_total", "Bytes sent on WebSockets, under TLS before encryption.")
	queuedBytes      = describe("write_queue_bytes", "Bytes that wait to be sent, on all WebSockets together.")
	assembling       = describe("assembling_bytes", "Bytes received of messages that are not complete.")
	slowHandlers     = describe("slow_handlers_total", "Times that the work for one connection held an event loop for more than 100 ms.")
	panics           = describe("handler_panics_total", "Panics in the handling of a connection; each ended that connection.")
	iterations       = describe("loop_iteration_seconds", "Time that an event loop took for one iteration, waiting excluded.")
)

// serverCollector reads a server's counters.
type serverCollector struct{ server *server.Server }

func (c serverCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{httpConnections, handshakes, onLoops, websockets, closing, opened, ended, cut, unwatched,
		messagesReceived, messagesSent, dropped, coalesced, bytesReceived, bytesSent, queuedBytes, assembling,
		slowHandlers, panics, iterations} {
		ch <- d
	}
}

func (c serverCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.server.Stats()
	ch <- gauge(httpConnections, float64(s.Handshaking))
	for status, n := range s.Handshakes {
		ch <- counter(handshakes, n, strconv.Itoa(status))
	}
	ch <- counter(onLoops, s.HandshakesOnLoops)
	ch <- gauge(websockets, float64(s.Open))
	ch <- gauge(closing, float64(s.Closing))
	ch <- counter(opened, s.Opened)
	for cause, n := range causes(&s.Ended) {
		ch <- counter(ended, n, cause)
	}
	ch <- counter(cut, s.Cut)
	ch <- counter(unwatched, s.Refused)
	ch <- counter(messagesReceived, s.MessagesIn)
	ch <- counter(messagesSent, s.MessagesOut)
	ch <- counter(dropped, s.Dropped)
	ch <- counter(coalesced, s.Coalesced)
	ch <- counter(bytesReceived, s.BytesIn)
	ch <- counter(bytesSent, s.BytesOut)
	ch <- gauge(queuedBytes, float64(s.Queued))
	ch <- gauge(assembling, float64(s.Assembling))
	ch <- counter(slowHandlers, s.SlowHandlers)
	ch <- counter(panics, s.Panics)
	collectLimits(ch, &s)
	count, buckets := iterationBuckets(s.Iterations[:])
	ch <- prometheus.MustNewConstHistogram(iterations, count, s.Busy.Seconds(), buckets)
}

func causes(e *server.Ended) map[string]uint64 {
	return map[string]uint64{
		"peer": e.ByPeer, "server": e.ByUs, "lost": e.Lost, "protocol_error": e.ProtocolError,
		"ping_timeout": e.PingTimeout, "assembly_timeout": e.AssemblyTimeout, "write_timeout": e.WriteTimeout,
		"queue_full": e.QueueFull, "memory_budget": e.Shed, "control_rate": e.ControlRate, "panic": e.Panic,
	}
}

// iterationBuckets adds up what server.Stats counts by powers of 2, in µs, and has a bucket
// for every other one: from 4 µs to 4 s.
func iterationBuckets(counts []uint64) (count uint64, buckets map[float64]uint64) {
	buckets = make(map[float64]uint64)
	for i, n := range counts {
		count += n
		if i >= 2 && i%2 == 0 && i < len(counts)-1 {
			buckets[float64(uint64(1)<<i)/1e6] = count
		}
	}
	return count, buckets
}
