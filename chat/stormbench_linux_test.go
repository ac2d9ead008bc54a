package chat_test

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// returner is a client that resumes its session each time its connection is lost.
type returner struct {
	conn                    *chat.Connection
	session, key, positions string

	mu     sync.Mutex
	joined []string // positions, as members of a JSON object
	back   *sync.WaitGroup
}

func (r *returner) SendPrepared(m *wsproto.Prepared) error {
	p := string(m.Payload())
	switch {
	case strings.HasPrefix(p, `{"type":"auth_ok"`):
		r.session, r.key = quoted(p, `"session_id":"`), quoted(p, `"resume_key":"`)
		if r.positions == "" {
			r.back.Done()
		}
	case strings.HasPrefix(p, `{"type":"ack"`):
		r.mu.Lock()
		r.joined = append(r.joined, `"`+quoted(p, `"receiver_id":"`)+`":"`+quoted(p, `"position":"`)+`"`)
		r.mu.Unlock()
		r.back.Done()
	case strings.Contains(p, `"status":"done"`):
		r.back.Done()
	default:
		panic(p)
	}
	return nil
}
func (r *returner) Close(code wsproto.CloseCode, reason string) { panic(fmt.Sprint(code, reason)) }
func (r *returner) Pause(bool)                                  {}
func (r *returner) Flushed(f func(int))                         { f(0) }

// quoted returns what follows a text, up to the next quote.
func quoted(p, after string) string {
	_, rest, _ := strings.Cut(p, after)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

// cpuTime is what this process has used of the processors.
func cpuTime() time.Duration {
	var use syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &use)
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// BenchmarkStorm measures, for each client, hub and store when many clients lose their
// connections at once and resume their sessions: each is in 10 rooms of 10, and has missed
// nothing.
func BenchmarkStorm(b *testing.B) {
	const clients, rooms, roomSize = 3000, 10, 10
	store := openStore(b, b.TempDir(), nil)
	hub := chat.New(chat.Config{
		Limits: chat.Limits{Rooms: rooms}, Queue: clients, OperationTimeout: time.Minute,
		Engine: store.Parts(), Auth: tokens{}, Log: slog.New(slog.DiscardHandler),
		NewFanout: func() chat.Fanout { return silent{} },
	})
	defer func() { (&house{t: b, hub: hub}).stop() }()
	var back sync.WaitGroup
	all := make([]*returner, clients)
	for i := range all {
		if err := store.PutUser(ctx, chat.User{ID: fmt.Sprintf("u_%d", i), Name: "Ada"}); err != nil {
			b.Fatal(err)
		}
		r := &returner{back: &back}
		all[i] = r
		r.conn = hub.Open(r, chat.ConnectionInfo{})
		back.Add(1)
		r.conn.Handle(frame.Text, fmt.Appendf(nil, `{"type":"auth","token":"token-of-%d"}`, i))
		back.Wait()
		back.Add(rooms)
		for j := range rooms {
			r.conn.Handle(frame.Text, fmt.Appendf(nil, `{"type":"join","receiver_id":"room_%d_%d"}`, (i+j*131)%(clients/roomSize), j))
		}
		back.Wait()
		r.positions = "{" + strings.Join(r.joined, ",") + "}"
	}
	b.ReportAllocs()
	b.ResetTimer()
	began := cpuTime()
	storms := 0
	for b.Loop() {
		storms++
		for _, r := range all {
			r.conn.Closed()
		}
		back.Add(clients)
		for _, r := range all {
			r.conn = hub.Open(r, chat.ConnectionInfo{})
			r.conn.Handle(frame.Text, fmt.Appendf(nil, `{"type":"auth","session_id":%q,"resume_key":%q,"resume":{"positions":%s}}`, r.session, r.key, r.positions))
		}
		back.Wait()
	}
	b.ReportMetric(float64((cpuTime()-began).Microseconds())/float64(storms*clients), "cpu-µs/client")
}
