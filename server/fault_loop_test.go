//go:build faults && linux

package server

import (
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// R02: for a minute, connections come and go, a million of them where the machine
// is quick enough.
func TestFaultR02Churn(t *testing.T) {
	ch := newChurn(t)
	over := time.Now().Add(time.Minute)
	ch.run(8, func() bool { return time.Now().Before(over) && ch.tags.Load() < 1_000_000 })
	ch.check()
}

// R10: connections of which nothing but an error is reported, or nothing but an end
// of stream, take less than one percent of a processor.
func TestFaultR10Processor(t *testing.T) {
	const n = 500
	const period = 5 * time.Second
	s := spawnServer(t, limits{PingInterval: Off, WriteTimeout: time.Hour, WriteQueue: 64 << 10})
	for _, c := range []struct {
		name, path string
		act        func(c *client)
		open       int
	}{
		{"reset", "/deaf", func(c *client) {
			c.text("never read")
			c.nc.(*net.TCPConn).SetLinger(0)
			c.nc.Close()
		}, 0},
		{"half closed and not read", "/deaf", func(c *client) {
			c.nc.(*net.TCPConn).CloseWrite()
		}, n},
	} {
		var cs []*client
		for range n {
			cs = append(cs, (&testServer{addr: s.addr}).dial(t, c.path))
		}
		s.settled(t, n)
		for _, cl := range cs {
			c.act(cl)
		}
		before := s.settled(t, c.open)
		time.Sleep(period)
		after := s.tell(t, "")
		used := load(before, after, period)
		t.Logf("%d connections, %s: %.2f %% of a processor, and %d iterations, in %v", n, c.name, used, iterations(after)-iterations(before), period)
		if used >= 1 {
			t.Error("want less than 1 %")
		}
		for _, cl := range cs {
			cl.nc.Close()
		}
	}
}

func iterations(a account) (n uint64) {
	for _, m := range a.Stats.Iterations {
		n += m
	}
	return n
}

// flood sends to an address's echo as fast as it goes, and reads what comes back.
func flood(args []string) error {
	nc, err := net.Dial("tcp", args[0])
	if err != nil {
		return err
	}
	io.WriteString(nc, upgradeRequest("/", ""))
	go io.Copy(io.Discard, nc)
	burst := []byte(strings.Repeat(string(masked(0x82, strings.Repeat("f", 16<<10))), 16))
	go func() {
		for err == nil {
			_, err = nc.Write(burst)
		}
	}()
	_, err = os.Stdin.Read(make([]byte, 1))
	nc.Close()
	if err == io.EOF {
		return nil
	}
	return err
}

// R14: while one connection sends at the rate of the line, 1,000 others on the same
// loop have their pings answered in time.
func TestFaultR14LineRate(t *testing.T) {
	const n, workers = 1000, 10
	s := spawnServer(t, limits{Loops: 1})
	var cs []*client
	for range n {
		cs = append(cs, (&testServer{addr: s.addr}).dial(t, "/"))
	}
	round := func() []time.Duration {
		var wg sync.WaitGroup
		took := make([]time.Duration, 5*n)
		for w := range workers {
			wg.Go(func() {
				for i := w; i < len(took); i += workers {
					start := time.Now()
					c := cs[i%n]
					c.nc.Write(masked(0x89, "p"))
					if got := c.next(); got != `pong "p"` {
						t.Errorf("received %s", got)
						return
					}
					took[i] = time.Since(start)
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		wg.Wait()
		return took
	}
	idle := round()
	s.settled(t, n)
	busy := spawn(t, "flood", s.addr)
	before := s.settled(t, n+1)
	start := time.Now()
	during := round()
	after, took := s.tell(t, ""), time.Since(start)
	busy.end()
	rate := float64(after.Stats.BytesIn-before.Stats.BytesIn) / took.Seconds() / 1e6
	p99 := percentile(during, 99)
	t.Logf("beside one connection at %.0f MB/s in and out, pings of %d others: median %v, p99 %v, worst %v (without it %v, %v, %v)", rate, n,
		percentile(during, 50), p99, percentile(during, 100), percentile(idle, 50), percentile(idle, 99), percentile(idle, 100))
	if p99 >= 50*time.Millisecond || rate < 10 {
		t.Error("want a p99 under 50 ms, beside at least 10 MB/s")
	}
}
