package worker

import (
	"context"
	"errors"
	"io"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
)

// A worker that is there and says nothing is given up, whatever it was asked, and
// not waited for again.
func TestSilentWorker(t *testing.T) {
	for name, ask := range map[string]func(ctx context.Context, w Worker) error{
		"Clock":   func(ctx context.Context, w Worker) error { _, err := w.Clock(ctx); return err },
		"Fit":     func(ctx context.Context, w Worker) error { _, err := w.Fit(ctx, 1); return err },
		"Prepare": func(ctx context.Context, w Worker) error { return w.Prepare(ctx, Job{}) },
		"Probe":   func(ctx context.Context, w Worker) error { return w.Probe(ctx) },
		"Connect": func(ctx context.Context, w Worker) error { return w.Connect(ctx, drive.Ramp{Conns: 1}) },
		"Sample":  func(ctx context.Context, w Worker) error { _, err := w.Sample(ctx); return err },
		"Begin":   func(ctx context.Context, w Worker) error { return w.Begin(ctx, 0) },
		"Stop":    func(ctx context.Context, w Worker) error { _, err := w.Stop(ctx); return err },
		"Finish":  func(ctx context.Context, w Worker) error { _, err := w.Finish(ctx, Ending{}); return err },
		"Release": func(ctx context.Context, w Worker) error { return w.Release(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				if name != "Sample" { // which it does not even read
					go io.Copy(io.Discard, there)
				}
				w := newRemote("stopped", here, nil, nil)
				defer w.Close()
				began := time.Now()
				err := ask(t.Context(), w)
				if took := time.Since(began); !errors.As(err, new(*LostError)) || took > callTimeout+pingEvery {
					t.Errorf("%v, after %v", err, took)
				}
				began = time.Now()
				if err := w.Release(t.Context()); err == nil || time.Since(began) != 0 {
					t.Errorf("then %v, after %v", err, time.Since(began))
				}
			})
		})
	}
}

// patient is a worker that takes an hour to connect.
type patient struct{}

func (patient) Clock(_ None, out *int64) error { return nil }

func (patient) Connect(r drive.Ramp, _ *None) error {
	time.Sleep(time.Hour)
	return nil
}

// One that is at work is waited for.
func TestSlowWorker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		s := rpc.NewServer()
		if err := s.RegisterName("worker", patient{}); err != nil {
			t.Fatal(err)
		}
		var served sync.WaitGroup
		served.Go(func() { s.ServeCodec(jsonrpc.NewServerCodec(there)) })
		w := newRemote("slow", here, nil, nil)
		defer served.Wait()
		defer w.Close()
		if err := w.Connect(t.Context(), drive.Ramp{Conns: 1}); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.Connect(ctx, drive.Ramp{Conns: 1}); err != context.DeadlineExceeded {
			t.Errorf("%v, want the end of the context", err)
		}
	})
}

// A child that does not end is killed.
func TestStoppedChild(t *testing.T) {
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	cmd.Process.Signal(syscall.SIGSTOP)
	await(cmd, time.Millisecond)
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", cmd.ProcessState)
	}
}

// A call of a controller that is gone is not carried out to the end.
func TestControllerGone(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") // it accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	url := "ws://" + ln.Addr().String()
	here, there := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		Serve(context.Background(), there)
	}()
	w := newRemote("worker", here, nil, nil)
	job := Job{Plan: load.Plan{Scenario: load.Echo, URL: url, Conns: 1, Size: 64, Rate: 1}, Share: load.Share{From: 0, To: 1}, Workers: 1,
		Target: drive.Target{URL: url, Timeout: time.Hour}}
	if err := w.Prepare(t.Context(), job); err != nil {
		t.Fatal(err)
	}
	asked, cancel := context.WithCancel(t.Context())
	go w.Probe(asked)
	nc, err := ln.Accept() // so the probe has begun
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	cancel()
	w.Close()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the worker goes on")
	}
}
