package doorbell

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// silent is a chat.Receiver that ignores everything.
type silent struct{}

func (silent) Deliver(chat.Conversation, *chat.Change) {}
func (silent) Lost(chat.Conversation, chat.Tail)       {}
func (silent) Here(string, chat.PresenceEvent)         {}
func (silent) Renamed(chat.User)                       {}
func (silent) Member(string, string, bool)             {}
func (silent) Ended(string, string, chat.Ending)       {}
func (silent) Banned(chat.Ban)                         {}

// BenchmarkProbe prints what a probe of 10,000 conversations costs a node when nothing has
// happened, and what a node keeps of each.
func BenchmarkProbe(b *testing.B) {
	const conversations = 10_000
	l := newLedger()
	var names []chat.Conversation
	for i := range conversations {
		names = append(names, chat.RoomConversation(fmt.Sprint("room-", i)))
		l.append(names[i], 1)
	}
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc)
	}
	before := heap()
	n := Attach(silent{}, source{l}, Config{ProbeEvery: time.Hour})
	defer n.Detach()
	for _, c := range names {
		if _, err := n.Subscribe(ctx, c); err != nil {
			b.Fatal(err)
		}
	}
	kept := heap() - before
	for b.Loop() {
		if err := n.probe(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(kept/conversations, "B/conversation")
}
