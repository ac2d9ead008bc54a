package result

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/host"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
)

// Format is the version of the form. A file of another is refused.
const Format = 1

// Result is one run.
type Result struct {
	Format  int          `json:"format"`
	Version string       `json:"wsbench"` // of this program
	Began   time.Time    `json:"began"`
	Command []string     `json:"command"`
	Plan    load.Plan    `json:"plan"`
	Deflate bool         `json:"deflate"` // permessage-deflate was asked for and agreed on
	Machine host.Machine `json:"machine"` // the controller's
	Workers []WorkerNote `json:"workers"`
	Ramp    Ramp         `json:"ramp"`
	Seconds float64      `json:"seconds"` // measured
	// Partial says why this is not the whole run, and how far it came; empty: it is.
	Partial string `json:"partial,omitempty"`
	// Unanswered is how many messages a run that was cut short did not wait for.
	Unanswered uint64         `json:"unanswered,omitempty"`
	Total      load.Tally     `json:"total"`
	PerSecond  Rates          `json:"per_second"` // set by WriteJSON
	Faults     load.Faults    `json:"faults"`
	Ends       map[string]int `json:"ends,omitempty"` // how connections ended, or why they did not begin
	Intervals  []Interval     `json:"intervals"`
	Marks      []Mark         `json:"marks,omitempty"` // in the order of time
	Server     *Server        `json:"server,omitempty"`
	// ServerGone says what became of the server's processes; empty: they were there
	// until the end.
	ServerGone string   `json:"server_gone,omitempty"`
	Idle       *Idle    `json:"idle,omitempty"`
	Audit      Audit    `json:"audit"`
	Warnings   []string `json:"warnings,omitempty"`
}

// Rates are what readers of the file need not compute.
type Rates struct {
	Messages    float64 `json:"messages"` // received
	Connections float64 `json:"connections"`
}

// WorkerNote says what one worker was.
type WorkerNote struct {
	Name       string        `json:"name"`
	Threads    int           `json:"threads"`
	Conns      int           `json:"conns"`
	ClockError time.Duration `json:"clock_error_ns"` // 0: it has our clock
	Machine    host.Machine  `json:"machine"`
}

// Ramp is the time before the load, in which connections are made.
type Ramp struct {
	Seconds float64    `json:"seconds"`
	Tally   load.Tally `json:"tally"`
	// ServerCPU is what a connection cost the server, login included; 0: not known.
	ServerCPU time.Duration `json:"server_cpu_per_conn_ns,omitempty"`
}

// Interval is one second, or what --interval says, of the measured time. The last
// one is the answers that came after it.
type Interval struct {
	From  float64    `json:"from"` // seconds since the measured time began
	To    float64    `json:"to"`
	Tally load.Tally `json:"tally"`
	Ready int        `json:"ready"`

	ClientCPU float64 `json:"client_cpu"` // cores
	ClientRSS int64   `json:"client_rss"`
	ServerCPU float64 `json:"server_cpu,omitempty"`
	ServerRSS int64   `json:"server_rss,omitempty"`
}

// Mark is something that happened to the server on purpose: an upgrade, a failover.
type Mark struct {
	From float64 `json:"from"` // seconds since the measured time began
	To   float64 `json:"to"`
	Text string  `json:"text"` // the command that did it
	// Error says how the command failed; empty: it did not.
	Error string `json:"error,omitempty"`
}

// Server is what the processes of --pid or --cgroup used.
type Server struct {
	CPU        float64       `json:"cpu"`                // cores
	PerMessage time.Duration `json:"cpu_per_message_ns"` // received by the load; 0 if none was
	PerConn    time.Duration `json:"cpu_per_connection_ns,omitempty"`
	RSSBefore  int64         `json:"rss_before"` // before the first connection
	RSS        int64         `json:"rss"`
	RSSMax     int64         `json:"rss_max"`
}

// Idle is what held connections cost.
type Idle struct {
	Conns int `json:"conns"`
	// PerConn is the slope of the server's resident memory between a sixth and all
	// of the connections; FromZero is all of its growth, divided.
	PerConn  float64 `json:"rss_per_conn"`
	FromZero float64 `json:"rss_per_conn_from_zero"`
	// Joins is the growth of that memory after the log-ins, if connections join
	// rooms, divided.
	Joins float64 `json:"rss_per_conn_joins,omitempty"`
	// Kernel is the growth of the kernel's memory, divided, for one end where
	// both are on this machine.
	Kernel   float64 `json:"kernel_per_conn"`
	BothEnds bool    `json:"both_ends_here"`
}

// Audit is what the client says about itself.
type Audit struct {
	CPU        float64       `json:"cpu"`   // cores, of the busiest worker
	Share      float64       `json:"share"` // of the cores it could use
	LateP99    time.Duration `json:"late_p99_ns"`
	LateMax    time.Duration `json:"late_max_ns"`
	LagP99     time.Duration `json:"lag_p99_ns"`
	LagMax     time.Duration `json:"lag_max_ns"`
	GCs        uint64        `json:"gcs"`
	GCPause    time.Duration `json:"gc_pause_ns"`
	Bottleneck []string      `json:"bottleneck,omitempty"` // why the client limited the run; empty: it did not
}

// Rate is how many messages were received in a second.
func (r *Result) Rate() float64 {
	if r.Seconds == 0 {
		return 0
	}
	return float64(r.Total.Received) / r.Seconds
}

// ConnRate is how many connections were opened in a second, whenever they were due.
func (r *Result) ConnRate() float64 {
	if r.Seconds == 0 {
		return 0
	}
	return float64(r.Total.Opened) / r.Seconds
}

// Failures lists what makes a run a failed one, in words; none is success.
func (r *Result) Failures() (list []string) {
	for _, kind := range load.FaultKinds {
		if n := r.Faults.Count[kind]; n > 0 {
			list = append(list, fmt.Sprintf("%d messages %s", n, kind))
		}
	}
	if r.Plan.Sends() && r.Partial == "" && r.Total.Sent+r.Total.Postponed == 0 && len(list) == 0 {
		list = append(list, "no message was sent in the measured time")
	}
	if r.ServerGone != "" {
		list = append(list, "the server ended: "+r.ServerGone)
	}
	for _, m := range r.Marks {
		if m.Error != "" {
			list = append(list, fmt.Sprintf("the command at %.2f s failed", m.From))
		}
	}
	refused := r.Total.Refused + r.Ramp.Tally.Refused
	if refused > 0 {
		list = append(list, fmt.Sprintf("%d connections or requests refused", refused))
	}
	if broken := r.Total.Broken + r.Ramp.Tally.Broken; broken > 0 {
		list = append(list, fmt.Sprintf("%d connections broken", broken))
	}
	if r.Total.Postponed > 0 {
		list = append(list, fmt.Sprintf("%d that were due were never begun", r.Total.Postponed))
	}
	return list
}

// WriteJSON writes the result as JSON.
func (r *Result) WriteJSON(w io.Writer) error {
	r.PerSecond = Rates{r.Rate(), r.ConnRate()}
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// Load reads a file that WriteJSON wrote.
func Load(path string) (*Result, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r Result
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if r.Format != Format {
		return nil, fmt.Errorf("%s: format %d; this wsbench reads %d", path, r.Format, Format)
	}
	if r.Seconds <= 0 && r.Partial == "" || len(r.Workers) == 0 {
		return nil, fmt.Errorf("%s: not a run, as wsbench SCENARIO --json writes it", path)
	}
	return &r, nil
}
