package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// authority signs certificates for 127.0.0.1.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &authority{cert, key, pool}
}

func (a *authority) issue(t testing.TB, usage x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	return a.issueUntil(t, usage, time.Now().Add(time.Hour))
}

func (a *authority) issueUntil(t testing.TB, usage x509.ExtKeyUsage, end time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: end,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// startTLS starts a server that speaks TLS, and the options to dial it with.
func startTLS(t *testing.T, cfg Config) (*testServer, *handshake.DialOptions, *authority) {
	t.Helper()
	ca := newAuthority(t)
	if cfg.TLS == nil {
		cfg.TLS = &tls.Config{}
	}
	cfg.TLS.Certificates = []tls.Certificate{ca.issue(t, x509.ExtKeyUsageServerAuth)}
	ts := start(t, cfg)
	ts.scheme = "wss"
	return ts, &handshake.DialOptions{TLSConfig: &tls.Config{RootCAs: ca.pool}}, ca
}

var versions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

func TestTLSEcho(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			causes := make(chan error, 1)
			ts, o, _ := startTLS(t, Config{Handler: funcs{message: echo, close: end(causes)}, MaxMessage: 4 << 20, WriteQueue: 8 << 20})
			o.TLSConfig.MaxVersion = version
			c := ts.dialWith(t, "/", o)
			c.text("hello")
			c.expect(`text "hello"`)
			for _, n := range []int{100, 16 << 10, 70_000, 3 << 20} {
				c.frame(0x82, strings.Repeat("x", n))
				c.expect(fmt.Sprintf("binary %d bytes", n))
			}
			// A burst in one record, and in many.
			var burst []byte
			for i := range 2000 {
				burst = append(burst, masked(0x81, fmt.Sprint(i))...)
			}
			go c.nc.Write(burst)
			for i := range 2000 {
				c.expect(fmt.Sprintf(`text "%d"`, i))
			}
			c.frame(0x88, "\x03\xe8")
			c.expect("close 1000", "EOF") // close_notify, then the end of the stream
			c.nc.Close()
			receive(t, causes)
		})
	}
}

// With a kernel that moves a byte at a time, or nothing, the stream is the
// same over TLS.
func TestTLSMoodyKernel(t *testing.T) {
	seed := mathrand.Uint64()
	t.Logf("seed %d", seed)
	for name, version := range versions {
		ts, o, _ := startTLS(t, Config{Handler: funcs{message: echo}, newKernel: moodyKernels(seed), MaxControlRate: Off})
		o.TLSConfig.MaxVersion = version
		c := ts.dialWith(t, "/", o)
		const n = 60
		go func() {
			for i := range n {
				c.nc.Write(append(masked(0x81, fmt.Sprint(i)), masked(0x82, strings.Repeat("y", 1+i*500))...))
			}
			c.nc.Write(masked(0x88, "\x03\xe8"))
		}()
		for i := range n {
			c.expect(fmt.Sprintf(`text "%d"`, i))
			if got := c.event(); !bytes.Equal(got.Payload, bytes.Repeat([]byte("y"), 1+i*500)) {
				t.Fatalf("TLS %s, message %d: %d bytes", name, i, len(got.Payload))
			}
		}
		c.expect("close 1000", "EOF")
	}
}

// Idle TLS connections have no goroutine either, and every group member hears
// the same, with TLS and without.
func TestTLSIdleAndGroup(t *testing.T) {
	var g *Group
	ts, o, _ := startTLS(t, Config{Handler: funcs{
		open:    func(c LoopConn) { g.Join(c.Conn()) },
		message: func(c LoopConn, op frame.Opcode, p []byte) { g.Send(wsproto.NewPrepared(op, p), Evict) },
	}, MaxConnsPerAddress: Off})
	g = ts.NewGroup()
	first := ts.dialWith(t, "/", o)
	first.text("x")
	first.expect(`text "x"`)
	before := runtime.NumGoroutine()
	var cs []*client
	for range 50 {
		cs = append(cs, ts.dialWith(t, "/", o))
	}
	ts.clock.settle()
	waitFor(t, func() bool { return ts.Stats().Open == 51 && (onGoroutines() || runtime.NumGoroutine() <= before) })
	first.text("all")
	for _, c := range append(cs, first) {
		c.expect(`text "all"`)
	}
}

// A client over TLS that does not read is held back, refused and evicted as any other.
func TestTLSBackpressure(t *testing.T) {
	causes := make(chan error, 2)
	opened := make(chan Conn, 2)
	ts, o, _ := startTLS(t, Config{Loops: 1, PingInterval: Off, WriteTimeout: Off, AssemblyTimeout: Off,
		Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, message: echo, close: end(causes)}})
	c := ts.dialWith(t, "/", o)
	receive(t, opened)
	const n = 1000
	go func() {
		f := masked(0x82, strings.Repeat("z", 16<<10))
		for range n {
			c.nc.Write(f)
		}
	}()
	ts.until(t, 0, func(p *conn) bool { return p.has(flagFull) && p.mask&wantRead == 0 })
	for range n {
		c.expect("binary 16384 bytes")
	}
	if len(causes) > 0 {
		t.Fatal(<-causes)
	}
	ts.dialWith(t, "/", o)
	h := receive(t, opened)
	var err error
	for err == nil {
		err = h.Send(frame.Binary, make([]byte, 64<<10))
		ts.clock.settle()
	}
	h.Evict()
	ts.clock.settle()
	if n := ts.Stats().Evicted; err != ErrQueueFull || n != 1 {
		t.Errorf("Send: %v, %d evicted; want ErrQueueFull, 1", err, n)
	}
}

func TestTLSPause(t *testing.T) {
	opened := make(chan Conn, 1)
	got := make(chan string, 1000)
	ts, o, _ := startTLS(t, Config{Loops: 1, Handler: funcs{
		open: func(c LoopConn) { opened <- c.Conn() },
		message: func(c LoopConn, op frame.Opcode, p []byte) {
			got <- string(p)
			if string(p) == "0" {
				c.Pause(true)
			}
		},
	}})
	c := ts.dialWith(t, "/", o)
	h := receive(t, opened)
	for i := range 100 { // a record each: most stay in the tls.Conn or behind it
		c.text(fmt.Sprint(i))
	}
	receive(t, got)
	ts.clock.settle()
	h.Pause(false)
	for i := 1; i < 100; i++ {
		if s := receive(t, got); s != fmt.Sprint(i) {
			t.Fatalf("received %s; want %d", s, i)
		}
	}
}

// T03: nothing below TLS 1.2, and no weak suite under it.
func TestT03OldVersions(t *testing.T) {
	ts, _, ca := startTLS(t, Config{Handler: funcs{}})
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
		nc, err := tls.Dial("tcp", ts.addr, &tls.Config{RootCAs: ca.pool, MinVersion: tls.VersionTLS10, MaxVersion: version})
		if err == nil {
			nc.Close()
			t.Errorf("version %x is accepted", version)
		}
	}
	for suite, want := range map[uint16]bool{
		tls.TLS_ECDHE_ECDSA_WITH_RC4_128_SHA:        false,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: false,
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: true,
	} {
		nc, err := tls.Dial("tcp", ts.addr, &tls.Config{RootCAs: ca.pool, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}})
		if err == nil {
			nc.Close()
		}
		if (err == nil) != want {
			t.Errorf("%s: %v; want accepted: %v", tls.CipherSuiteName(suite), err, want)
		}
	}
}

// T04: with client authentication, who has no certificate of the authority, or an
// expired one, is refused. Revocation is not looked at: crypto/tls knows no CRL.
func TestT04ClientCertificates(t *testing.T) {
	clients, strangers := newAuthority(t), newAuthority(t)
	ts, o, _ := startTLS(t, Config{Handler: funcs{message: echo}, TLS: &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients.pool}})
	for _, c := range []struct {
		name string
		cert []tls.Certificate
		ok   bool
	}{
		{"right", []tls.Certificate{clients.issue(t, x509.ExtKeyUsageClientAuth)}, true},
		{"none", nil, false},
		{"expired", []tls.Certificate{clients.issueUntil(t, x509.ExtKeyUsageClientAuth, time.Now().Add(-time.Minute))}, false},
		{"another authority's", []tls.Certificate{strangers.issue(t, x509.ExtKeyUsageClientAuth)}, false},
		{"a server's", []tls.Certificate{clients.issue(t, x509.ExtKeyUsageServerAuth)}, false},
	} {
		cfg := o.TLSConfig.Clone()
		cfg.Certificates = c.cert
		nc, _, _, err := handshake.Dial(t.Context(), "wss://"+ts.addr+"/", &handshake.DialOptions{TLSConfig: cfg})
		if err == nil {
			nc.Close()
		}
		if c.ok != (err == nil) {
			t.Errorf("%s: %v; want accepted: %v", c.name, err, c.ok)
		}
	}
}

// T09: TLS on a plain port, and the reverse, end at once.
func TestT09WrongPort(t *testing.T) {
	secured, _, ca := startTLS(t, Config{Handler: funcs{}})
	if resp, _ := ask(t, secured.addr, upgradeRequest("/", "")); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("plain HTTP on a TLS port: %s; want 400", resp.Status)
	}
	plain := start(t, Config{Handler: funcs{}})
	if nc, err := tls.Dial("tcp", plain.addr, &tls.Config{RootCAs: ca.pool}); err == nil {
		nc.Close()
		t.Error("TLS on a plain port succeeds")
	}
}

// T01: a record that is longer than any may be ends the connection with an
// alert.
func TestT01RecordLength(t *testing.T) {
	causes := make(chan error, 1)
	ts, o, _ := startTLS(t, Config{Handler: funcs{close: end(causes)}})
	c := ts.dialWith(t, "/", o)
	raw := c.nc.(*tls.Conn).NetConn()
	raw.Write(append([]byte{23, 3, 3, 0xFF, 0xFF}, make([]byte, 100)...))
	receive(t, causes)
	b, _ := io.ReadAll(raw)
	if len(b) == 0 {
		t.Error("no alert")
	}
}

// A connection that is paused and resumed within one iteration is read on, though
// its tls.Conn holds what epoll cannot see.
func TestTLSPauseResume(t *testing.T) {
	got := make(chan string, 100)
	opened := make(chan Conn, 2)
	var a Conn
	ts, o, _ := startTLS(t, Config{Loops: 1, Admit: pathValue, PingInterval: Off, Handler: funcs{
		open: func(c LoopConn) { opened <- c.Conn() },
		message: func(c LoopConn, op frame.Opcode, p []byte) {
			switch string(p) {
			case "pause":
				c.Pause(true)
			case "resume":
				a.Pause(false)
			default:
				got <- string(p)
			}
		},
	}})
	ca := ts.dialWith(t, "/a", o)
	a = receive(t, opened)
	cb := ts.dialWith(t, "/b", o)
	receive(t, opened)
	ts.clock.settle() // what epoll had to report is dealt with: ca comes first now
	held, release := make(chan struct{}), make(chan struct{})
	go ts.loops[0].call(func() { close(held); <-release })
	<-held
	ready := func(n int) { // as many have input, in this order, also on goroutines
		if k, ok := ts.loops[0].k.(*portable); ok {
			waitFor(t, func() bool {
				k.mu.Lock()
				defer k.mu.Unlock()
				return len(k.ready) == n
			})
		}
	}
	ca.text("pause")
	ca.text("after") // in the kernel with the first: tls.Conn reads both records at once
	arrived(t, ca.nc)
	ready(1)
	cb.text("resume")
	arrived(t, cb.nc)
	ready(2)
	close(release)
	if s := receive(t, got); s != "after" {
		t.Errorf("received %q", s)
	}
}

// What is encrypted and not written counts as waiting, for the memory budget too.
func TestTLSQueued(t *testing.T) {
	var peer gate
	opened, closed := make(chan Conn, 2), make(chan error, 2)
	ts, o, _ := startTLS(t, Config{Loops: 1, newKernel: peer.kernels(), WriteTimeout: Off, MemoryBudget: 80 << 10,
		Handler: funcs{open: func(c LoopConn) { opened <- c.Conn() }, close: end(closed)}})
	ts.dialWith(t, "/", o)
	first := receive(t, opened)
	second := ts.dialWith(t, "/", o)
	h := receive(t, opened)
	first.Send(frame.Binary, make([]byte, 60_000)) // 10,000 of it go through
	ts.clock.settle()
	if n := ts.Stats().Queued; n < 50_000 || n > 52_000 || int(n) != first.Buffered() {
		t.Errorf("%d bytes queued, %d of the connection; want those that did not go through", n, first.Buffered())
	}
	h.Send(frame.Binary, make([]byte, 40_000))
	receive(t, closed)
	ts.clock.settle()
	if s := ts.Stats(); s.Ended.Shed != 1 || s.Queued != ts.budget.used.Load() || s.Queued > 52_000 {
		t.Errorf("%+v, %d used", s, ts.budget.used.Load())
	}
	peer.open.Store(true)
	first.Pause(false)
	h.Pause(false)
	second.expect("binary 40000 bytes")
	waitFor(t, func() bool { return ts.Stats().Queued == 0 && ts.budget.used.Load() == 0 })
}
