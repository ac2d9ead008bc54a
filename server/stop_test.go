package server

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// R24: a graceful stop sends everybody what was queued and then 1001, and leaves no
// goroutine, descriptor or count behind. (make faults does it with 10,000.)
func TestR24Stop(t *testing.T) {
	goroutines, descriptors := runtime.NumGoroutine(), openDescriptors(t)
	const n = 500
	opened := make(chan Conn, n)
	ts := start(t, Config{Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }}, MaxConnsPerAddress: Off})
	cs, hs := openMany(t, ts, opened, n)
	last := strings.Repeat("z", 10_000)
	for _, h := range hs {
		h.Send(frame.Text, []byte(last))
	}
	done := make(chan error, 1)
	go func() { done <- ts.Shutdown(context.Background()) }()
	for _, c := range cs {
		c.expect("text 10000 bytes", "close 1001")
		c.frame(0x88, "\x03\xe9")
		c.expect("EOF")
		c.nc.Close()
	}
	if err := receive(t, done); err != nil {
		t.Error(err)
	}
	if s := ts.Stats(); s.Open != 0 || s.Cut != 0 || s.Queued != 0 || s.Ended.ByUs != n {
		t.Errorf("%+v", s)
	}
	waitFor(t, func() bool { return runtime.NumGoroutine() <= goroutines && openDescriptors(t) <= descriptors })
}

// broken is a server whose loop cannot go on, in the way that its argument says.
func broken(args []string) error {
	h := funcs{message: func(LoopConn, frame.Opcode, []byte) { runtime.Goexit() }}
	s, err := New(Config{Handler: h, Loops: 1, newKernel: func() (kernel, error) {
		k := newPortable()
		if args[0] == "kernel" {
			k = &deaf{k}
		}
		return k, nil
	}})
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	far, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		return err
	}
	near, err := ln.Accept()
	if err != nil {
		return err
	}
	if _, err := s.Adopt(near, nil, handshake.Result{}, wsproto.Server); err != nil {
		return err
	}
	far.Write(masked(0x81, "go"))
	os.Stdin.Read(make([]byte, 1)) // unless the process ends first, and in failure
	return nil
}

// deaf is a kernel that cannot wait any more.
type deaf struct{ kernel }

func (k *deaf) wait(int) ([]event, error) { return nil, errors.New("no such kernel") }

// R27: where a loop cannot go on, the process ends, and not in success: its
// connections would else hang for ever.
func TestR27LoopEnds(t *testing.T) {
	for how, want := range map[string]string{
		"kernel": "panic: server: internal error: wait for events: no such kernel",
		"goexit": "panic: server: internal error: a loop's goroutine ended",
	} {
		t.Run(how, func(t *testing.T) {
			c := spawn(t, "broken", how)
			ended := make(chan error, 1)
			go func() { ended <- c.cmd.Wait() }() // its input does not end
			err := receive(t, ended)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() <= 0 {
				t.Errorf("it ended with %v", err)
			}
			if !strings.Contains(c.log(), want) {
				t.Errorf("its log does not say %q:\n%s", want, c.log())
			}
		})
	}
}
