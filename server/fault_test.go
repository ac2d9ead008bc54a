//go:build faults && linux

package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// The tests that are behind the tag measure processor time, latency and memory, or
// run for long: "make faults", "make soak" and "make scale" run them. They print
// what they measured, and fail where it is not what is expected. The server that is
// measured is a child, so that it pays for nothing of its clients'.

func init() {
	children["serve"] = serve
	children["slowloris"] = slowloris
	children["flood"] = flood
	children["hold"] = holdOpen
}

// limits are what a test sets of the Config of its server.
type limits struct {
	Loops, WriteQueue, MaxControlRate            int
	PingInterval, WriteTimeout, HandshakeTimeout time.Duration
}

// account is what a process says of itself.
type account struct {
	Goroutines, Descriptors int
	Resident                int64         // bytes
	Processor               time.Duration // used, in user mode and the kernel's
	Collections             uint32
	Pauses                  [2]time.Duration // of the garbage collector: the median and the longest of the last 256
	Stats                   Stats
	Failed                  string // why the last command did, or nothing
}

func accountOf(s *Server) (a account) {
	var usage syscall.Rusage
	var mem runtime.MemStats
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	runtime.ReadMemStats(&mem)
	fds, _ := os.ReadDir("/proc/self/fd")
	var pauses []time.Duration
	for _, ns := range mem.PauseNs[:min(mem.NumGC, 256)] {
		pauses = append(pauses, time.Duration(ns))
	}
	return account{
		Goroutines: runtime.NumGoroutine(), Descriptors: len(fds), Resident: residentOf(os.Getpid()),
		Processor:   time.Duration(usage.Utime.Nano() + usage.Stime.Nano()),
		Collections: mem.NumGC, Pauses: [2]time.Duration{percentile(pauses, 50), percentile(pauses, 100)}, Stats: s.Stats(),
	}
}

// residentOf returns a process's resident memory in bytes.
func residentOf(pid int) int64 { return field(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:") << 10 }

// field returns the number behind a name in one of the system's files, or 0.
func field(file, name string) int64 {
	b, _ := os.ReadFile(file)
	_, rest, _ := strings.Cut("\n"+string(b), "\n"+name)
	words := strings.Fields(rest)
	if len(words) == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(words[0], 10, 64)
	return n
}

// measured is the Handler of the server that is measured: it echoes, and where the
// path says so, joins a group and speaks to it, or does not read.
type measured struct{ group *Group }

func (h *measured) OnOpen(c LoopConn) {
	switch c.Value() {
	case "/fanout":
		h.group.Join(c.Conn())
	case "/deaf":
		c.Pause(true)
	}
}

func (h *measured) OnMessage(c LoopConn, op frame.Opcode, p []byte) {
	if c.Value() == "/fanout" {
		h.group.Send(wsproto.NewPrepared(op, p), Evict)
		return
	}
	c.Send(op, p)
}

func (h *measured) OnClose(LoopConn, error) {}

// serve is the server: args[0] are limits, args[1], if there, says "tls". It says its
// address, and after every command what it has become.
func serve(args []string) error {
	var o limits
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return err
	}
	h := &measured{}
	cfg := Config{Handler: h, Admit: pathValue, MaxConnsPerAddress: Off, MaxHTTPConns: Off, MaxHTTPConnsPerAddress: Off, Loops: o.Loops, WriteQueue: o.WriteQueue, MaxControlRate: o.MaxControlRate,
		PingInterval: o.PingInterval, WriteTimeout: o.WriteTimeout, HandshakeTimeout: o.HandshakeTimeout,
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))}
	if len(args) > 1 {
		ca := newAuthority(&testing.T{})
		cfg.TLS = &tls.Config{Certificates: []tls.Certificate{ca.issue(&testing.T{}, x509.ExtKeyUsageServerAuth)}}
	}
	s, err := New(cfg)
	if err != nil {
		return err
	}
	h.group = s.NewGroup()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go s.Serve(ln)
	fmt.Println(ln.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var failed string
		switch in.Text() {
		case "collect":
			runtime.GC()
		case "stop":
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			if err := s.Shutdown(ctx); err != nil {
				failed = err.Error()
			}
			cancel()
		default: // a text for the group
			if in.Text() != "" {
				h.group.Send(wsproto.NewPrepared(frame.Text, []byte(in.Text())), Evict)
			}
		}
		a := accountOf(s)
		a.Failed = failed
		json.NewEncoder(os.Stdout).Encode(a)
	}
	return nil
}

// measuredServer is such a child, and its address.
type measuredServer struct {
	*child
	addr string
}

func spawnServer(t testing.TB, o limits, more ...any) *measuredServer {
	t.Helper()
	words, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	c := spawn(t, "serve", append([]any{string(words)}, more...)...)
	return &measuredServer{c, c.line(t)}
}

// tell gives the child a command, "" for none, and returns what it says of itself.
func (c *child) tell(t testing.TB, command string) (a account) {
	t.Helper()
	fmt.Fprintln(c.in, command)
	if err := json.Unmarshal([]byte(c.line(t)), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// settled waits until n connections are open, and nothing is under way.
func (s *measuredServer) settled(t testing.TB, n int) (a account) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		if a = s.tell(t, ""); a.Stats.Open == n && a.Stats.Handshaking == 0 {
			return a
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open, %d are in their handshake; want %d, 0", a.Stats.Open, a.Stats.Handshaking, n)
		}
	}
}

// load returns the part of one processor that a process used between two accounts.
func load(before, after account, in time.Duration) float64 {
	return 100 * float64(after.Processor-before.Processor) / float64(in)
}

// percentile returns what p percent of the durations do not exceed. It sorts them.
func percentile(d []time.Duration, p float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[min(int(float64(len(d))*p/100), len(d)-1)]
}
