package wsconn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// reconnectTest is a Reconnector that runs, and the peers of its connections.
type reconnectTest struct {
	*Reconnector
	t        *testing.T
	dials    chan error // each dial takes one: nil for a connection
	peers    chan *wstest.Peer
	changes  chan Change
	messages chan string
	ran      <-chan error
	cancel   context.CancelFunc
}

const beatEvery = 10 * time.Second

func newReconnectTest(t *testing.T, cfg ReconnectorConfig) *reconnectTest {
	t.Helper()
	rt := &reconnectTest{
		t:     t,
		dials: make(chan error), peers: make(chan *wstest.Peer, 16),
		changes: make(chan Change, 64), messages: make(chan string, 16),
	}
	cfg.Dial = func(ctx context.Context) (*Conn, error) {
		select {
		case err := <-rt.dials:
			if err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		c, p := wstest.Client(t, nil)
		rt.peers <- p
		return c, nil
	}
	if cfg.Message == nil {
		cfg.Message = func(op frame.Opcode, p []byte) { rt.messages <- fmt.Sprintf("%v %q", op, p) }
	}
	cfg.State = func(ch Change) { rt.changes <- ch }
	cfg.Rand = func(n int64) int64 { return n / 2 }
	cfg.Heartbeat, cfg.HeartbeatMisses = beatEvery, 2
	var err error
	if rt.Reconnector, err = NewReconnector(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	rt.cancel = cancel
	rt.ran = started(func() error { return rt.Run(ctx) })
	t.Cleanup(cancel)
	return rt
}

// expect compares the next change, but for its error.
func (rt *reconnectTest) expect(want Change) (err error) {
	rt.t.Helper()
	got := receive(rt.t, rt.changes)
	err, got.Err = got.Err, nil
	if d := cmp.Diff(want, got); d != "" {
		rt.t.Fatalf("change (-want +got):\n%s", d)
	}
	return err
}

// open lets a connection be made.
func (rt *reconnectTest) open(failures int) *wstest.Peer {
	rt.t.Helper()
	rt.expect(Change{State: StateConnecting, Failures: failures})
	rt.dials <- nil
	rt.expect(Change{State: StateOpen})
	return receive(rt.t, rt.peers)
}

// wait lets the back-off pass.
func (rt *reconnectTest) wait(failures int, delay time.Duration) error {
	rt.t.Helper()
	err := rt.expect(Change{State: StateWaiting, Failures: failures, Delay: delay})
	time.Sleep(delay - 1)
	synctest.Wait()
	if len(rt.changes) > 0 {
		rt.t.Errorf("%v before the back-off was over", <-rt.changes)
	}
	time.Sleep(time.Nanosecond)
	return err
}

func (rt *reconnectTest) sending(ctx context.Context, s string) <-chan error {
	return started(func() error { return rt.Send(ctx, frame.Text, []byte(s)) })
}

// A connection that ends is followed by another, and messages go on.
func TestReconnector(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newReconnectTest(t, ReconnectorConfig{})
		early := rt.sending(bounded(t), "early")
		p := rt.open(0)
		p.Expect(`text "early"`)
		if err := receive(t, early); err != nil {
			t.Errorf("Send = %v", err)
		}
		p.Text("one")
		if got := receive(t, rt.messages); got != `text "one"` {
			t.Errorf("received %s", got)
		}
		p.Frame(0x88, "\x03\xf4")
		p.Expect(`close 1012 ""`)
		p.Close()
		var closed *CloseError
		if err := rt.wait(1, 250*time.Millisecond); !errors.As(err, &closed) || closed.Code != 1012 {
			t.Errorf("ended with %v; want 1012", err)
		}

		p = rt.open(1)
		p.Close()
		if err := rt.wait(2, 500*time.Millisecond); !errors.Is(err, io.EOF) {
			t.Errorf("ended with %v; want io.EOF", err)
		}
		rt.expect(Change{State: StateConnecting, Failures: 2})
		refused := errors.New("refused")
		rt.dials <- refused
		if err := rt.wait(3, time.Second); err != refused {
			t.Errorf("ended with %v; want %v", err, refused)
		}

		// One that was open for long enough is no failure.
		p = rt.open(3)
		for range 3 {
			time.Sleep(beatEvery)
			synctest.Wait()
			ev := p.Event()
			p.Frame(0x8a, string(ev.Payload))
			p.Text("settle")
			receive(t, rt.messages)
		}
		p.Close()
		rt.wait(1, 250*time.Millisecond)

		p = rt.open(1)
		rt.cancel()
		p.Expect(`close 1000 ""`)
		p.Frame(0x88, "\x03\xe8")
		p.Close()
		if err := receive(t, rt.ran); err != context.Canceled {
			t.Errorf("Run = %v; want context.Canceled", err)
		}
		rt.expect(Change{State: StateStopped})
		var unsent *NotSentError
		if err := rt.Send(bounded(t), frame.Text, []byte("late")); !errors.As(err, &unsent) || !errors.Is(err, ErrClosed) || string(unsent.Payload) != "late" {
			t.Errorf("Send = %v; want the message back, and ErrClosed", err)
		}
		if err := rt.Run(context.Background()); !errors.As(err, new(*wsproto.UsageError)) {
			t.Errorf("second Run = %v; want a UsageError", err)
		}
	})
}

// R21: a silent peer, for example one whose relay stopped forwarding, is declared
// dead after the misses, though nothing is ever closed.
func TestR21Heartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newReconnectTest(t, ReconnectorConfig{})
		p := rt.open(0)
		beat := func() {
			time.Sleep(beatEvery)
			synctest.Wait()
		}
		beat()
		p.Expect(`ping "1"`)
		beat() // the first miss
		p.Expect(`ping "2"`)
		p.Text("alive") // any byte is life
		receive(t, rt.messages)
		beat()
		p.Expect(`ping "3"`)
		beat()
		p.Expect(`ping "4"`)
		select {
		case ch := <-rt.changes:
			t.Fatalf("%v after one miss", ch)
		default:
		}
		beat() // the second in a row
		if err := rt.expect(Change{State: StateWaiting, Failures: 1, Delay: 250 * time.Millisecond}); err != ErrNoHeartbeat {
			t.Errorf("ended with %v; want ErrNoHeartbeat", err)
		}
		p.Expect("EOF")
	})
}

// While a message is being handled nothing is read, and the peer is not to blame.
func TestHeartbeatWhileHandling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handling, handled := make(chan struct{}), make(chan struct{})
		rt := newReconnectTest(t, ReconnectorConfig{Message: func(frame.Opcode, []byte) {
			handling <- struct{}{}
			<-handled
		}})
		p := rt.open(0)
		p.Text("slow")
		<-handling
		for i := range 4 {
			time.Sleep(beatEvery)
			synctest.Wait()
			p.Expect(fmt.Sprintf(`ping "%d"`, i+1))
		}
		handled <- struct{}{}
		p.Text("next")
		<-handling
		if len(rt.changes) > 0 {
			t.Errorf("%v while a message was handled", <-rt.changes)
		}
		handled <- struct{}{}
	})
}

// A message that was cut short by the end of its connection is sent again, whole.
func TestReconnectorResends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newReconnectTest(t, ReconnectorConfig{})
		p := rt.open(0)
		sent := rt.sending(bounded(t), "once")
		if _, err := io.ReadFull(p.NetConn(), make([]byte, 9)); err != nil { // of 10
			t.Fatal(err)
		}
		p.Close()
		rt.wait(1, 250*time.Millisecond)
		p = rt.open(1)
		p.Expect(`text "once"`)
		if err := receive(t, sent); err != nil {
			t.Errorf("Send = %v", err)
		}
	})
}

// A message that was not sent is returned with the reason.
func TestReconnectorNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newReconnectTest(t, ReconnectorConfig{})
		ctx, cancel := context.WithCancel(context.Background())
		sent := rt.sending(ctx, "waiting")
		cancel()
		var unsent *NotSentError
		if err := receive(t, sent); !errors.As(err, &unsent) || !errors.Is(err, context.Canceled) || string(unsent.Payload) != "waiting" || unsent.Opcode != frame.Text {
			t.Errorf("Send = %v; want the message back, and context.Canceled", err)
		}
		p := rt.open(0)
		if err := rt.Send(bounded(t), frame.Ping, nil); !errors.As(err, &unsent) || !errors.As(err, new(*wsproto.UsageError)) {
			t.Errorf("Send = %v; want a UsageError", err)
		}
		ctx, cancel = context.WithCancel(context.Background())
		sent = rt.sending(ctx, "cut")
		if _, err := io.ReadFull(p.NetConn(), make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
		cancel()
		if err := receive(t, sent); !errors.As(err, &unsent) || !errors.Is(err, context.Canceled) {
			t.Errorf("Send = %v; want context.Canceled", err)
		}
		if err := rt.wait(1, 250*time.Millisecond); !errors.Is(err, ErrClosed) {
			t.Errorf("ended with %v; want ErrClosed", err)
		}
	})
}

// Resume is first on each connection, and its failure fails the attempt.
func TestReconnectorResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := errors.New("not known")
		rt := newReconnectTest(t, ReconnectorConfig{Resume: func(ctx context.Context, c *Conn, before int) error {
			if err := c.Write(ctx, frame.Text, fmt.Appendf(nil, "resume after %d", before)); err != nil {
				return err
			}
			_, p, err := c.Read(ctx)
			if err == nil && string(p) != "ok" {
				err = failing
			}
			return err
		}})
		early := rt.sending(bounded(t), "early")
		attempt := func(failures int, want, answer string) *wstest.Peer {
			rt.expect(Change{State: StateConnecting, Failures: failures})
			rt.dials <- nil
			p := receive(t, rt.peers)
			p.Expect(want)
			p.Text(answer)
			return p
		}
		p := attempt(0, `text "resume after 0"`, "no")
		p.Expect(`close 1000 ""`)
		p.Close()
		if err := rt.wait(1, 250*time.Millisecond); !errors.Is(err, failing) {
			t.Errorf("ended with %v; want what Resume said", err)
		}
		p = attempt(1, `text "resume after 0"`, "ok")
		rt.expect(Change{State: StateOpen})
		p.Expect(`text "early"`)
		receive(t, early)
		p.Close()
		rt.wait(2, 500*time.Millisecond)
		attempt(2, `text "resume after 1"`, "ok")
		rt.expect(Change{State: StateOpen})
	})
}

func TestReconnectorAttemptTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rt := newReconnectTest(t, ReconnectorConfig{})
		rt.expect(Change{State: StateConnecting})
		time.Sleep(15 * time.Second)
		synctest.Wait()
		err := rt.expect(Change{State: StateWaiting, Failures: 1, Delay: 250 * time.Millisecond})
		if err == nil || err.Error() != "wsconn: no connection within 15s: context deadline exceeded" {
			t.Errorf("ended with %v", err)
		}
	})
}

func TestReconnectorGivesUp(t *testing.T) {
	refused := errors.New("refused")
	t.Run("budget", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rt := newReconnectTest(t, ReconnectorConfig{RetryBudget: 2})
			for i := range 3 {
				rt.expect(Change{State: StateConnecting, Failures: i})
				rt.dials <- refused
				if i < 2 {
					rt.wait(i+1, 250*time.Millisecond<<i)
				}
			}
			if err := receive(t, rt.ran); !errors.Is(err, refused) {
				t.Errorf("Run = %v; want %v", err, refused)
			}
			if err := rt.expect(Change{State: StateStopped}); !errors.Is(err, refused) {
				t.Errorf("stopped with %v; want %v", err, refused)
			}
		})
	})
	t.Run("Retry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rt := newReconnectTest(t, ReconnectorConfig{Retry: func(err error) bool { return err != refused }})
			rt.expect(Change{State: StateConnecting})
			rt.dials <- errors.New("busy")
			rt.wait(1, 250*time.Millisecond)
			rt.expect(Change{State: StateConnecting, Failures: 1})
			sent := rt.sending(context.Background(), "never")
			rt.dials <- refused
			if err := receive(t, rt.ran); err != refused {
				t.Errorf("Run = %v; want %v", err, refused)
			}
			if err := receive(t, sent); !errors.Is(err, refused) {
				t.Errorf("Send = %v; want %v", err, refused)
			}
		})
	})
	t.Run("waiting", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			rt := newReconnectTest(t, ReconnectorConfig{})
			rt.expect(Change{State: StateConnecting})
			rt.dials <- refused
			rt.expect(Change{State: StateWaiting, Failures: 1, Delay: 250 * time.Millisecond})
			rt.cancel()
			if err := receive(t, rt.ran); err != context.Canceled {
				t.Errorf("Run = %v; want context.Canceled", err)
			}
		})
	})
}

func TestReconnectorConfig(t *testing.T) {
	good := ReconnectorConfig{
		Dial:      func(context.Context) (*Conn, error) { return nil, nil },
		Message:   func(frame.Opcode, []byte) {},
		Heartbeat: 1, HeartbeatMisses: 1,
	}
	for name, spoil := range map[string]func(*ReconnectorConfig){
		"Dial":            func(c *ReconnectorConfig) { c.Dial = nil },
		"Message":         func(c *ReconnectorConfig) { c.Message = nil },
		"Heartbeat":       func(c *ReconnectorConfig) { c.Heartbeat = 0 },
		"HeartbeatMisses": func(c *ReconnectorConfig) { c.HeartbeatMisses = 0 },
		"AttemptTimeout":  func(c *ReconnectorConfig) { c.AttemptTimeout = -1 },
		"RetryBudget":     func(c *ReconnectorConfig) { c.RetryBudget = -1 },
	} {
		cfg := good
		spoil(&cfg)
		if _, err := NewReconnector(cfg); err == nil || !strings.Contains(err.Error(), "."+name+" ") {
			t.Errorf("NewReconnector with a bad %s = %v; want it named", name, err)
		}
	}
	r, err := NewReconnector(good)
	if err != nil {
		t.Fatal(err)
	}
	if n := r.RandInt64N()(10); n < 0 || n > 9 {
		t.Errorf("Rand(10) = %d", n)
	}
	for s := StateConnecting; s <= StateStopped+1; s++ {
		if s.String() == "" {
			t.Errorf("state %d has no name", s)
		}
	}
}
