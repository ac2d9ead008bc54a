package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/drive"
)

// Serve answers a controller's calls on a stream until it ends.
func Serve(ctx context.Context, stream io.ReadWriteCloser) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := &Local{}
	defer w.Close()
	s := rpc.NewServer()
	if err := s.RegisterName("worker", &served{ctx, w}); err != nil {
		panic("worker: internal error: " + err.Error())
	}
	s.ServeCodec(ending{jsonrpc.NewServerCodec(stream), cancel})
}

// ending detects the end of the input. ServeCodec would still wait for the running calls,
// but their answers are no longer needed.
type ending struct {
	rpc.ServerCodec
	end func()
}

func (e ending) ReadRequestHeader(r *rpc.Request) error {
	err := e.ServerCodec.ReadRequestHeader(r)
	if err != nil {
		e.end()
	}
	return err
}

// served is Local in the shape that net/rpc wants.
type served struct {
	ctx context.Context
	w   *Local
}

// None stands for no argument, or no answer.
type None struct{}

func (s *served) Hello(_ None, out *string) error {
	*out = language
	return nil
}

func (s *served) Clock(_ None, out *int64) (err error) {
	*out, err = s.w.Clock(s.ctx)
	return err
}

func (s *served) Fit(conns int, out *int) (err error) {
	*out, err = s.w.Fit(s.ctx, conns)
	return err
}

func (s *served) Prepare(j Job, _ *None) error  { return s.w.Prepare(s.ctx, j) }
func (s *served) Probe(_ None, _ *None) error   { return s.w.Probe(s.ctx) }
func (s *served) Begin(at int64, _ *None) error { return s.w.Begin(s.ctx, at) }
func (s *served) Release(_ None, _ *None) error { return s.w.Release(s.ctx) }

func (s *served) Connect(r drive.Ramp, _ *None) error { return s.w.Connect(s.ctx, r) }

func (s *served) Sample(_ None, out *Sample) (err error) {
	*out, err = s.w.Sample(s.ctx)
	return err
}

func (s *served) Stop(_ None, out *map[uint32]uint32) (err error) {
	*out, err = s.w.Stop(s.ctx)
	if *out == nil { // it would become null, which the other side takes for an error
		*out = map[uint32]uint32{}
	}
	return err
}

func (s *served) Finish(e Ending, out *Final) (err error) {
	*out, err = s.w.Finish(s.ctx, e)
	return err
}

// LostError says that a worker is lost, or could not be reached.
type LostError struct {
	Err  error
	Said string // the end of what it has written to standard error
}

func (e *LostError) Error() string {
	if e.Said == "" {
		return e.Err.Error()
	}
	return e.Err.Error() + "; it said: " + e.Said
}

func (e *LostError) Unwrap() error { return e.Err }

// remote is a worker at the other end of a stream.
type remote struct {
	c    *rpc.Client
	name string
	said func() string // what it has written to standard error; or nil
	end  func() error  // called by Close, or nil
}

// newRemote returns a worker at the other end of a stream. name is for errors.
func newRemote(name string, stream io.ReadWriteCloser, said func() string, end func() error) *remote {
	return &remote{jsonrpc.NewClient(&asked{ReadWriteCloser: stream, first: make(chan struct{})}), name, said, end}
}

// asked is a stream that is read from its first write on. Package rpc keeps an error of
// reading for the calls that are waiting, and tells later ones only that it has shut down.
type asked struct {
	io.ReadWriteCloser
	first chan struct{}
	once  sync.Once
}

func (a *asked) Read(p []byte) (int, error) {
	<-a.first
	return a.ReadWriteCloser.Read(p)
}

func (a *asked) Write(p []byte) (int, error) {
	defer a.once.Do(func() { close(a.first) })
	return a.ReadWriteCloser.Write(p)
}

func (a *asked) Close() error {
	a.once.Do(func() { close(a.first) })
	return a.ReadWriteCloser.Close()
}

// language is what controllers and workers speak; a change of their calls changes it.
const language = "wsbench 3"

// hello finds out whether a worker of this version is there.
func (r *remote) hello(ctx context.Context) error {
	var got string
	err := r.call(ctx, "Hello", None{}, &got)
	if err == nil && got != language {
		err = &LostError{Err: fmt.Errorf("%s is of another version of wsbench: it speaks %q, and we %q", r.name, got, language)}
	}
	return err
}

// callTimeout is how long a worker may take for a short call.
const callTimeout = 10 * time.Second

// pingEvery is how often a worker that may take longer is asked for a sign of
// life.
const pingEvery = 2 * time.Second

// call makes a call that a worker can answer at once.
func (r *remote) call(ctx context.Context, method string, in, out any) error {
	limited, cancel := context.WithTimeoutCause(ctx, callTimeout, &LostError{Err: fmt.Errorf("%s has not answered for %v", r.name, callTimeout)})
	defer cancel()
	return r.wait(ctx, limited, method, in, out)
}

// longCall makes a call that may take any time. It waits as long as the worker answers
// pings.
func (r *remote) longCall(ctx context.Context, method string, in, out any) error {
	alive, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	go func() {
		tick := time.NewTicker(pingEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-alive.Done():
				return
			}
			if _, err := r.Clock(alive); err != nil {
				giveUp(err)
				return
			}
		}
	}()
	return r.wait(ctx, alive, method, in, out)
}

// wait waits for an answer as long as limited goes on, which is a part of ctx.
func (r *remote) wait(ctx, limited context.Context, method string, in, out any) error {
	done := make(chan error, 1)
	var answer json.RawMessage // which may still arrive when this has returned
	// Sending may block, too.
	go func() { done <- r.c.Call("worker."+method, in, &answer) }()
	var err error
	select {
	case err = <-done:
	case <-limited.Done():
		if err := ctx.Err(); err != nil {
			return err
		}
		r.c.Close() // otherwise each further call would wait in vain as well
		return context.Cause(limited)
	}
	switch {
	case err == nil:
		if err := json.Unmarshal(answer, out); err != nil {
			return fmt.Errorf("%s: its answer to %s: %w", r.name, method, err)
		}
		return nil
	case errors.As(err, new(rpc.ServerError)):
		return fmt.Errorf("%s: %w", r.name, err)
	case errors.Is(err, rpc.ErrShutdown) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.EPIPE) || errors.Is(err, os.ErrClosed):
		err = errors.New(r.name + " is gone: it ended, was interrupted, or its connection broke")
	default:
		err = fmt.Errorf("%s: %w", r.name, err)
	}
	lost := &LostError{Err: err}
	if r.said != nil {
		lost.Said = r.said()
	}
	return lost
}

func (r *remote) Clock(ctx context.Context) (t int64, err error) {
	err = r.call(ctx, "Clock", None{}, &t)
	return t, err
}

func (r *remote) Fit(ctx context.Context, conns int) (n int, err error) {
	err = r.call(ctx, "Fit", conns, &n)
	return n, err
}

func (r *remote) Prepare(ctx context.Context, j Job) error {
	return r.longCall(ctx, "Prepare", j, new(None))
}

func (r *remote) Probe(ctx context.Context) error {
	return r.longCall(ctx, "Probe", None{}, new(None))
}

func (r *remote) Connect(ctx context.Context, ramp drive.Ramp) error {
	return r.longCall(ctx, "Connect", ramp, new(None))
}

func (r *remote) Sample(ctx context.Context) (s Sample, err error) {
	err = r.call(ctx, "Sample", None{}, &s)
	return s, err
}

func (r *remote) Begin(ctx context.Context, at int64) error {
	return r.call(ctx, "Begin", at, new(None))
}

func (r *remote) Stop(ctx context.Context) (sent map[uint32]uint32, err error) {
	err = r.call(ctx, "Stop", None{}, &sent)
	return sent, err
}

func (r *remote) Finish(ctx context.Context, e Ending) (f Final, err error) {
	err = r.longCall(ctx, "Finish", e, &f)
	return f, err
}

func (r *remote) Release(ctx context.Context) error {
	return r.call(ctx, "Release", None{}, new(None))
}

func (r *remote) Close() error {
	err := r.c.Close()
	if r.end != nil {
		err = errors.Join(err, r.end())
	}
	return err
}
