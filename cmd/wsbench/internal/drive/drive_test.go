package drive

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/cmd/internal/connect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/dialect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

// subject is a server to be measured: what it does with a message is up to the
// test.
type subject struct {
	server.Server
	message func(c server.LoopConn, op frame.Opcode, p []byte)
	group   *server.Group
	room    atomic.Int64 // for so many connections, unless it is 0
	opened  atomic.Int64
}

func (s *subject) OnOpen(c server.LoopConn) {
	s.group.Join(c.Conn())
	if opened, room := s.opened.Add(1), s.room.Load(); room > 0 && opened > room {
		c.Close(wsproto.CloseTryAgainLater, "full")
	}
}
func (s *subject) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) { s.message(c, op, p) }
func (s *subject) OnClose(server.LoopConn, error)                         {}

func echo(c server.LoopConn, op frame.Opcode, p []byte) { c.Send(op, p) }

// serve starts a server that treats messages so; with TLS if cert is set.
func serve(t *testing.T, message func(c server.LoopConn, op frame.Opcode, p []byte), cfg server.Config) (s *subject, url string) {
	t.Helper()
	s = &subject{message: message}
	cfg.Handler = s
	cfg.MaxConnsPerAddress = server.Off
	cfg.Upgrader.Origins = []string{"*"}
	srv, err := server.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.group = srv.NewGroup()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go srv.Serve(ln)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
	})
	url = "ws://" + ln.Addr().String() + "/"
	if cfg.TLS != nil {
		url = "wss" + url[2:]
	}
	return s, url
}

// outcome is what a run came to.
type outcome struct {
	load.Tally
	faults load.Faults
	ends   map[string]int
}

// run carries a plan out, against s.
func run(t *testing.T, s *subject, plan load.Plan, target Target) outcome {
	t.Helper()
	if plan.Size == 0 {
		plan.Size = 128
	}
	if plan.Timeout == 0 {
		plan.Timeout = 2 * time.Second
	}
	if plan.Duration == 0 {
		plan.Duration = 300 * time.Millisecond
	}
	target.Timeout = 10 * time.Second
	if err := plan.Check(); err != nil {
		t.Fatal(err)
	}
	e, err := New(&plan, load.Share{To: plan.Members()}, target, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	if plan.Scenario != load.Connect {
		if err := e.Connect(t.Context(), Ramp{Conns: plan.Members()}); err != nil {
			t.Fatal(err)
		}
	}
	// A connection is open at our end before the server has it in its group.
	for plan.Grouped() && s.opened.Load() < int64(1+plan.Members()) { // and the probe
		if t.Context().Err() != nil {
			t.Fatal("some connections have not joined")
		}
		time.Sleep(time.Millisecond)
	}
	e.Load.Take()
	e.Start(Now(), 0, 1)
	time.Sleep(plan.Warmup + plan.Duration)
	e.Load.Stop()
	e.Drain(t.Context(), nil)
	out := outcome{Tally: e.Load.Take()}
	out.faults, out.ends = e.Load.Finish(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	e.Close(ctx)
	return out
}

// sound checks that nothing went wrong.
func (o *outcome) sound(t *testing.T) {
	t.Helper()
	if o.faults.Total() > 0 || len(o.ends) > 0 || o.Broken > 0 || o.Refused > 0 {
		t.Errorf("faults %v, ends %v, %d broken, %d refused", o.faults, o.ends, o.Broken, o.Refused)
	}
}

func TestScenarios(t *testing.T) {
	toAll := func(s **subject) func(server.LoopConn, frame.Opcode, []byte) {
		return func(c server.LoopConn, op frame.Opcode, p []byte) {
			(*s).group.Send(wsproto.NewPrepared(op, p), server.Evict)
		}
	}
	for name, plan := range map[string]load.Plan{
		"echo closed":  {Scenario: load.Echo, Conns: 20, Inflight: 4},
		"echo open":    {Scenario: load.Echo, Conns: 20, Rate: 2000},
		"echo binary":  {Scenario: load.Echo, Conns: 3, Rate: 500, Binary: true},
		"echo 64 KiB":  {Scenario: load.Echo, Conns: 3, Inflight: 2, Size: 60 << 10},
		"fanout":       {Scenario: load.Fanout, Conns: 20, Publishers: 2, Self: true, Inflight: 2},
		"fanout open":  {Scenario: load.Fanout, Conns: 20, Publishers: 2, Self: true, Rate: 200},
		"slow":         {Scenario: load.Slow, Conns: 20, Publishers: 1, Self: true, Rate: 200, SlowShare: 0.25},
		"connect":      {Scenario: load.Connect, Conns: 5, Inflight: 1},
		"connect open": {Scenario: load.Connect, Conns: 20, Rate: 200},
		"churn":        {Scenario: load.Churn, Conns: 5, Messages: 3, Inflight: 1},
		"churn open":   {Scenario: load.Churn, Conns: 20, Messages: 3, Rate: 100},
		"storm":        {Scenario: load.Storm, Conns: 20, StormEvery: 150 * time.Millisecond},
		"idle":         {Scenario: load.Idle, Conns: 20},
	} {
		t.Run(name, func(t *testing.T) {
			var s *subject
			message := echo
			if plan.Grouped() {
				message = toAll(&s)
			}
			s, url := serve(t, message, server.Config{})
			got := run(t, s, plan, Target{URL: url})
			got.sound(t)
			switch {
			case plan.Cycles():
				if got.Handshake.Count() == 0 || got.Handshake.Max() == 0 {
					t.Errorf("%d handshakes", got.Handshake.Count())
				}
			case plan.Scenario == load.Idle:
				if got.Sent != 0 {
					t.Errorf("%d sent", got.Sent)
				}
			case plan.Open() && plan.Scenario != load.Slow:
				// All due messages are sent and answered, however busy the machine
				// is.
				receivers := 1
				if plan.Grouped() {
					receivers = plan.Members()
				}
				if want := int64(plan.Rate*0.3+0.5) * int64(receivers); got.Latency.Count() != want {
					t.Errorf("%d latencies, want %d", got.Latency.Count(), want)
				}
			case got.Latency.Count() == 0:
				t.Error("no latencies")
			}
			if plan.Grouped() && got.Last.Count() == 0 {
				t.Error("no publication reached its last receiver")
			}
			if plan.Scenario == load.Storm && got.Back.Count() < 20 {
				t.Errorf("%d came back from a storm of 20", got.Back.Count())
			}
		})
	}
}

func TestTLSAndDeflate(t *testing.T) {
	hs := httptest.NewUnstartedServer(nil)
	hs.StartTLS()
	cert := hs.TLS.Certificates
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hs.Certificate().Raw}))
	hs.Close()
	for name, secure := range map[string]bool{"ws": false, "wss": true} {
		t.Run(name, func(t *testing.T) {
			cfg := server.Config{Upgrader: handshake.Upgrader{Deflate: &handshake.DeflateOptions{ServerContextTakeover: true}}, CompressFrom: 1}
			if secure {
				cfg.TLS = &tls.Config{Certificates: cert}
			}
			s, url := serve(t, echo, cfg)
			for _, plan := range []load.Plan{
				{Scenario: load.Echo, Conns: 5, Rate: 300},
				{Scenario: load.Echo, Conns: 5, Inflight: 2},
				{Scenario: load.Churn, Conns: 4, Messages: 2, Inflight: 1},
			} {
				plan.Deflate = true
				got := run(t, s, plan, Target{URL: url, Options: connect.Options{CA: ca}})
				got.sound(t)
				if got.Latency.Count() == 0 {
					t.Error("no latencies")
				}
			}
		})
	}
	_, url := serve(t, echo, server.Config{TLS: &tls.Config{Certificates: cert}})
	plan := load.Plan{Scenario: load.Echo, Conns: 1, Inflight: 1, Size: 64}
	e, err := New(&plan, load.Share{To: 1}, Target{URL: url, Timeout: 10 * time.Second}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "--cacert FILE") {
		t.Errorf("an unknown certificate: %v", err)
	}
	e.Close(t.Context())
}

// Servers that mistreat one message in ten thousand are found, and what they do
// is named.
func TestFaultyServers(t *testing.T) {
	const oneIn = 10_000
	for how, treat := range map[load.Fault]func(c server.LoopConn, op frame.Opcode, p []byte, held *[]byte){
		load.Lost: func(c server.LoopConn, op frame.Opcode, p []byte, _ *[]byte) {},
		load.Doubled: func(c server.LoopConn, op frame.Opcode, p []byte, _ *[]byte) {
			c.Send(op, p)
			c.Send(op, p)
		},
		load.Reordered: func(c server.LoopConn, op frame.Opcode, p []byte, held *[]byte) {
			*held = bytes.Clone(p)
		},
		load.Corrupted: func(c server.LoopConn, op frame.Opcode, p []byte, _ *[]byte) {
			p[len(p)-1] ^= 1
			c.Send(op, p)
		},
		load.Unsolicited: func(c server.LoopConn, op frame.Opcode, p []byte, _ *[]byte) {
			c.Send(op, p)
			c.Send(op, []byte("buy one, get one free"))
		},
	} {
		t.Run(string(how), func(t *testing.T) {
			var mu sync.Mutex
			var count, did uint64
			held := map[server.Conn]*[]byte{}
			s, url := serve(t, func(c server.LoopConn, op frame.Opcode, p []byte) {
				mu.Lock()
				defer mu.Unlock()
				if h := held[c.Conn()]; h != nil {
					c.Send(op, p)
					c.Send(op, *h)
					delete(held, c.Conn())
					return
				}
				if count++; count%oneIn != oneIn/2 {
					c.Send(op, p)
					return
				}
				did++
				var h []byte
				treat(c, op, p, &h)
				if h != nil {
					held[c.Conn()] = &h
				}
			}, server.Config{})
			got := run(t, s, load.Plan{Scenario: load.Echo, Conns: 10, Rate: 40_000, Duration: 500 * time.Millisecond}, Target{URL: url})
			mu.Lock()
			defer mu.Unlock()
			if did == 0 {
				t.Fatalf("the server had only %d messages", count)
			}
			if d := cmp.Diff(map[load.Fault]uint64{how: did}, got.faults.Count); d != "" {
				t.Errorf("(-planted +found):\n%s\n%v", d, got.faults.Examples)
			}
			if e := got.faults.Examples[how]; len(e) == 0 || !strings.Contains(e[0], "connection ") {
				t.Errorf("named %q", e)
			}
		})
	}
}

// A server that answers the remaining messages slowly has lost nothing.
func TestSlowEnd(t *testing.T) {
	const messages, gap, timeout = 20, 100 * time.Millisecond, 1500 * time.Millisecond
	answers := make(chan func(), messages)
	var answering sync.WaitGroup
	answering.Go(func() { // one after the other, in their order
		for send := range answers {
			time.Sleep(gap)
			send()
		}
	})
	s, url := serve(t, func(c server.LoopConn, op frame.Opcode, p []byte) {
		p, from := bytes.Clone(p), c.Conn()
		answers <- func() { from.Send(op, p) }
	}, server.Config{})
	// The last answer comes two seconds after the first question.
	got := run(t, s, load.Plan{Scenario: load.Echo, Conns: 1, Rate: 100, Duration: messages * time.Second / 100, Timeout: timeout}, Target{URL: url})
	got.sound(t)
	if got.Latency.Count() != messages {
		t.Errorf("%d of %d answers", got.Latency.Count(), messages)
	}
	close(answers)
	answering.Wait()
}

// Connections that the server ends are counted by its code and reason.
func TestServerCloses(t *testing.T) {
	s, url := serve(t, func(c server.LoopConn, op frame.Opcode, p []byte) {
		c.Close(4001, "enough")
	}, server.Config{})
	got := run(t, s, load.Plan{Scenario: load.Echo, Conns: 3, Inflight: 1}, Target{URL: url})
	if got.Broken != 3 || len(got.ends) != 1 {
		t.Fatalf("%d broken, %v", got.Broken, got.ends)
	}
	for text, n := range got.ends {
		if n != 3 || !strings.Contains(text, "4001") || !strings.Contains(text, `"enough"`) {
			t.Errorf("%d times %s", n, text)
		}
	}
}

// A server that takes no more connections ends the run before it begins, with
// the reason.
func TestServerIsFull(t *testing.T) {
	const room = 20
	full, url := serve(t, echo, server.Config{})
	// A connection counts once it is greeted, which closed ones never are: so the
	// result does not depend on which loop is faster.
	greeting, err := dialect.Parse([]byte(`
name = "greeting"
open = [{send = "hello", expect = "hello"}]
publish.send = "<{{payload}}>"
delivery = {contains = "<", after = "<", before = ">"}
`))
	if err != nil {
		t.Fatal(err)
	}
	plan := load.Plan{Scenario: load.Echo, Conns: 500, Inflight: 1, Size: 64, Timeout: time.Second, Duration: time.Second, Dialect: greeting}
	full.room.Store(room + 1) // and a first look
	e, err := New(&plan, load.Share{To: 500}, Target{URL: url, Timeout: 5 * time.Second}, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	if _, err := e.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = e.Connect(t.Context(), Ramp{Conns: 500})
	if err == nil || !strings.Contains(err.Error(), `closed by the server with 1013 try again later, reason "full"`) {
		t.Errorf("%v", err)
	}
}

func TestRefusals(t *testing.T) {
	const dead = "ws://127.0.0.1:1/" // no port that the system hands out
	forbids := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "members only", http.StatusForbidden)
	}))
	defer forbids.Close()
	plan := load.Plan{Scenario: load.Echo, Conns: 1, Inflight: 1, Size: 64}
	for url, want := range map[string]string{
		dead:                       "connection refused",
		"ws" + forbids.URL[4:]:     "members only",
		"ftp://127.0.0.1/":         `scheme is "ftp"`,
		"ws://127.0.0.1:99999999/": "99999999",
	} {
		e, err := New(&plan, load.Share{To: 1}, Target{URL: url, Timeout: 10 * time.Second}, 1)
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", url, err)
			}
			continue
		}
		if _, err := e.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
		e.Close(t.Context())
	}
}

func TestSources(t *testing.T) {
	for _, c := range []struct {
		n, want int
		churn   bool
	}{{1, 0, false}, {perSource(), 0, false}, {perSource() + 1, 2, false}, {100_000, (100_000 + perSource() - 1) / perSource(), false}, {10, spread, true}} {
		got, err := (&Target{}).sources(t.Context(), "127.0.0.1", c.n, c.churn)
		if err != nil || len(got) != c.want {
			t.Errorf("%d connections: %d addresses, want %d; %v", c.n, len(got), c.want, err)
		}
		for _, a := range got {
			if !a.IsLoopback() {
				t.Errorf("%v is not loopback", a)
			}
		}
	}
	if _, err := (&Target{}).sources(t.Context(), "192.0.2.1", 100_000, false); err == nil || !strings.Contains(err.Error(), "--source") {
		t.Errorf("100000 connections from one address: %v", err)
	}
}

// Many source addresses are really used.
func TestSourcesAreUsed(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	s, url := serve(t, echo, server.Config{Admit: func(r *http.Request) (any, error) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		mu.Lock()
		seen[host] = true
		mu.Unlock()
		return nil, nil
	}})
	got := run(t, s, load.Plan{Scenario: load.Echo, Conns: 9, Inflight: 1}, Target{URL: url, Sources: []string{"127.0.0.2", "127.0.0.3", "127.9.8.7"}})
	got.sound(t)
	if !seen["127.0.0.2"] || !seen["127.0.0.3"] || !seen["127.9.8.7"] {
		t.Errorf("connections came from %v", seen)
	}
}

// A token is fetched as connections are made: with the same certificates, and the
// same header fields.
func TestTokenOverTLS(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Tenant") != "nine" {
			http.Error(w, "no tenant", http.StatusForbidden)
			return
		}
		w.Write([]byte(`{"token":"sesame"}`))
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer s.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	plan := load.Plan{Scenario: load.Echo, Conns: 1, Inflight: 1, Size: 64, Duration: time.Second, Timeout: time.Second}
	for name, target := range map[string]Target{"--cacert": {Options: connect.Options{CA: ca}}, "--insecure": {Options: connect.Options{Insecure: true}}, "": {}} {
		target.URL, target.Timeout = "wss"+strings.TrimPrefix(s.URL, "https")+"/ws", 5*time.Second
		target.Header = http.Header{"X-Tenant": {"nine"}}
		e, err := New(&plan, load.Share{To: 1}, target, 1)
		if err != nil {
			t.Fatal(err)
		}
		token, err := e.target.token(t.Context(), e.http, &dialect.Token{Path: "/token", Field: "token"}, 1)
		if name == "" && err == nil || name != "" && (err != nil || token != "sesame") {
			t.Errorf("%s: %q, %v", name, token, err)
		}
		e.Close(t.Context())
	}
}

// If a connection waits in vain in a protocol's opening, the error says for what.
func TestStuckOpening(t *testing.T) {
	_, url := serve(t, echo, server.Config{})
	opening, err := dialect.Parse([]byte(`
name = "mute"
open = [{send = "knock", expect = "come in"}]
publish.send = "<{{payload}}>"
delivery = {contains = "<", after = "<", before = ">"}
`))
	if err != nil {
		t.Fatal(err)
	}
	plan := load.Plan{Scenario: load.Echo, Conns: 1, Inflight: 1, Size: 64, Timeout: time.Millisecond, Duration: time.Second, Dialect: opening}
	e, err := New(&plan, load.Share{To: 1}, Target{URL: url, Timeout: time.Second}, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	err = e.Connect(t.Context(), Ramp{Conns: 1})
	if err == nil || !strings.Contains(err.Error(), `step 1 of the opening expects "come in"; last came "knock"`) {
		t.Errorf("%v", err)
	}
}
