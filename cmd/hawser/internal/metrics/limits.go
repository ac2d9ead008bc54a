package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/hawser-ws/hawser/server"
)

// The effects of limits are counted where the limits are: by the chat, which tells the
// observer, and by the server. Both contribute to the same two metrics.
const (
	limitRefusals     = "limit_refusals_total"
	limitRefusalsHelp = "What was refused for a limit, and connections closed for it, by the setting: those in [limits], memory_budget, and descriptors (ulimit -n)."
	limitDelays       = "limit_delays_total"
	limitDelaysHelp   = "What was held back for a limit, by the setting in [limits]."
)

// Both are described by the observer.
var (
	serverRefusals = describe(limitRefusals, limitRefusalsHelp, "limit")
	serverDelays   = describe(limitDelays, limitDelaysHelp, "limit")
)

// serverLimits names the server's limits as settings.
var serverLimits = [server.NumLimits]string{
	server.LimitConns:               "connections",
	server.LimitConnsPerAddress:     "connections_per_address",
	server.LimitHTTPConns:           "http_connections",
	server.LimitHTTPConnsPerAddress: "http_connections_per_address",
	server.LimitHandshakes:          "handshakes_per_second",
	server.LimitRequestsPerAddress:  "address_requests_per_second",
	server.LimitAccepts:             "accepts_per_second",
	server.LimitMemory:              "memory_budget",
	server.LimitDescriptors:         "descriptors",
}

func collectLimits(ch chan<- prometheus.Metric, s *server.Stats) {
	for l, name := range serverLimits {
		if server.Limit(l) == server.LimitAccepts {
			ch <- counter(serverDelays, s.Limited[l], name)
		} else {
			ch <- counter(serverRefusals, s.Limited[l], name)
		}
	}
}
