package load

import (
	"fmt"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/latency"
)

// Tally is what was counted in some time.
type Tally struct {
	Sent      uint64 `json:"sent"`
	Received  uint64 `json:"received"`
	BytesIn   uint64 `json:"bytes_in"`            // payload bytes, of which Received counts the messages
	Opened    uint64 `json:"opened"`              // connections
	Refused   uint64 `json:"refused"`             // connections that could not be opened
	Closed    uint64 `json:"closed"`              // by us, in order
	Broken    uint64 `json:"broken"`              // connections that ended without our asking
	Postponed uint64 `json:"postponed,omitempty"` // messages due while no connection could send

	Latency   latency.Histogram `json:"latency"`          // of a message: due to received
	Last      latency.Histogram `json:"last_receiver"`    // of a fan-out: due to received by the last
	Late      latency.Histogram `json:"sender_lateness"`  // due to sent
	Lag       latency.Histogram `json:"client_lag"`       // of our event loop: called to running
	Handshake latency.Histogram `json:"handshake"`        // due to open
	TCP       latency.Histogram `json:"tcp_connect"`      // the part of it that TCP took
	Token     latency.Histogram `json:"token"`            // a request for one
	Login     latency.Histogram `json:"login"`            // open to ready, where a protocol has a login
	Join      latency.Histogram `json:"join"`             // of all rooms, where that is done later
	Closing   latency.Histogram `json:"closing"`          // our Close to the end
	Back      latency.Histogram `json:"back_after_storm"` // the storm to the connection's first answer
}

// Add adds what o counted.
func (t *Tally) Add(o *Tally) {
	t.Sent += o.Sent
	t.Received += o.Received
	t.BytesIn += o.BytesIn
	t.Opened += o.Opened
	t.Refused += o.Refused
	t.Closed += o.Closed
	t.Broken += o.Broken
	t.Postponed += o.Postponed
	mine, theirs := t.histograms(), o.histograms()
	for i := range mine {
		mine[i].Add(theirs[i])
	}
}

// Pack makes a tally small that is kept for long.
func (t *Tally) Pack() {
	for _, h := range t.histograms() {
		h.Pack()
	}
}

func (t *Tally) histograms() []*latency.Histogram {
	return []*latency.Histogram{&t.Latency, &t.Last, &t.Late, &t.Lag, &t.Handshake, &t.TCP, &t.Token, &t.Login, &t.Join, &t.Closing, &t.Back}
}

// take returns a copy and empties t.
func (t *Tally) take() Tally {
	out := Tally{Sent: t.Sent, Received: t.Received, BytesIn: t.BytesIn, Opened: t.Opened, Refused: t.Refused, Closed: t.Closed, Broken: t.Broken, Postponed: t.Postponed}
	t.Sent, t.Received, t.BytesIn, t.Opened, t.Refused, t.Closed, t.Broken, t.Postponed = 0, 0, 0, 0, 0, 0, 0, 0
	mine, theirs := out.histograms(), t.histograms()
	for i := range mine {
		*mine[i] = theirs[i].Take()
	}
	return out
}

// Fault is what can be wrong with a message.
type Fault string

const (
	Lost        Fault = "lost"
	Doubled     Fault = "doubled"
	Reordered   Fault = "out of order"
	Corrupted   Fault = "corrupted"
	Unsolicited Fault = "unsolicited"
)

// FaultKinds lists them all, the gravest first.
var FaultKinds = []Fault{Lost, Doubled, Reordered, Corrupted, Unsolicited}

// Faults are the messages that were not delivered as they should have been, and
// for each kind the first few, by name.
type Faults struct {
	Count    map[Fault]uint64   `json:"count"`
	Examples map[Fault][]string `json:"examples,omitempty"`
}

// maxExamples bounds how many of each kind are named.
const maxExamples = 5

// note counts n messages and names them.
func (f *Faults) note(kind Fault, n uint64, format string, args ...any) {
	f.name(kind, n, fmt.Sprintf(format, args...))
}

// name counts n messages, and keeps what names them while there is room.
func (f *Faults) name(kind Fault, n uint64, examples ...string) {
	f.add(kind, n)
	room := maxExamples - len(f.Examples[kind])
	f.Examples[kind] = append(f.Examples[kind], examples[:max(0, min(room, len(examples)))]...)
}

func (f *Faults) add(kind Fault, n uint64) {
	if f.Count == nil {
		f.Count, f.Examples = map[Fault]uint64{}, map[Fault][]string{}
	}
	f.Count[kind] += n
}

// Add adds those of another shard or worker.
func (f *Faults) Add(o Faults) {
	for kind, n := range o.Count {
		f.add(kind, n)
		list := append(f.Examples[kind], o.Examples[kind]...)
		f.Examples[kind] = list[:min(len(list), maxExamples)]
	}
}

// Total is the number of all faults.
func (f *Faults) Total() (n uint64) {
	for _, v := range f.Count {
		n += v
	}
	return n
}
