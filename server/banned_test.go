package server

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/handshake"
)

// bans are the addresses that a test bans.
type bans struct{ addr atomic.Pointer[netip.Addr] }

func (b *bans) ban(addr string) {
	one := netip.MustParseAddr(addr)
	b.addr.Store(&one)
}

// of is a Config.Banned.
func (b *bans) of(client netip.Addr) *handshake.Error {
	if one := b.addr.Load(); one == nil || client != *one {
		return nil
	}
	return &handshake.Error{Status: http.StatusForbidden, Reason: "banned", Header: http.Header{"Retry-After": {"60"}}}
}

// bothWays serves a Config on the loops, and by net/http.
func bothWays(t *testing.T, cfg func() Config) (loops, ref *testServer) {
	t.Helper()
	return start(t, cfg()), start(t, onlyHTTP(cfg()))
}

// A connection from a banned address ends before anything is read from it, and concerns neither limits nor
// the program. Others are served.
func TestBannedAtAccept(t *testing.T) {
	var b bans
	b.ban("127.0.0.2")
	cfg := func() Config {
		return Config{Handler: funcs{message: echo}, Banned: b.of, AcceptRate: 4,
			Refused: func(r *http.Request, status int, reason string) { t.Errorf("refused: %d %s", status, reason) },
			Unused:  func(netip.Addr) { t.Error("it is unused") }}
	}
	loops, ref := bothWays(t, cfg)
	for how, ts := range map[string]*testServer{"loops": loops, "net/http": ref} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		// The clock of the AcceptRate does not move: if they counted, the last one would never be accepted.
		first := dialTCP(t, ln.Addr().String())
		var turnedAway []net.Conn
		for range 16 {
			turnedAway = append(turnedAway, dialTCPFrom(t, "127.0.0.2", ln.Addr().String()))
		}
		last := dialTCP(t, ln.Addr().String())
		go ts.Serve(ln) // all of them wait
		for range 4 {
			turnedAway = append(turnedAway, dialTCPFrom(t, "127.0.0.2", ln.Addr().String()))
		}
		for _, nc := range turnedAway {
			if b, err := io.ReadAll(nc); len(b) > 0 || err != nil {
				t.Fatalf("%s: received %q, %v; want EOF", how, b, err)
			}
		}
		for _, nc := range []net.Conn{first, last} {
			io.WriteString(nc, upgradeRequest("/", ""))
			readHead(t, nc)
			c := newClient(t, nc, nil, handshake.Result{})
			c.text("x")
			c.expect(`text "x"`)
		}
		if st := ts.Stats(); st.Open != 2 || st.Handshaking != 0 || st.Handshakes[101] != 2 || len(st.Handshakes) != 1 {
			t.Errorf("%s: %+v", how, st)
		}
	}
}

// dialTCPFrom dials from a loopback address that Linux has by itself.
func dialTCPFrom(t *testing.T, from, addr string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	nc, err := d.DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Skipf("no connection from %s: %v", from, err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	return nc
}

// A ban that begins while a connection is open is the answer to its next request, whichever way that comes.
// Health probes are answered all the same.
func TestBannedSinceAccept(t *testing.T) {
	for name, raw := range map[string]string{
		"handshake":   upgradeRequest("/", ""),
		"page":        "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
		"probe":       "GET /probe HTTP/1.1\r\nHost: h\r\n\r\n",
		"no request":  "nonsense\r\n\r\n",
		"half of one": "GET / HT",
		"asked about": upgradeRequest("/", "Origin: https://good.example\r\n"),
		"other page":  upgradeRequest("/", "Origin: https://evil.example\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			var answers [2]string
			var b bans
			loops, ref := bothWays(t, func() Config {
				return Config{Handler: funcs{message: echo}, Banned: b.of, Probe: probeOf("/probe"), Upgrader: handshake.Upgrader{CheckOrigin: askingUpgrader().CheckOrigin},
					Refused: func(r *http.Request, status int, reason string) { t.Errorf("refused: %d %s", status, reason) }}
			})
			servers := [2]*testServer{loops, ref}
			var conns [2]net.Conn
			for i, ts := range servers {
				conns[i] = dialTCP(t, ts.addr)
				waitFor(t, func() bool { return ts.Stats().Handshaking == 1 })
			}
			b.ban("127.0.0.1")
			for i, ts := range servers {
				io.WriteString(conns[i], raw)
				answers[i] = answerTo(conns[i])
				if ban := strings.Contains(answers[i], `"HTTP/1.1 403 Forbidden"`) && strings.Contains(answers[i], "Retry-After: 60"); ban != strings.HasPrefix(raw, "GET / HTTP") {
					t.Errorf("received %s", answers[i])
				}
				waitFor(t, func() bool { return ts.Stats().Handshaking == 0 })
				if st := ts.Stats(); len(st.Handshakes) > 0 {
					t.Errorf("counted: %v", st.Handshakes)
				}
			}
			if d := cmp.Diff(answers[1], answers[0]); d != "" {
				t.Errorf("(-net/http +loops):\n%s", d)
			}
		})
	}
}

// Where a proxy names the client, it is the client who is banned; the proxy goes on.
func TestBannedBehindProxy(t *testing.T) {
	var b bans
	b.ban("192.0.2.1")
	ts := start(t, Config{Handler: funcs{message: tellAddr}, ClientAddr: headerAddr, Banned: b.of})
	if resp, body := ask(t, ts.addr, upgradeRequest("/", "Client: 192.0.2.1:1000\r\n")); resp.StatusCode != 403 || resp.Header.Get("Retry-After") != "60" || !resp.Close || body != "banned\n" {
		t.Errorf("%s, %v %q", resp.Status, resp.Header, body)
	}
	if resp, _ := ask(t, ts.addr, upgradeRequest("/", "Client: [::ffff:192.0.2.1]:1000\r\n")); resp.StatusCode != 403 {
		t.Errorf("the same address as IPv6: %s", resp.Status)
	}
	c := ts.dialFrom(t, "192.0.2.2:1000")
	c.text("who am I?")
	c.expect(`text "192.0.2.2:1000"`)
}

// Nobody is asked about the peer of a Unix socket, which has no address.
func TestBannedUnix(t *testing.T) {
	for how, prepare := range map[string]func(Config) Config{"loops": func(cfg Config) Config { return cfg }, "net/http": onlyHTTP} {
		ts := start(t, prepare(Config{Handler: funcs{message: echo}, Banned: func(client netip.Addr) *handshake.Error {
			t.Errorf("%s: asked about %v", how, client)
			return nil
		}}))
		ln, err := net.Listen("unix", t.TempDir()+"/s")
		if err != nil {
			t.Skip("no unix sockets: ", err)
		}
		go ts.Serve(ln)
		nc, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		io.WriteString(nc, upgradeRequest("/", ""))
		readHead(t, nc)
		c := newClient(t, nc, nil, handshake.Result{})
		c.text("x")
		c.expect(`text "x"`)
	}
}

// A handshake at a declared path is no health probe, whichever way it comes; other requests there may be.
func TestProbeAtPath(t *testing.T) {
	needLoops(t)
	asked := make(chan string, 8)
	cfg := func() Config {
		return Config{Handler: funcs{}, HTTP: http.NotFoundHandler(), Paths: []string{"/ws"}, Probe: func(r *http.Request) http.Handler {
			asked <- r.URL.Path
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "healthy") })
		}}
	}
	loops, ref := bothWays(t, cfg)
	for name, c := range map[string]struct {
		raw   string
		asked int // in both ways together
	}{
		"handshake":    {upgradeRequest("/ws", ""), 0},
		"refused":      {strings.Replace(upgradeRequest("/ws", ""), "13", "8", 1), 0},
		"other path":   {upgradeRequest("/", ""), 2},
		"no handshake": {"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n", 2},
	} {
		want, got := answerOf(t, ref, c.raw), answerOf(t, loops, c.raw)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-net/http +loops):\n%s", name, d)
		}
		if n := len(asked); n != c.asked || strings.Contains(want, "healthy") != (n > 0) {
			t.Errorf("%s: Probe was called %d times; answered %s", name, n, want)
		}
		for len(asked) > 0 {
			<-asked
		}
	}
	if loops.Stats().HandshakesOnLoops == 0 {
		t.Error("no loop has answered a request")
	}
}

// A page that CheckOrigin need not be asked about is admitted without it, and so is what is no page.
func TestOriginOnLoops(t *testing.T) {
	needLoops(t)
	cfg := func() Config {
		u := handshake.Upgrader{Origins: []string{"https://good.example"}, CheckOrigin: askingUpgrader().CheckOrigin}
		return Config{Handler: funcs{}, Upgrader: u}
	}
	loops, ref := bothWays(t, cfg)
	for name, fields := range map[string]string{
		"no page": "", "listed": "Origin: https://good.example\r\n", "asked about": "Origin: https://other.example\r\n", "refused": "Origin: https://evil.example\r\n",
		"two": "Origin: https://good.example\r\nOrigin: https://good.example\r\n", "empty": "Origin:\r\n", "other fault": "Sec-WebSocket-Extensions: ;\r\n",
	} {
		want, got := answerOf(t, ref, upgradeRequest("/", fields)), answerOf(t, loops, upgradeRequest("/", fields))
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-net/http +loops):\n%s", name, d)
		}
	}
	if d := cmp.Diff(ref.Stats().Handshakes, loops.Stats().Handshakes); d != "" {
		t.Errorf("counted (-net/http +loops):\n%s", d)
	}
}
