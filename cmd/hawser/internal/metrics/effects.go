package metrics

import (
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// Effect is what a limit has done since the process started.
type Effect struct {
	Refused uint64
	Delayed uint64 // what had to wait
	Counter string // the metric that counts what was refused, or else what was delayed; "": nothing counts
}

// series is a counter with one label.
type series struct{ name, label, value string }

func (s series) String() string { return fmt.Sprintf("%s{%s=%q}", s.name, s.label, s.value) }

func refused(limit string) series { return series{"hawser_limit_refusals_total", "limit", limit} }
func delayed(limit string) series { return series{"hawser_limit_delays_total", "limit", limit} }
func reason(value string) series  { return series{"hawser_chat_refusals_total", "reason", value} }
func status(value string) series  { return series{"hawser_handshakes_total", "code", value} }
func cause(value string) series   { return series{"hawser_websockets_ended_total", "cause", value} }

// countedByKind are the counters of limits that have none of their own. Limits of one kind
// share a counter.
var countedByKind = map[string]series{
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

// Effects returns a function that returns the effect of a setting's limit. It is zero if
// that is not counted.
func (m *Metrics) Effects() (of func(setting string) Effect, err error) {
	counts, err := m.counts()
	if err != nil {
		return nil, err
	}
	return func(setting string) (e Effect) {
		limit := strings.TrimPrefix(setting, "limits.")
		for _, s := range []struct {
			series
			to *uint64
		}{{delayed(limit), &e.Delayed}, {refused(limit), &e.Refused}} {
			if n, counted := counts[s.series]; counted {
				*s.to, e.Counter = n, s.String()
			}
		}
		if s, counted := countedByKind[setting]; counted && e.Counter == "" {
			e = Effect{Refused: counts[s], Counter: s.String()}
		}
		return e
	}, nil
}

// counts are the values of all counters that have one label.
func (m *Metrics) counts() (map[series]uint64, error) {
	families, err := m.registry.Gather()
	if err != nil {
		return nil, err
	}
	counts := map[series]uint64{}
	for _, f := range families {
		if f.GetType() != dto.MetricType_COUNTER {
			continue
		}
		for _, sample := range f.GetMetric() {
			if l := sample.GetLabel(); len(l) == 1 {
				counts[series{f.GetName(), l[0].GetName(), l[0].GetValue()}] = uint64(sample.GetCounter().GetValue())
			}
		}
	}
	return counts, nil
}
