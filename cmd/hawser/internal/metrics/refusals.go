package metrics

import (
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// Refusals says how often a limit has refused something.
type Refusals struct {
	Counter string // the metric that counts it, with its labels
	Count   uint64
}

// limitLabel is the label of counters whose values are settings of the table [limits].
const limitLabel = "limit"

// series is a counter with one label.
type series struct{ name, label, value string }

func (s series) String() string { return fmt.Sprintf("%s{%s=%q}", s.name, s.label, s.value) }

func reason(value string) series { return series{"hawser_chat_refusals_total", "reason", value} }
func status(value string) series { return series{"hawser_handshakes_total", "code", value} }
func cause(value string) series  { return series{"hawser_websockets_ended_total", "cause", value} }

// refusalsBySetting are the counters of limits that have none with the label "limit". Limits of
// one kind have a counter in common.
var refusalsBySetting = map[string]series{
	"auth_timeout":                       reason("auth_timeout"),
	"write_queue":                        cause("queue_full"),
	"memory_budget":                      cause("memory_budget"),
	"limits.user_messages_per_second":    reason("rate_limited"),
	"limits.address_messages_per_second": reason("rate_limited"),
	"limits.user_bytes_per_day":          reason("quota_exceeded"),
	"limits.address_bytes_per_day":       reason("quota_exceeded"),
	"limits.user_rooms_per_hour":         reason("too_many_new_rooms"),
	"limits.address_rooms_per_hour":      reason("too_many_new_rooms"),
	"limits.content":                     reason("content_too_long"),
	"limits.metadata":                    reason("metadata_too_long"),
	"limits.rooms":                       reason("too_many_rooms"),
	"limits.connections":                 status("503"),
	"limits.connections_per_address":     status("429"),
	"limits.handshakes_per_second":       status("503"),
}

// Refusals returns what the limits have refused since the process started, by setting. Limits
// that do not refuse but make wait are not in it, nor are those that nothing counts.
func (m *Metrics) Refusals() (map[string]Refusals, error) {
	families, err := m.registry.Gather()
	if err != nil {
		return nil, err
	}
	counts := map[series]uint64{}
	refusals := map[string]Refusals{}
	for _, f := range families {
		if f.GetType() != dto.MetricType_COUNTER {
			continue
		}
		for _, sample := range f.GetMetric() {
			for _, l := range sample.GetLabel() {
				s := series{f.GetName(), l.GetName(), l.GetValue()}
				counts[s] += uint64(sample.GetCounter().GetValue())
				if s.label == limitLabel {
					refusals["limits."+strings.TrimPrefix(s.value, "limits.")] = Refusals{s.String(), counts[s]}
				}
			}
		}
	}
	for setting, s := range refusalsBySetting {
		if _, counted := refusals[setting]; !counted {
			refusals[setting] = Refusals{s.String(), counts[s]}
		}
	}
	return refusals, nil
}
