package result

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/latency"
)

// WriteCSV writes one line for each interval. Latencies are in microseconds,
// memory is in bytes, CPU in cores. In a run that was cut short each line says so in
// the last column.
func (r *Result) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	head := []string{"from_s", "to_s", "sent", "received", "bytes", "latency_p50_us", "latency_p90_us", "latency_p99_us", "latency_p999_us", "latency_max_us",
		"late_p99_us", "handshakes", "handshake_p50_us", "handshake_p99_us", "ready", "broken", "refused", "server_cpu", "server_rss", "client_cpu", "client_rss", "partial"}
	out.Write(head)
	for i := range r.Intervals {
		v := &r.Intervals[i]
		t := &v.Tally
		us := func(h *latency.Histogram, p float64) string {
			if h.Count() == 0 {
				return ""
			}
			return fmt.Sprintf("%.1f", float64(h.Percentile(p))/1e3)
		}
		n := func(v uint64) string { return strconv.FormatUint(v, 10) }
		out.Write([]string{fmt.Sprintf("%.3f", v.From), fmt.Sprintf("%.3f", v.To), n(t.Sent), n(t.Received), n(t.BytesIn),
			us(&t.Latency, 50), us(&t.Latency, 90), us(&t.Latency, 99), us(&t.Latency, 99.9), us(&t.Latency, 100), us(&t.Late, 99),
			n(t.Opened), us(&t.Handshake, 50), us(&t.Handshake, 99), strconv.Itoa(v.Ready), n(t.Broken), n(t.Refused),
			fmt.Sprintf("%.3f", v.ServerCPU), strconv.FormatInt(v.ServerRSS, 10), fmt.Sprintf("%.3f", v.ClientCPU), strconv.FormatInt(v.ClientRSS, 10), r.Partial})
	}
	if len(r.Intervals) == 0 && r.Partial != "" {
		row := make([]string, len(head))
		row[len(row)-1] = r.Partial
		out.Write(row)
	}
	out.Flush()
	return out.Error()
}
