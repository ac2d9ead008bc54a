package worker

import (
	"context"
	"errors"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
)

// beyond returns a worker at the other end of a pipe.
func beyond(t *testing.T, name string) Worker {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		Serve(context.Background(), there)
	}()
	w := newRemote(name, here, nil, nil)
	t.Cleanup(func() {
		w.Close()
		<-done
	})
	return w
}

type echo struct{}

func (echo) OnOpen(server.LoopConn)                                 {}
func (echo) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) { c.Send(op, p) }
func (echo) OnClose(server.LoopConn, error)                         {}

func echoServer(t *testing.T) (url string) {
	t.Helper()
	s, err := server.New(server.Config{Handler: echo{}, MaxConnsPerAddress: server.Off, Upgrader: handshake.Upgrader{Origins: []string{"*"}}})
	if err != nil {
		t.Fatal(err)
	}
	hs := httptest.NewServer(s)
	t.Cleanup(func() {
		hs.Close()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.Shutdown(ctx)
	})
	return "ws" + hs.URL[4:]
}

// Work by way of an agent comes to the same as work done here.
func TestAgentWorks(t *testing.T) {
	url := echoServer(t)
	remote := beyond(t, "agent")
	for name, w := range map[string]Worker{"local": &Local{}, "agent": remote} {
		t.Run(name, func(t *testing.T) {
			ctx := t.Context()
			defer w.Close()
			plan := load.Plan{Scenario: load.Echo, URL: url, Conns: 5, Size: 64, Rate: 500, Duration: 200 * time.Millisecond, Timeout: time.Second}
			job := Job{Plan: plan, Target: drive.Target{URL: url, Timeout: 5 * time.Second}, Share: load.Share{From: 0, To: 5}, Workers: 1, OneWay: true}
			if n, err := w.Fit(ctx, 5); err != nil || n < 5 {
				t.Fatalf("fits %d, %v", n, err)
			}
			if err := w.Prepare(ctx, job); err != nil {
				t.Fatal(err)
			}
			if err := w.Probe(ctx); err != nil {
				t.Fatal(err)
			}
			if err := w.Connect(ctx, drive.Ramp{Conns: 5}); err != nil {
				t.Fatal(err)
			}
			now, err := w.Clock(ctx)
			if err != nil {
				t.Fatal(err)
			}
			ramp, err := w.Sample(ctx)
			if err != nil || ramp.Ready != 5 || ramp.Tally.Handshake.Count() != 5 {
				t.Fatalf("%+v, %v", ramp, err)
			}
			if err := w.Begin(ctx, now); err != nil {
				t.Fatal(err)
			}
			time.Sleep(plan.Duration + 20*time.Millisecond)
			if _, err := w.Stop(ctx); err != nil {
				t.Fatal(err)
			}
			s, err := w.Sample(ctx)
			if err != nil {
				t.Fatal(err)
			}
			f, err := w.Finish(ctx, Ending{})
			if err != nil {
				t.Fatal(err)
			}
			s.Tally.Add(&f.Tally)
			if n := s.Tally.Sent + s.Tally.Postponed; n != 100 || f.Faults.Total() != 0 || f.Machine.Cores == 0 {
				t.Errorf("%d were due, faults %v, %+v", n, f.Faults, f.Machine)
			}
			if uint64(s.Tally.Latency.Count()) != s.Tally.Sent {
				t.Errorf("%d latencies of %d messages", s.Tally.Latency.Count(), s.Tally.Sent)
			}
			if err := w.Release(ctx); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// connected is a worker at the other end of a pipe.
func connected(t *testing.T) Worker {
	t.Helper()
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		Serve(context.Background(), there)
	}()
	w := newRemote("other end", here, nil, nil)
	t.Cleanup(func() {
		w.Close()
		<-done
	})
	return w
}

// A worker that has no connections goes along with the others.
func TestEmptyShare(t *testing.T) {
	for name, w := range map[string]Worker{"local": &Local{}, "remote": connected(t)} {
		ctx := t.Context()
		if err := w.Prepare(ctx, Job{Plan: load.Plan{Scenario: load.Echo}, Index: 1, Workers: 2}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := errors.Join(w.Connect(ctx, drive.Ramp{Conns: 0}), w.Begin(ctx, 0)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if sent, err := w.Stop(ctx); sent == nil || len(sent) != 0 || err != nil {
			t.Errorf("%s: %v, %v", name, sent, err)
		}
		if _, err := w.Finish(ctx, Ending{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An error of the agent's arrives as such, with its name.
func TestAgentFails(t *testing.T) {
	w := beyond(t, "agent far")
	job := Job{Plan: load.Plan{Scenario: load.Echo, Conns: 1, Size: 64, Inflight: 1}, Target: drive.Target{URL: "ftp://127.0.0.1/", Timeout: time.Second}, Share: load.Share{From: 0, To: 1}}
	if err := w.Prepare(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	if err := w.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "agent far: ") || !strings.Contains(err.Error(), `scheme is "ftp"`) {
		t.Errorf("%v", err)
	}
}

// far is a worker whose clock is ahead, and whose answers take time on the way
// back only: the worst case.
type far struct {
	Worker
	ahead int64
	delay time.Duration
}

func (f far) Clock(context.Context) (int64, error) {
	t := drive.Now() + f.ahead
	time.Sleep(f.delay)
	return t, nil
}

// The true offset lies within the error that is given.
func TestMeasureClock(t *testing.T) {
	for _, f := range []far{{ahead: 0}, {ahead: int64(time.Hour)}, {ahead: -int64(time.Hour), delay: time.Millisecond}} {
		got, err := MeasureClock(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Duration(got.Ahead - f.ahead).Abs(); off > got.Error+time.Microsecond {
			t.Errorf("%v: off by %v, and known to ±%v", f.ahead, off, got.Error)
		}
	}
}
