//go:build faults && linux

package server

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// soak is a server under mixed traffic for a long time: most connections echo, a
// fifth are in a group, some come and go, and some misbehave.
type soak struct {
	t      testing.TB
	server *measuredServer
	kinds  [2]*mass // who echo, and the group's members

	// calm is held for reading by who makes traffic, and locked to look at the server
	// when nothing is under way.
	calm sync.RWMutex

	faults atomic.Int64

	mu    sync.Mutex
	conns [2][]Conn // Guarded by mu.
}

// act does one thing at random.
func (s *soak) act(r *rand.Rand) {
	s.calm.RLock()
	defer s.calm.RUnlock()
	switch n := r.IntN(100); {
	case n < 50:
		s.replace(r, r.IntN(2))
	case n < 95:
		for range 20 {
			s.any(r, 0).Send(frame.Binary, make([]byte, 1<<r.IntN(15)))
		}
	case n < 96:
		s.any(r, 1).Send(frame.Text, []byte("to all"))
	default:
		s.misbehave(r)
	}
}

func (s *soak) any(r *rand.Rand, kind int) Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns[kind][r.IntN(len(s.conns[kind]))]
}

// fault is a connection that cannot be opened. The first one is enough to read.
func (s *soak) fault(err error) {
	if s.faults.Add(1) == 1 {
		s.t.Errorf("opening a connection: %v", err)
	}
}

// replace closes a connection and opens another.
func (s *soak) replace(r *rand.Rand, kind int) {
	c, err := s.kinds[kind].dial(s.server.addr)
	if err != nil {
		s.fault(err)
		return
	}
	s.mu.Lock()
	old := &s.conns[kind][r.IntN(len(s.conns[kind]))]
	c, *old = *old, c
	s.mu.Unlock()
	c.Close(wsproto.CloseNormal, "")
}

// misbehave is a client that ends as none should, or does not read.
func (s *soak) misbehave(r *rand.Rand) {
	nc, err := s.kinds[0].from.dial(context.Background(), "tcp", s.server.addr)
	if err != nil {
		s.fault(err)
		return
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	request := upgradeRequest("/", "")
	switch r.IntN(5) {
	case 0: // goes away in the middle of its handshake
		io.WriteString(nc, request[:len(request)/2])
	case 1: // resets
		io.WriteString(nc, request+string(masked(0x81, "never answered")))
		nc.(*net.TCPConn).SetLinger(0)
	case 2: // ends its half
		io.WriteString(nc, request+string(masked(0x81, "answered")))
		nc.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, nc)
	case 3: // breaks the protocol
		io.WriteString(nc, request+"\x83\x00")
		io.Copy(io.Discard, nc)
	case 4: // does not read, until the server is tired of it
		io.WriteString(nc, request)
		message := masked(0x82, strings.Repeat("s", 32<<10))
		for n := 0; n < 1000 && err == nil; n++ { // who is closed is read for a while longer
			_, err = nc.Write(message)
		}
	}
}

// look is what the server says of itself when every connection is open, nothing is
// under way, and what the last burst left behind has been released.
func (s *soak) look() account {
	s.calm.Lock()
	defer s.calm.Unlock()
	n := 0
	for kind, m := range s.kinds {
		n += len(s.conns[kind])
		for i, c := range s.conns[kind] {
			if c.closed() {
				var err error
				if s.conns[kind][i], err = m.dial(s.server.addr); err != nil {
					s.t.Fatal(err)
				}
			}
		}
	}
	s.server.settled(s.t, n)
	time.Sleep(2*quietPeriod + time.Second)
	return s.server.settled(s.t, n)
}

// report prints an account.
func (s *soak) report(at time.Duration, a account) {
	e := a.Stats.Ended
	s.t.Logf("%6v: resident %.1f MiB, %d descriptors, %d goroutines; %d open of %d so far; %d messages in, %d out; %v processor; ended by peer %d, lost %d, protocol %d, write timeout %d, queue full %d, no pong %d",
		at.Round(time.Second), float64(a.Resident)/(1<<20), a.Descriptors, a.Goroutines, a.Stats.Open, a.Stats.Opened,
		a.Stats.MessagesIn, a.Stats.MessagesOut, a.Processor.Round(time.Second),
		e.ByPeer, e.Lost, e.ProtocolError, e.WriteTimeout, e.QueueFull, e.PingTimeout)
}

// setting is a number or a time that make passes on.
func setting[T any](t *testing.T, name string, parse func(string) (T, error), def T) T {
	s := os.Getenv(name)
	if s == "" {
		return def
	}
	v, err := parse(s)
	if err != nil {
		t.Fatalf("%s=%s: %v", name, s, err)
	}
	return v
}

// TestSoak is "make soak". The server's memory, descriptors and goroutines have to
// end where they stood after the first minute, or fifth of the time if that is less.
func TestSoak(t *testing.T) {
	over := setting(t, "SOAK", time.ParseDuration, 30*time.Minute)
	n := setting(t, "CONNS", strconv.Atoi, 15_000)
	seed := rand.Uint64()
	t.Logf("%v with %d connections, seed %d", over, n, seed)
	s := &soak{t: t, server: spawnServer(t, limits{WriteQueue: 256 << 10, WriteTimeout: 3 * time.Second, PingInterval: 10 * time.Second})}
	s.kinds[0], s.conns[0] = massOf(t, s.server.addr, "/", n-n/5)
	s.kinds[1], s.conns[1] = massOf(t, s.server.addr, "/fanout", n/5)

	start := time.Now()
	stop := make(chan struct{})
	var actors sync.WaitGroup
	for i := range 16 {
		actors.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for tick := time.NewTicker(100 * time.Millisecond); ; {
				select {
				case <-stop:
					return
				case <-tick.C:
					s.act(r)
				}
			}
		})
	}
	first := min(time.Minute, over/5)
	time.Sleep(first)
	began := s.look()
	s.report(time.Since(start), began)
	ended := began
	for rest := over - time.Since(start); rest > 0; rest = over - time.Since(start) {
		time.Sleep(min(rest, time.Minute))
		ended = s.look()
		s.report(time.Since(start), ended)
	}
	close(stop)
	actors.Wait()
	s.judge(began, ended)
}

// judge compares the end with the beginning. Resident memory may be a tenth and
// 4 MiB more: the collector does not stand at the same point each time.
func (s *soak) judge(began, ended account) {
	if ended.Resident > began.Resident+began.Resident/10+4<<20 {
		s.t.Errorf("resident memory went from %d to %d bytes", began.Resident, ended.Resident)
	}
	if ended.Descriptors > began.Descriptors {
		s.t.Errorf("descriptors went from %d to %d", began.Descriptors, ended.Descriptors)
	}
	if ended.Goroutines > began.Goroutines {
		s.t.Errorf("goroutines went from %d to %d", began.Goroutines, ended.Goroutines)
	}
	if ended.Stats.Queued+ended.Stats.Assembling > 1<<20 {
		s.t.Errorf("%d bytes wait, %d of unfinished messages are held", ended.Stats.Queued, ended.Stats.Assembling)
	}
	if e := ended.Stats.Ended; e.ByPeer == 0 || e.Lost == 0 || e.ProtocolError == 0 || e.WriteTimeout == 0 || ended.Stats.Opened == began.Stats.Opened {
		s.t.Errorf("this shows too little: %+v", e)
	}
	if n := s.faults.Load(); n > 0 {
		s.t.Errorf("%d connections could not be opened", n)
	}
	verdict := "it ends where it stood at first"
	if s.t.Failed() {
		verdict = "it does not end where it stood at first, or the run was disturbed: see above"
	}
	s.t.Log("verdict: " + verdict)
}
