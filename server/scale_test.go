//go:build faults && linux

package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// machine is what all processes together take.
type machine struct {
	used    int64 // memory, in bytes, caches of files excluded: everybody's
	slab    int64 // of that, the kernel's objects
	sockets int64 // TCP sockets
	buffers int64 // bytes that they hold
}

func machineNow() machine {
	const file = "/proc/meminfo"
	kib := field(file, "MemTotal:") - field(file, "MemFree:") - field(file, "Buffers:") - field(file, "Cached:")
	m := machine{used: kib << 10, slab: field(file, "Slab:") << 10}
	b, _ := os.ReadFile("/proc/net/sockstat")
	_, tcp, _ := strings.Cut(string(b), "TCP: ")
	var orphans, waiting, allocated, pages int64
	fmt.Sscanf(tcp, "inuse %d orphan %d tw %d alloc %d mem %d", &m.sockets, &orphans, &waiting, &allocated, &pages)
	m.buffers = pages * int64(os.Getpagesize())
	return m
}

// scale is several wsecho processes on one port, and processes of clients.
type scale struct {
	t       *testing.T
	servers []*exec.Cmd
	holders []*child
	addr    string
}

// each is how many connections one process takes, of servers and of clients: the
// kernel spreads them over the servers only about evenly.
func each(t *testing.T) (server, client int) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	n := int(min(limit.Cur, 1<<20))
	t.Logf("a process may have %d descriptors", n)
	return n * 85 / 100, n * 95 / 100
}

// serve starts n servers that share a port.
func (s *scale) serve(n int) {
	const program = "../bin/wsecho"
	listen := "127.0.0.1:0"
	for range n {
		cmd := exec.Command(program, "--listen", listen, "--reuse-port", "--loops", "1")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			s.t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			s.t.Fatalf("%v: run make build first", err)
		}
		s.servers = append(s.servers, cmd)
		s.t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		line, _ := bufio.NewReader(out).ReadString('\n')
		_, rest, _ := strings.Cut(line, "ws://")
		listen, _, _ = strings.Cut(rest, "/")
	}
	s.addr = listen
}

// resident sums up what the servers have resident.
func (s *scale) resident() (sum int64) {
	for _, cmd := range s.servers {
		sum += residentOf(cmd.Process.Pid)
	}
	return sum
}

// tell gives every process of clients a command and sums up what they say.
func (s *scale) tell(command string) (sum held) {
	s.t.Helper()
	for _, c := range s.holders {
		fmt.Fprintln(c.in, command)
	}
	for i := range s.holders {
		s.add(&sum, i)
	}
	return sum
}

// add takes in what one of them says next.
func (s *scale) add(sum *held, i int) (one held) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.holders[i].line(s.t)), &one); err != nil {
		s.t.Fatal(err)
	}
	if one.Failed != "" {
		s.t.Errorf("clients %d: %s", i, one.Failed)
	}
	sum.Open += one.Open
	sum.Reached += one.Reached
	sum.Silent += one.Silent
	sum.Messages += one.Messages
	sum.Ended = append(sum.Ended, one.Ended...)
	sum.Resident += one.Resident
	sum.Took = max(sum.Took, one.Took)
	return one
}

// connect opens n connections from processes of clients, and reports which limit, if
// any, it met.
func (s *scale) connect(n, perClient int) (sum held) {
	for i := 0; n > 0; i++ {
		part := min(n, perClient)
		s.holders = append(s.holders, spawn(s.t, "hold", s.addr, 10+i, part))
		n -= part
	}
	for i := range s.holders {
		if one := s.add(&sum, i); one.Limited != "" {
			s.t.Errorf("what stopped clients %d at %d connections: %s", i, one.Open, one.Limited)
		}
	}
	return sum
}

// patienceFor is how long a test waits for something that is done to each of n connections,
// by all processes at the same time.
func patienceFor(n int64) time.Duration { return patience + time.Duration(n)*100*time.Microsecond }

// fanOut has every server tell its connections something, one server after the other, and
// returns how long that took, polling excluded only roughly.
func (s *scale) fanOut(open int64) (now held, took time.Duration) {
	for round := 0; now.Reached < open && round < 2*len(s.servers); round++ {
		start := time.Now()
		for i, c := range s.holders {
			fmt.Fprintln(c.in, "")
			var one held
			s.add(&one, i)
			if one.Reached >= one.Open {
				continue
			}
			fmt.Fprintln(c.in, "fanout", round+1)
			s.add(&one, i)
			break
		}
		// Each message of a server reaches its connections within this, or the end is near.
		share := open / int64(len(s.servers))
		last := start
		for before := int64(-1); now.Reached < open && time.Since(last) < patienceFor(share)/10; time.Sleep(50 * time.Millisecond) {
			if now = s.tell(""); now.Messages != before {
				before, last = now.Messages, time.Now()
			}
		}
		took += last.Sub(start)
	}
	return now, took
}

// drain ends the servers and returns how the clients' connections ended. Each server has ten
// seconds for its drain, so only as many of them are ended at a time as there are processors.
func (s *scale) drain(open int64) (gone endCounts, took time.Duration) {
	start := time.Now()
	turn := make(chan struct{}, runtime.NumCPU())
	var all sync.WaitGroup
	for i, cmd := range s.servers {
		turn <- struct{}{}
		all.Go(func() {
			cmd.Process.Signal(syscall.SIGTERM)
			if err := cmd.Wait(); err != nil {
				s.t.Errorf("server %d: %v", i, err)
			}
			<-turn
		})
	}
	all.Wait()
	took = time.Since(start)
	for deadline := time.Now().Add(patienceFor(open)); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		now := s.tell("")
		if gone = now.ends(); now.Open == 0 {
			break
		}
	}
	return gone, took
}

// TestScale is "make scale": so many connections on several processes of wsecho,
// held, pinged, spoken to and drained.
func TestScale(t *testing.T) {
	want := setting(t, "CONNS", strconv.Atoi, 200_000)
	perServer, perClient := each(t)
	const expected = 13 << 10 // bytes for both ends of a connection
	if free := field("/proc/meminfo", "MemAvailable:") << 10; int64(want)*expected > free {
		t.Fatalf("what stops it is memory: %d connections take about %d MiB, both ends included, and %d MiB are available", want, want*expected>>20, free>>20)
	}
	s := &scale{t: t}
	s.serve((want + perServer - 1) / perServer)
	time.Sleep(time.Second)
	empty, emptyServers := machineNow(), s.resident()
	start := time.Now()
	got := s.connect(want, perClient)
	opened := time.Since(start)
	time.Sleep(5 * time.Second) // what the handshakes left behind is released
	got = s.tell("")
	t.Logf("%d connections in %v, on %d servers, from %d processes", got.Open, opened.Round(time.Millisecond), len(s.servers), len(s.holders))
	if got.Open != int64(want) {
		t.Errorf("%d connections are held; want %d:%s", got.Open, want, got.ends().describe(wsproto.CloseGoingAway))
	}
	s.account(got, empty, emptyServers)

	pinged := s.tell(fmt.Sprintf("ping %v", patienceFor(got.Open)))
	t.Logf("held; %d of %d answered a ping within %v", got.Open-int64(pinged.Silent), got.Open, pinged.Took.Round(time.Millisecond))
	if pinged.Silent > 0 {
		t.Errorf("%d connections did not answer a ping within %v", pinged.Silent, patienceFor(got.Open))
	}
	reached, took := s.fanOut(got.Open)
	t.Logf("fan-out: %d of %d received %d messages in %v, %.0f a second", reached.Reached, got.Open, reached.Messages, took.Round(time.Millisecond), float64(reached.Messages)/took.Seconds())
	if reached.Reached != got.Open || reached.Messages != got.Open {
		t.Error("want one message for each")
	}
	counters := tcpCounters()
	gone, took := s.drain(reached.Open)
	away := gone.of(wsproto.CloseGoingAway)
	t.Logf("drained in %v: %d ended with 1001, %d otherwise; the kernel's TCP: %s", took.Round(time.Millisecond), away, gone.all()-away, troublesSince(counters))
	if int64(away) != got.Open {
		t.Errorf("want 1001 for all %d:%s", got.Open, gone.describe(wsproto.CloseGoingAway))
	}
}

// account prints what a connection costs.
func (s *scale) account(got held, empty machine, emptyServers int64) {
	full := machineNow()
	n := max(got.Open, 1)
	servers := s.resident() - emptyServers
	// What the clients' processes take empty is theirs, too: it is little.
	s.t.Logf("a connection: %d bytes resident in its server, %d in its client, %d in slabs of the kernel for both ends; %d in all, with whatever else the machine does",
		servers/n, got.Resident/n, (full.slab-empty.slab)/n, (full.used-empty.used)/n)
	s.t.Logf("servers: %.1f MiB resident, %.1f MiB of that before the first connection; %d TCP sockets more, which hold %d KiB",
		float64(s.resident())/(1<<20), float64(emptyServers)/(1<<20), full.sockets-empty.sockets, full.buffers>>10)
}
