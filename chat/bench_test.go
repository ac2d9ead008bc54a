package chat_test

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// writer is a peer that says its next message when the last was acknowledged.
type writer struct {
	acked chan struct{}
}

func (w *writer) SendPrepared(*wsproto.Prepared) error {
	w.acked <- struct{}{}
	return nil
}
func (w *writer) Close(code wsproto.CloseCode, reason string) { panic(fmt.Sprint(code, reason)) }
func (w *writer) Pause(bool)                                  {}
func (w *writer) Flushed(f func(int))                         { f(0) }

// silent sends to nobody, so that a benchmark measures the hub and the store.
type silent struct{}

func (silent) Join(chat.Socket)                     {}
func (silent) Leave(chat.Socket)                    {}
func (silent) Send(*wsproto.Prepared, chat.Urgency) {}

// BenchmarkWriters measures durable messages through hub and store: 100 writers in
// one room, each with one message on its way. Its messages/s depend on the disk's
// sync; the file system of TMPDIR is what is measured.
func BenchmarkWriters(b *testing.B) { benchmarkWriters(b, chat.Limits{}) }

// BenchmarkLimitedWriters is the same with every limit on, and none of them reached.
func BenchmarkLimitedWriters(b *testing.B) {
	const many = 1 << 30
	benchmarkWriters(b, chat.Limits{MessagesPerSecond: many, UserMessagesPerSecond: many / 2, AddressMessagesPerSecond: many / 2,
		UserBytesPerDay: many, AddressBytesPerDay: many, UserRoomsPerHour: many, AddressRoomsPerHour: many, UserRoomsPerDay: many,
		AddressRoomsPerDay: many, UserConnections: many, RoomMessagesPerSecond: many, RoomDeliveriesPerSecond: many,
		Roles: map[string]float64{"bot": 2}, Rooms: 100, Content: 500, Metadata: 4096, Errors: 10})
}

func benchmarkWriters(b *testing.B, limits chat.Limits) {
	const writers = 100
	hub := chat.New(chat.Config{
		Limits: limits,
		Engine: openStore(b, b.TempDir(), nil).Parts(), Auth: tokens{}, Log: slog.New(slog.DiscardHandler),
		NewFanout: func() chat.Fanout { return silent{} },
	})
	defer func() { (&house{t: b, hub: hub}).stop() }()
	turns := make(chan struct{}, b.N)
	for range b.N {
		turns <- struct{}{}
	}
	close(turns)
	message := []byte(`{"type":"group","timestamp":1754474400.5,"receiver_id":"lobby","content":"The quick brown fox jumps over the lazy dog","metadata":{"client":"bench"}}`)
	done := make(chan struct{})
	all := make([]*writer, writers)
	sessions := make([]*chat.Connection, writers)
	for i := range all {
		all[i] = &writer{acked: make(chan struct{}, 4)}
		sessions[i] = hub.Open(all[i], chat.ConnectionInfo{RemoteAddr: netip.MustParseAddrPort("192.0.2.1:1")})
		sessions[i].Handle(frame.Text, []byte(`{"type":"auth","token":"token-of-ada","features":["ack"]}`))
		<-all[i].acked
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i, w := range all {
		go func() {
			defer func() { done <- struct{}{} }()
			for range turns {
				sessions[i].Handle(frame.Text, message)
				<-w.acked
			}
		}()
	}
	for range all {
		<-done
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// BenchmarkHeartbeat measures what reading and answering a message costs by itself.
func BenchmarkHeartbeat(b *testing.B) {
	h := newHouse(b, nil)
	w := &writer{acked: make(chan struct{}, 1)}
	s := h.hub.Open(w, chat.ConnectionInfo{})
	b.ReportAllocs()
	for b.Loop() {
		s.Handle(frame.Text, []byte(`{"type":"heartbeat","timestamp":1754474400.5}`))
		<-w.acked
	}
}
