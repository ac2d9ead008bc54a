//go:build faults && linux

package server

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// mass is many clients: a Server in the client's role.
type mass struct {
	*Server
	path string // with which they are opened
	from *sources

	open     atomic.Int64
	messages atomic.Int64
	first    atomic.Int64 // connections that have received a message

	mu   sync.Mutex
	ends endCounts // Guarded by mu
}

func newMass(path string, from *sources) (*mass, error) {
	m := &mass{path: path, from: from, ends: endCounts{}}
	var err error
	m.Server, err = New(Config{Handler: m, PingInterval: Off, MaxMessage: 1 << 20, MaxControlRate: Off, AssemblyTimeout: Off, WriteTimeout: Off})
	return m, err
}

func (m *mass) OnOpen(LoopConn) { m.open.Add(1) }

func (m *mass) OnMessage(c LoopConn, op frame.Opcode, p []byte) {
	m.messages.Add(1)
	if c.Value() == nil {
		var server byte
		if len(p) > 0 {
			server = p[0]
		}
		c.SetValue(server)
		m.first.Add(1)
	}
}

func (m *mass) OnClose(c LoopConn, err error) {
	m.open.Add(-1)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ends.add(endingOf(c, err), time.Now())
}

func (m *mass) ended(code wsproto.CloseCode) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ends.of(code)
}

// sources are the addresses 127.0.N.1 to 127.0.N.250, used in turn: each has 28,000
// ports for one destination, those included that wait for a minute after their end.
type sources struct {
	network byte // N
	next    atomic.Uint32
}

func (s *sources) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{
		// Go's default is a probe every 15 s on each connection. For hundreds of thousands of
		// them on one machine, probes come in bursts that the queues of the loopback device
		// do not hold (net.core.netdev_max_backlog): the same ones are dropped each time, and
		// after nine of them the system ends a connection that nothing is wrong with.
		KeepAlive: -1,
		LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, s.network, byte(1+s.next.Add(1)%250))},
		Control: func(_, _ string, raw syscall.RawConn) (err error) {
			// The port is chosen when the destination is known: it may be in use for another.
			raw.Control(func(fd uintptr) {
				err = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
			})
			return err
		},
	}
	return d.DialContext(ctx, network, addr)
}

// dial opens one connection.
func (m *mass) dial(addr string) (Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	nc, left, res, err := handshake.Dial(ctx, "ws://"+addr+m.path, &handshake.DialOptions{DialContext: m.from.dial})
	if err != nil {
		return Conn{}, err
	}
	return m.Adopt(nc, left, res, wsproto.Client)
}

// dialAll opens n connections, some at a time.
func (m *mass) dialAll(addr string, n int) ([]Conn, error) {
	conns := make([]Conn, n)
	var next, failed atomic.Int64
	var first error
	var once sync.Once
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && failed.Load() == 0; i = next.Add(1) - 1 {
				c, err := m.dial(addr)
				if err != nil {
					failed.Add(1)
					once.Do(func() { first = fmt.Errorf("connection %d: %w", i, err) })
					return
				}
				conns[i] = c
			}
		})
	}
	wg.Wait()
	return conns, first
}

// pingAll pings every connection, and returns how long it took until every one had
// answered, or how many had not within the limit.
func (m *mass) pingAll(limit time.Duration) (took time.Duration, silent int) {
	start := time.Now()
	for _, l := range m.loops {
		l.call(func() {
			for c := range l.present() {
				l.growArena(frame.MaxHeaderSize)
				from := len(l.arena)
				if b, err := c.proto.AppendPing(l.arena, nil); err == nil {
					c.pinged = 1 // until a byte comes
					l.arena = b
					l.queue(c, b[from:])
				}
			}
		})
	}
	for {
		silent = 0
		looked := time.Now()
		for _, l := range m.loops {
			l.call(func() {
				for c := range l.present() {
					silent += int(c.pinged)
				}
			})
		}
		if took = time.Since(start); silent == 0 || took > limit {
			return took, silent
		}
		// Many processes look at many connections: that must not be what they do all the time.
		time.Sleep(min(max(5*time.Millisecond, 20*time.Since(looked)), time.Second))
	}
}

// massOf is a mass of n clients of a server, for a test.
func massOf(t testing.TB, addr, path string, n int) (*mass, []Conn) {
	t.Helper()
	m, err := newMass(path, &sources{network: 9})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		m.Shutdown(ctx)
	})
	conns, err := m.dialAll(addr, n)
	if err != nil {
		t.Fatal(err)
	}
	return m, conns
}
