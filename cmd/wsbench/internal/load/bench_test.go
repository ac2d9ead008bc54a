package load

import (
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// mirror is a link that keeps the last message, to be given back.
type mirror struct{ p []byte }

func (m *mirror) Send(_ frame.Opcode, p []byte) error {
	m.p = append(m.p[:0], p...)
	return nil
}
func (m *mirror) Close(wsproto.CloseCode, string) error { return nil }
func (m *mirror) Pause(bool)                            {}

type noDialer struct{}

func (noDialer) Dial(*Member) {}

// BenchmarkEcho is the cost of the load itself for each echo, with all checks:
// handling an answer and sending the next message.
func BenchmarkEcho(b *testing.B) {
	plan := Plan{Scenario: Echo, Conns: 1000, Size: 128, Inflight: 1, Duration: time.Hour, Timeout: time.Hour, Seed: 1}
	if err := plan.Check(); err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	l := New(&plan, Share{0, plan.Conns}, 1, func() int64 { return int64(time.Since(began)) }, noDialer{})
	var links []*mirror
	for _, m := range l.Members() {
		l.Connect(m, All)
		links = append(links, &mirror{})
		m.Shard.Opened(m, links[m.ID], 0)
	}
	l.Start(0, 0, 1)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		m := l.Members()[n%len(links)]
		m.Shard.Message(m, links[m.ID], frame.Text, links[m.ID].p)
		n++
	}
	if got := l.Take().Received; got != uint64(n) {
		b.Fatalf("%d of %d messages received", got, n)
	}
}
