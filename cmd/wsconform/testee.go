package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// testee is the program that --exec started, or nothing.
type testee struct {
	cmd  *exec.Cmd
	done chan struct{}
	mu   sync.Mutex
	err  error // once done is closed
}

// start starts the command of --exec, with its output on our standard error.
func (o *options) start(ctx context.Context) (*testee, error) {
	if o.exec == "" {
		return &testee{}, nil
	}
	cmd := shell(o.exec)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	ownGroup(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("--exec: %w", err)
	}
	t := &testee{cmd: cmd, done: make(chan struct{})}
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
		if nc, err := s.target.Dial(ctx, o.run.TLS); err == nil {
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
			nc, err := s.target.Dial(ctx, o.run.TLS)
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
				return nil, fmt.Errorf("--exec: %q ended before it could be connected to%s", o.exec, t.how())
			case <-ctx.Done():
				t.stop()
				return nil, ctx.Err()
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return t, nil
}

// startClient starts the client.
func (o *options) startClient(ctx context.Context) (*testee, error) { return o.start(ctx) }

// exited is closed when the program has ended; nil, which blocks, without one.
func (t *testee) exited() <-chan struct{} { return t.done }

// died is an error if the program has ended.
func (t *testee) died() error {
	if t.cmd == nil {
		return nil
	}
	select {
	case <-t.done:
		return fmt.Errorf("the program under test has ended%s", t.how())
	default:
		return nil
	}
}

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

// stop ends the program: kindly first, after five seconds by force.
func (t *testee) stop() {
	if t.cmd == nil {
		return
	}
	select {
	case <-t.done:
		return
	default:
	}
	endGroup(t.cmd, false)
	for deadline := time.Now().Add(5 * time.Second); groupAlive(t.cmd); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			endGroup(t.cmd, true)
			break
		}
	}
	<-t.done
}
