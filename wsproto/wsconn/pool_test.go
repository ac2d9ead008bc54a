package wsconn_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// poolTest is a pool and the peers of its connections.
type poolTest struct {
	*Pool
	t     *testing.T
	peers chan *wstest.Peer
	fail  error // of the next dials
}

func newPoolTest(t *testing.T, cfg PoolConfig) *poolTest {
	t.Helper()
	pt := &poolTest{t: t, peers: make(chan *wstest.Peer, 16)}
	cfg.Dial = func(context.Context) (*Conn, error) {
		if pt.fail != nil {
			return nil, pt.fail
		}
		c, p := wstest.Client(t, nil)
		pt.peers <- p
		return c, nil
	}
	var err error
	if pt.Pool, err = NewPool(cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pt.Close)
	return pt
}

// get gets a connection that has to be made.
func (pt *poolTest) get() (*Conn, *wstest.Peer) {
	pt.t.Helper()
	c, err := pt.Get(bounded(pt.t))
	if err != nil {
		pt.t.Fatal(err)
	}
	pt.t.Cleanup(c.CloseNow)
	return c, receive(pt.t, pt.peers)
}

type got struct {
	c   *Conn
	err error
}

// getting starts a Get.
func (pt *poolTest) getting(ctx context.Context) <-chan got {
	return started(func() got {
		c, err := pt.Get(ctx)
		return got{c, err}
	})
}

// pong answers a ping, which is the number-th on the connection.
func pong(p *wstest.Peer, number string) {
	p.Expect(`ping "` + number + `"`)
	p.Frame(0x8a, number)
}

func (pt *poolTest) expect(want PoolStats) {
	pt.t.Helper()
	if d := cmp.Diff(want, pt.Stats()); d != "" {
		pt.t.Errorf("Stats (-want +got):\n%s", d)
	}
}

// A healthy idle connection is used again, the last used first; otherwise one is made.
func TestPool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pt := newPoolTest(t, PoolConfig{Capacity: 2})
		a, pa := pt.get()
		b, pb := pt.get()
		c, pc := pt.get()
		pt.expect(PoolStats{Open: 3, Out: 3, Dialed: 3})
		pt.Put(a)
		pt.Put(b)
		pt.Put(c) // the surplus
		pc.Expect(`close 1000 ""`)
		pt.expect(PoolStats{Open: 2, Idle: 2, Dialed: 3, Surplus: 1})

		for _, want := range []struct {
			c *Conn
			p *wstest.Peer
		}{{b, pb}, {a, pa}} {
			getting := pt.getting(bounded(t))
			pong(want.p, "1")
			if g := receive(t, getting); g.c != want.c || g.err != nil {
				t.Fatalf("Get = %v; want the other connection", g)
			}
		}
		pt.expect(PoolStats{Open: 2, Out: 2, Dialed: 3, Surplus: 1, Reused: 2})

		// Connections that were handed out work, and those that were put back can be
		// handed out again.
		written := started(func() error { return b.Write(bounded(t), frame.Text, []byte("x")) })
		pb.Expect(`text "x"`)
		if err := receive(t, written); err != nil {
			t.Error(err)
		}
		go pb.Text("y")
		expectText(t, b, `text "y"`)
		pt.Put(b)
		getting := pt.getting(bounded(t))
		pong(pb, "2")
		if g := receive(t, getting); g.c != b {
			t.Errorf("Get = %v; want the other connection", g)
		}
	})
}

// An idle connection answers pings.
func TestPoolIdlePing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pt := newPoolTest(t, PoolConfig{Capacity: 1})
		c, p := pt.get()
		pt.Put(c)
		p.Frame(0x89, "there?")
		p.Expect(`pong "there?"`)
	})
}

// An idle connection that ends or speaks up is dropped at once.
func TestPoolIdleEnds(t *testing.T) {
	for name, end := range map[string]func(p *wstest.Peer){
		"vanishes": func(p *wstest.Peer) { p.Close() },
		"closes":   func(p *wstest.Peer) { p.Frame(0x88, "\x03\xe9") },
		"speaks":   func(p *wstest.Peer) { p.Text("hello?") },
		"fails":    func(p *wstest.Peer) { p.Frame(0x83, "") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pt := newPoolTest(t, PoolConfig{Capacity: 1})
				c, p := pt.get()
				watched := pt.PutWatched(c)
				end(p)
				receive(t, watched)
				p.Close()
				receive(t, c.Gone())
				other, _ := pt.get()
				if other == c {
					t.Error("Get handed out a connection that has ended")
				}
				if s := pt.Stats(); s.Unhealthy != 1 || s.Open != 1 || s.Idle != 0 {
					t.Errorf("Stats = %+v; want 1 unhealthy, 1 open, none idle", s)
				}
			})
		})
	}
}

// A connection that does not answer in time is closed, and the others are not
// waited for.
func TestPoolPingTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pt := newPoolTest(t, PoolConfig{Capacity: 2, PingTimeout: 3 * time.Second})
		a, _ := pt.get()
		b, pb := pt.get()
		pt.Put(a)
		pt.Put(b)
		getting := pt.getting(bounded(t))
		pb.Expect(`ping "1"`)
		time.Sleep(3*time.Second - 1)
		synctest.Wait()
		select {
		case g := <-getting:
			t.Fatalf("Get = %v before its time", g)
		default:
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		g := receive(t, getting)
		if g.err != nil || g.c == a || g.c == b {
			t.Fatalf("Get = %v; want a new connection", g)
		}
		if b.Failure() != ErrClosed || a.Failure() != nil {
			t.Error("the silent connection alone is to be closed")
		}
		pt.expect(PoolStats{Open: 2, Idle: 1, Out: 1, Dialed: 3, Unhealthy: 1})
	})
}

// A Get that is cancelled during its ping leaves the connection in the pool.
func TestPoolGetCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pt := newPoolTest(t, PoolConfig{Capacity: 1})
		c, p := pt.get()
		pt.Put(c)
		ctx, cancel := context.WithCancel(context.Background())
		getting := pt.getting(ctx)
		p.Expect(`ping "1"`)
		cancel()
		if g := receive(t, getting); g.err != context.Canceled {
			t.Fatalf("Get = %v; want context.Canceled", g)
		}
		if _, err := pt.Get(ctx); err != context.Canceled {
			t.Errorf("Get = %v; want context.Canceled", err)
		}
		pt.expect(PoolStats{Open: 1, Idle: 1, Dialed: 1})
		again := pt.getting(bounded(t))
		pong(p, "2")
		if g := receive(t, again); g.c != c {
			t.Errorf("Get = %v; want the connection", g)
		}
	})
}

func TestPoolIdleLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pt := newPoolTest(t, PoolConfig{Capacity: 2, IdleLimit: time.Minute})
		a, pa := pt.get()
		b, _ := pt.get()
		pt.Put(a)
		time.Sleep(time.Minute / 2)
		synctest.Wait()
		pt.Put(b)
		time.Sleep(time.Minute/2 - 1)
		synctest.Wait()
		pt.expect(PoolStats{Open: 2, Idle: 2, Dialed: 2})
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		pa.Expect(`close 1000 ""`)
		pt.expect(PoolStats{Open: 1, Idle: 1, Dialed: 2, Expired: 1})
	})
}

// A connection that cannot be used again is closed when it is put back.
func TestPoolPutBroken(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, c *Conn, p *wstest.Peer){
		"closed":  func(t *testing.T, c *Conn, _ *wstest.Peer) { c.CloseNow() },
		"writing": func(t *testing.T, c *Conn, _ *wstest.Peer) { c.Writer(context.Background(), frame.Text) },
		"reading": func(t *testing.T, c *Conn, _ *wstest.Peer) { t.Cleanup(c.HoldReading()) },
		"arriving": func(t *testing.T, c *Conn, p *wstest.Peer) {
			ctx, cancel := context.WithCancel(context.Background())
			read := started(func() error { _, _, err := c.Read(ctx); return err })
			p.Send("\x81\x05ab")
			p.Send("c")
			cancel()
			<-read
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				pt := newPoolTest(t, PoolConfig{Capacity: 1})
				c, p := pt.get()
				spoil(t, c, p)
				pt.Put(c)
				pt.expect(PoolStats{Dialed: 1, Broken: 1})
			})
		})
	}
	t.Run("twice", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			pt := newPoolTest(t, PoolConfig{Capacity: 1})
			c, _ := pt.get()
			pt.Put(c)
			defer func() {
				if recover() == nil {
					t.Error("Put of what is not handed out does not panic")
				}
			}()
			pt.Put(c)
		})
	})
}

// Under MaxOpen, Gets wait in line, for a connection or for its place.
func TestPoolMaxOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pt := newPoolTest(t, PoolConfig{Capacity: 1, MaxOpen: 1})
		queued := func(n int) {
			synctest.Wait()
			if got := pt.Queued(); got != n {
				t.Fatalf("%d Gets wait; want %d", got, n)
			}
		}
		c, p := pt.get()
		first := pt.getting(bounded(t))
		queued(1)
		ctx, cancel := context.WithCancel(context.Background())
		given := pt.getting(ctx)
		queued(2)
		last := pt.getting(bounded(t))
		queued(3)
		cancel()
		if g := receive(t, given); g.err != context.Canceled {
			t.Fatalf("Get = %v; want context.Canceled", g)
		}
		pt.Put(c)
		pong(p, "1")
		if g := receive(t, first); g.c != c || g.err != nil {
			t.Fatalf("Get = %v; want what was put back", g)
		}
		c.CloseNow()
		pt.Put(c)
		g := receive(t, last)
		if g.c == c || g.err != nil {
			t.Fatalf("Get = %v; want a new connection", g)
		}
		pt.expect(PoolStats{Open: 1, Out: 1, Dialed: 2, Waited: 3, Reused: 1, Broken: 1})

		closed := pt.getting(bounded(t))
		queued(1)
		pt.Close()
		if g := receive(t, closed); g.err != ErrClosed {
			t.Errorf("Get = %v; want ErrClosed", g)
		}
	})
}

// A Get that is cancelled when its turn has come passes it on.
func TestPoolTurnPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, broken := range []bool{false, true} {
			pt := newPoolTest(t, PoolConfig{Capacity: 1, MaxOpen: 1})
			c, _ := pt.get()
			pt.PutBeforeCancel(func() {
				if broken {
					c.CloseNow()
				}
				pt.Put(c)
			})
			want := PoolStats{Open: 1, Idle: 1, Dialed: 1, Waited: 1}
			if broken {
				want = PoolStats{Dialed: 1, Waited: 1, Broken: 1}
			}
			pt.expect(want)
		}
	})
}

func TestPoolDialError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pt := newPoolTest(t, PoolConfig{Capacity: 2, MaxOpen: 1})
		pt.fail = errors.New("no route")
		if _, err := pt.Get(bounded(t)); err != pt.fail {
			t.Errorf("Get = %v; want %v", err, pt.fail)
		}
		if err := pt.Warm(bounded(t), 2); !errors.Is(err, pt.fail) {
			t.Errorf("Warm = %v; want %v", err, pt.fail)
		}
		pt.expect(PoolStats{DialErrors: 2})
	})
}

func TestPoolWarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pt := newPoolTest(t, PoolConfig{Capacity: 3, MaxOpen: 3})
		pt.get()
		for range 2 {
			if err := pt.Warm(bounded(t), 5); err != nil {
				t.Fatal(err)
			}
			pt.expect(PoolStats{Open: 3, Idle: 2, Out: 1, Dialed: 3})
		}
	})
}

// Close closes the idle connections in order, and those that are put back later.
func TestPoolClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pt := newPoolTest(t, PoolConfig{Capacity: 1})
		a, pa := pt.get()
		b, pb := pt.get()
		pt.Put(a)
		closed := started(func() bool { pt.Close(); return true })
		pa.Expect(`close 1000 ""`)
		pa.Frame(0x88, "\x03\xe8")
		pa.NetConn().Close()
		receive(t, closed)
		pt.Put(b)
		pb.Expect(`close 1000 ""`)
		if _, err := pt.Get(bounded(t)); err != ErrClosed {
			t.Errorf("Get = %v; want ErrClosed", err)
		}
		if err := pt.Warm(bounded(t), 1); err != ErrClosed {
			t.Errorf("Warm = %v; want ErrClosed", err)
		}
		pt.expect(PoolStats{Dialed: 2})
	})
}

func TestPoolConfig(t *testing.T) {
	dial := func(context.Context) (*Conn, error) { return nil, nil }
	for _, cfg := range []PoolConfig{
		{Capacity: 1},
		{Dial: dial},
		{Dial: dial, Capacity: 1, MaxOpen: -1},
		{Dial: dial, Capacity: 1, IdleLimit: -1},
		{Dial: dial, Capacity: 1, PingTimeout: -1},
	} {
		if _, err := NewPool(cfg); err == nil {
			t.Errorf("NewPool takes %+v", cfg)
		}
	}
	if p, err := NewPool(PoolConfig{Dial: dial, Capacity: 1}); err != nil || p.PingTimeout() != time.Second {
		t.Errorf("NewPool = %v, %v", p, err)
	}
}
