package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/group"
)

// testee is the program that --exec started, or nothing.
type testee struct {
	cmd   *exec.Cmd
	guard *group.Guard
	ctx   context.Context // of the run
	done  chan struct{}
	mu    sync.Mutex
	err   error // valid when done is closed
}

// start starts the command of --exec, with its output on our standard error.
func (o *options) start(ctx context.Context) (*testee, error) {
	if o.exec == "" {
		return &testee{}, nil
	}
	cmd := group.Shell(o.exec)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	guard, err := group.Start(cmd, (*exec.Cmd).Start)
	if err != nil {
		return nil, fmt.Errorf("--exec: %w", err)
	}
	t := &testee{cmd: cmd, guard: guard, done: make(chan struct{}), ctx: ctx}
	go func() {
		err := cmd.Wait()
		t.mu.Lock()
		t.err = err
		t.mu.Unlock()
		close(t.done)
	}()
	return t, nil
}

// startServer starts the server and waits until it can be connected to.
func (o *options) startServer(ctx context.Context, servers []serverUnderTest) (*testee, error) {
	for _, s := range servers {
		if o.exec == "" {
			break
		}
		if nc, err := o.dial(ctx, s); err == nil {
			nc.Close()
			return nil, fmt.Errorf("--exec: something else answers at %s already", s.URL)
		}
	}
	t, err := o.start(ctx)
	if err != nil || t.cmd == nil {
		return t, err
	}
	deadline := time.Now().Add(o.wait)
	for _, s := range servers {
		for {
			nc, err := o.dial(ctx, s)
			if err == nil {
				nc.Close()
				break
			}
			if time.Now().After(deadline) {
				t.stop()
				return nil, fmt.Errorf("--exec: nothing answers at %s after %v: %w", s.URL, o.wait, err)
			}
			select {
			case <-t.done:
				t.stop()
				return nil, fmt.Errorf("--exec: %q ended before it could be connected to%s", o.exec, t.how())
			case <-ctx.Done():
				t.stop()
				return nil, context.Cause(ctx)
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return t, nil
}

// startClient starts the client.
func (o *options) startClient(ctx context.Context) (*testee, error) { return o.start(ctx) }

// exited returns a channel that is closed when the program has ended; nil without one.
func (t *testee) exited() <-chan struct{} { return t.done }

// restarter starts a server again that has ended in a case.
type restarter struct {
	o       *options
	servers []serverUnderTest
	stderr  io.Writer
	testee  *testee
}

// again ends what is left of the server, and starts it again. It says how it ended.
func (r *restarter) again(ctx context.Context) (how string, err error) {
	select {
	case <-r.testee.exited():
		how = r.testee.how()
	case <-time.After(endTime):
		how = ": it runs, and takes no connections"
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	r.testee.stop()
	fmt.Fprintf(r.stderr, "wsconform: the program under test has ended%s; it is started again\n", how)
	t, err := r.o.startServer(ctx, r.servers)
	if err != nil {
		return how, err
	}
	r.testee = t
	return how, nil
}

func (r *restarter) stop() { r.testee.stop() }

// how says how the program ended, if it did.
func (t *testee) how() string {
	if t.cmd == nil {
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return ": " + t.err.Error()
	}
	return ""
}

// How long the program may take to end, and when the run was interrupted.
const (
	endTime    = 5 * time.Second
	endTimeCut = time.Second
)

// stop ends the program and all processes it has started, first by SIGTERM, then by
// force.
func (t *testee) stop() {
	if t.cmd == nil {
		return
	}
	defer t.guard.Stop()
	limit := endTime
	if t.ctx.Err() != nil {
		limit = endTimeCut
	}
	group.End(t.cmd, false)
	for deadline := time.Now().Add(limit); group.Alive(t.cmd); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			group.End(t.cmd, true)
			break
		}
	}
	<-t.done
}
