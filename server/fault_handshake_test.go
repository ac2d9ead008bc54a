//go:build faults && linux

package server

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// closings are the times from connections' beginning until they were closed.
type closings struct{ First, Median, Last time.Duration }

// slowloris opens connections to an address, on each of which it says a byte a
// second of a request that never ends, and reports when they were closed.
func slowloris(args []string) error {
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	head := upgradeRequest("/", "X-Slow: aaaaaaaaaaaaaaaa")
	took := make([]time.Duration, n)
	errs := make(chan error, n)
	var wg sync.WaitGroup
	for i := range n {
		nc, err := net.Dial("tcp", args[0])
		if err != nil {
			return err
		}
		wg.Go(func() {
			defer nc.Close()
			start := time.Now()
			for sent := 0; ; sent++ {
				nc.Write([]byte{head[sent]})
				nc.SetReadDeadline(time.Now().Add(time.Second))
				if _, err := nc.Read(make([]byte, 512)); err != nil && !os.IsTimeout(err) {
					took[i] = time.Since(start)
					return
				}
				if time.Since(start) > patience {
					errs <- fmt.Errorf("connection %d is not closed", i)
					return
				}
			}
		})
	}
	fmt.Println("open")
	wg.Wait()
	if len(errs) > 0 {
		return <-errs
	}
	return json.NewEncoder(os.Stdout).Encode(closings{percentile(took, 0), percentile(took, 50), percentile(took, 100)})
}

// echoes measures round trips on some connections, a hundred a second on each.
func echoes(t *testing.T, addr string, conns int, until <-chan struct{}) []time.Duration {
	var mu sync.Mutex
	var all []time.Duration
	var wg sync.WaitGroup
	for range conns {
		c := (&testServer{addr: addr}).dial(t, "/")
		wg.Go(func() {
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case <-until:
					c.nc.Close()
					return
				case <-tick.C:
				}
				start := time.Now()
				c.nc.Write(masked(0x81, "healthy"))
				if got := c.next(); got != `text "healthy"` {
					t.Errorf("a healthy connection received %s", got)
					return
				}
				mu.Lock()
				all = append(all, time.Since(start))
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return all
}

// H15: 5,000 clients that say a byte a second of their request are each closed at
// the handshake's deadline, and whoever has a connection notices nothing: less, at
// least, than where the same clients go to another process on this machine.
func TestFaultH15Slowloris(t *testing.T) {
	const n = 5000
	s, other := spawnServer(t, limits{}), spawnServer(t, limits{})
	var p99 [2]time.Duration
	for i, target := range []*measuredServer{other, s} {
		over := make(chan struct{})
		echoed := make(chan []time.Duration, 1)
		go func() { echoed <- echoes(t, s.addr, 20, over) }()
		slow := spawn(t, "slowloris", target.addr, n)
		slow.line(t) // all are open
		var got closings
		if err := json.Unmarshal([]byte(slow.line(t)), &got); err != nil {
			t.Fatal(err)
		}
		close(over)
		took := <-echoed
		p99[i] = percentile(took, 99)
		t.Logf("%d slow handshakes with %s closed after %v, %v, %v (first, median, last); echo meanwhile: median %v, p99 %v, worst %v",
			n, []string{"another process", "the same server"}[i], got.First, got.Median, got.Last, percentile(took, 50), p99[i], percentile(took, 100))
		if got.First < 4900*time.Millisecond || got.Last > 7*time.Second {
			t.Error("want each closed at 5 s")
		}
		target.settled(t, 0)
	}
	if p99[1] > 2*p99[0]+20*time.Millisecond {
		t.Error("the healthy ones notice")
	}
}

// H24: of 1,000 who connect to a TLS port and say nothing, each is closed at the
// handshake's deadline.
func TestFaultH24NoClientHello(t *testing.T) {
	const n = 1000
	s := spawnServer(t, limits{}, "tls")
	took := make([]time.Duration, n)
	var wg sync.WaitGroup
	for i := range n {
		nc, err := net.Dial("tcp", s.addr)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		wg.Go(func() {
			defer nc.Close()
			nc.SetDeadline(start.Add(patience))
			if _, err := nc.Read(make([]byte, 1)); os.IsTimeout(err) {
				t.Errorf("connection %d is not closed", i)
			}
			took[i] = time.Since(start)
		})
	}
	wg.Wait()
	t.Logf("%d silent clients closed after %v, %v, %v (first, median, last)", n, percentile(took, 0), percentile(took, 50), percentile(took, 100))
	if took[0] < 4900*time.Millisecond || took[n-1] > 7*time.Second {
		t.Error("want each closed at 5 s")
	}
	if a := s.settled(t, 0); a.Goroutines > 10 {
		t.Errorf("%d goroutines are left", a.Goroutines)
	}
}
