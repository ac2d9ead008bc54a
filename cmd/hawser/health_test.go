package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/cmd/internal/certs/certtest"
	"github.com/hawser-ws/hawser/cmd/internal/logtest"
	"github.com/hawser-ws/hawser/handshake"
)

// probe sends a request as it stands and returns the answer.
func probe(t *testing.T, nc net.Conn, request string) (*http.Response, string) {
	t.Helper()
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(patience))
	io.WriteString(nc, request)
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(nc), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%.40q: %v", request, err)
	}
	b, _ := io.ReadAll(resp.Body)
	return resp, string(b)
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	_, addr, _ := strings.Cut(strings.TrimSuffix(url, "/"), "://")
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return nc
}

// admin returns where the administrator's listener is.
func (s *service) admin(t *testing.T) string {
	t.Helper()
	waitForLog(t, s, "health probes are answered")
	m := regexp.MustCompile(`health probes are answered, and /metrics" at=(http\S+)/`).FindStringSubmatch(s.log.String())
	if m == nil {
		t.Fatalf("the log does not say where:\n%s", s.log)
	}
	return m[1]
}

// Both listeners answer every method and version that health checks are made with,
// and nobody keeps the answer.
func TestHealthProbes(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--base-path=/talk")
	for _, url := range []string{s.url, s.admin(t)} {
		for _, c := range []struct {
			line   string
			status int
			body   string
		}{
			{"GET /healthz HTTP/1.1", 200, "ok\n"},
			{"GET /healthz HTTP/1.0", 200, "ok\n"},
			{"HEAD /healthz HTTP/1.1", 200, ""},
			{"OPTIONS /healthz HTTP/1.1", 200, "ok\n"},
			{"GET /readyz HTTP/1.1", 200, "ready\n"},
			{"GET /readyz?verbose HTTP/1.1", 200, "ready\n"},
			{"HEAD /readyz HTTP/1.0", 200, ""},
			{"OPTIONS /readyz HTTP/1.0", 200, "ready\n"},
			{"OPTIONS / HTTP/1.0", 200, "ready\n"}, // HAProxy's option httpchk
			{"OPTIONS / HTTP/1.1", 200, "ready\n"},
			{"GET /talk/readyz HTTP/1.1", 200, "ready\n"},
			{"POST /healthz HTTP/1.1", 405, "use GET, HEAD or OPTIONS\n"},
			{"DELETE /readyz HTTP/1.1", 405, "use GET, HEAD or OPTIONS\n"},
		} {
			host := ""
			if strings.HasSuffix(c.line, "1.1") {
				host = "Host: h\r\n"
			}
			resp, body := probe(t, dial(t, url), c.line+"\r\n"+host+"\r\n")
			if resp.StatusCode != c.status || body != c.body || resp.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s at %s: %s %q, Cache-Control %q; want %d %q", c.line, url, resp.Status, body, resp.Header.Get("Cache-Control"), c.status, c.body)
			}
		}
		if resp, _ := probe(t, dial(t, url), "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"); resp.StatusCode != 200 {
			t.Errorf("OPTIONS * at %s: %s", url, resp.Status)
		}
	}
	if status, _ := get(t, s.admin(t)+"/"); status != 404 {
		t.Errorf("the administrator's listener has a page: %d", status)
	}
}

// A full server is neither dead nor invisible: probes and the page are answered,
// whichever limit it is that refuses people.
func TestProbesOfFullServer(t *testing.T) {
	for limit, status := range map[string]int{"--limits.connections=3": 503, "--limits.connections-per-address=3": 429, "--limits.handshakes-per-second=3": 503} {
		s := launch(t, t.TempDir(), "127.0.0.1:0", limit, "--auth-timeout=10m") // nobody says who it is
		var open []*chatClient
		var err error
		for deadline := time.Now().Add(patience); err == nil && time.Now().Before(deadline); {
			var c *chatClient
			if c, err = dialChat(s.ws("/ws")); err == nil {
				open = append(open, c)
			}
		}
		var refused *handshake.Error
		if !errors.As(err, &refused) || refused.Status != status || refused.Header.Get("Retry-After") == "" {
			t.Fatalf("%s: %v; want %d and Retry-After", limit, err, status)
		}
		// A second may have passed, after which as many handshakes are allowed again.
		if n := len(open); n < 3 || n > 3 && limit != "--limits.handshakes-per-second=3" {
			t.Errorf("%s: %d are let in", limit, n)
		}
		for range 5 {
			for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
				if got, body := get(t, s.url+path); got != 200 || body != want {
					t.Errorf("%s: GET %s: %d %q", limit, path, got, body)
				}
			}
		}
		if got, _ := get(t, s.url+"/"); got != 200 {
			t.Errorf("%s: GET /: %d", limit, got)
		}
		for _, c := range open {
			c.nc.Close()
		}
		for deadline := time.Now().Add(patience); ; { // A16: the count returns to 0
			c, err := dialChat(s.ws("/ws"))
			if err == nil {
				c.nc.Close()
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: nobody is let in again: %v", limit, err)
			}
		}
	}
}

// With the PROXY protocol a probe needs no header, with TLS or not; and without one
// nothing but a probe is answered.
func TestProbesWithProxyProtocol(t *testing.T) {
	args := []string{"--proxy-protocol", "--trusted-proxies=127.0.0.0/8"}
	const end = " HTTP/1.1\r\nHost: h\r\n\r\n"
	ca := certtest.New(t, "server")
	plain := launch(t, t.TempDir(), "127.0.0.1:0", args...)
	secure := launchTLS(t, ca, t.TempDir(), args...)
	for s, connect := range map[*service]func() net.Conn{
		plain: func() net.Conn { return dial(t, plain.url) },
		secure: func() net.Conn {
			return tls.Client(dial(t, secure.url), &tls.Config{RootCAs: ca.Pool, ServerName: "127.0.0.1"})
		},
	} {
		for line, status := range map[string]int{"GET /healthz": 200, "GET /readyz": 200, "HEAD /readyz": 200, "OPTIONS /": 200, "GET /": 400, "GET /ws": 400} {
			if resp, body := probe(t, connect(), line+end); resp.StatusCode != status || status == 400 && !strings.Contains(body, "PROXY header") {
				t.Errorf("%s at %s: %s %q; want %d", line, s.url, resp.Status, body, status)
			}
		}
	}
	nc := dial(t, plain.url)
	io.WriteString(nc, "PROXY TCP4 192.0.2.1 127.0.0.1 1000 80\r\n")
	if resp, _ := probe(t, nc, "GET /"+end); resp.StatusCode != 200 {
		t.Errorf("with a header: %s", resp.Status)
	}
}

// A server that stops says so until its end, where it can still be asked.
func TestReadyzStopping(t *testing.T) {
	// It stops when its last client has gone: this one stays, though it answers nothing.
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--drain-time=1h", "--ping-interval=1h")
	token, _ := s.guest("Ada")
	c, _, err := enter(s.ws("/ws"), token)
	if err != nil {
		t.Fatal(err)
	}
	admin := s.admin(t)
	s.cmd.Process.Signal(os.Interrupt)
	wait(t, func() bool { status, body := get(t, admin+"/readyz"); return status == 503 && body == "stopping\n" })
	if status, _ := get(t, admin+"/healthz"); status != 200 {
		t.Errorf("/healthz of a server that stops: %d", status)
	}
	for _, request := range []string{"OPTIONS / HTTP/1.0\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"} {
		if resp, body := probe(t, dial(t, admin), request); resp.StatusCode != 503 || body != "stopping\n" {
			t.Errorf("%q of a server that stops: %s %q", request, resp.Status, body)
		}
	}
	c.nc.Close()
	<-s.dead
	if status := s.cmd.ProcessState.ExitCode(); status != 0 {
		t.Errorf("exit status %d\n%s", status, s.log)
	}
}

func wait(t *testing.T, until func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !until(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to that")
		}
	}
}

// sickStore is a store in whatever state.
type sickStore struct{ broken, unhealthy error }

func (s *sickStore) Broken() error               { return s.broken }
func (s *sickStore) Healthy() error              { return errors.Join(s.broken, s.unhealthy) }
func (s *sickStore) Close(context.Context) error { return nil }

// Why the store takes nothing is said in words that name no file, and in the log once
// for each change.
func TestReadyzWords(t *testing.T) {
	log, store := &logtest.Buffer{}, &sickStore{}
	e := &engine{Engine: chat.Engine{Health: store}, broken: store.Broken}
	h := &health{ending: &atomic.Bool{}, engine: e.status, log: slog.New(slog.NewTextHandler(log, nil))}
	for _, c := range []struct {
		store  sickStore
		status int
		words  string
		lines  int // in the log so far
	}{
		{sickStore{}, 200, "ready\n", 0},
		{sickStore{unhealthy: errors.New("no room at /secret")}, 503, "the disk is full\n", 1},
		{sickStore{}, 200, "ready\n", 2},
		{sickStore{broken: errors.New("a sync of /secret failed")}, 503, "the store is closed for writing\n", 3},
	} {
		*store = c.store
		for range 3 {
			w := httptest.NewRecorder()
			h.probe(httptest.NewRequest("GET", "/readyz", nil)).ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
			if w.Code != c.status || w.Body.String() != c.words {
				t.Errorf("%+v: %d %q; want %d %q", c.store, w.Code, w.Body, c.status, c.words)
			}
		}
		if n := strings.Count(log.String(), "\n"); n != c.lines {
			t.Errorf("%d lines in the log; want %d:\n%s", n, c.lines, log)
		}
	}
	shared := &engine{Engine: chat.Engine{Health: &sickStore{unhealthy: errors.New("no route to secret")}}}
	if words, err := shared.status(); words != "the store does not work" || err == nil {
		t.Errorf("a shared store that is away: %q, %v", words, err)
	}
}

// The administrator's listener can be a Unix socket, or another of several sockets that
// systemd passed on; an address that is taken is named.
func TestAdminListen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--admin-listen=unix:"+path)
	client := &http.Client{Transport: &http.Transport{DialContext: onSocket(path)}}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://admin/readyz")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Errorf("on a Unix socket: %s", resp.Status)
	}

	var files []*os.File
	var addrs []string
	for range 2 {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		f, err := ln.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files, addrs = append(files, f), append(addrs, ln.Addr().String())
		ln.Close() // f is another descriptor of it
	}
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, program, "serve", "--listen=systemd:web", "--admin-listen=systemd:admin", "--data", t.TempDir())
	cmd.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=admin:web")
	cmd.ExtraFiles = files
	activated := launchCommand(t, cmd)
	if activated.url != "http://"+addrs[1] || activated.admin(t) != "http://"+addrs[0] {
		t.Errorf("the page is at %s, probes are answered at %s; want %s", activated.url, activated.admin(t), addrs)
	}

	out, err := exec.Command(program, "serve", "--data", t.TempDir(), "--listen=127.0.0.1:0", "--admin-listen", strings.TrimPrefix(s.url, "http://")).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "address already in use") {
		t.Errorf("an address that is taken: %v\n%s", err, out)
	}
}

// P01: 40 people behind one address, each with a browser that keeps six connections,
// all load the page and talk, with default settings.
func TestP01Office(t *testing.T) {
	const people = 40
	s := launch(t, t.TempDir(), "127.0.0.1:0")
	talk := make(chan *chatClient, people)
	failed := make(chan error, people)
	for i := range people {
		go func() {
			c, err := browse(s, fmt.Sprint("Ada ", i))
			if err != nil {
				failed <- fmt.Errorf("person %d: %w", i, err)
				return
			}
			talk <- c
		}()
	}
	var all []*chatClient
	for range people {
		select {
		case c := <-talk:
			all = append(all, c)
		case err := <-failed:
			t.Fatal(err)
		}
	}
	for i, c := range all {
		c.send(object{"type": "group", "receiver_id": "office", "content": fmt.Sprint("hello from ", i)})
	}
	for i, c := range all {
		for heard := 0; heard < people; heard++ {
			if _, err := c.until("group"); err != nil {
				t.Fatalf("person %d heard %d of %d: %v", i, heard, people, err)
			}
		}
	}
}

// browse does what a browser does with the page, over six connections that it keeps,
// and joins the room.
func browse(s *service, name string) (*chatClient, error) {
	const kept = 6
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	browser := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: kept}}
	s.t.Cleanup(browser.CloseIdleConnections)
	load := func(path string) (string, error) {
		r, _ := http.NewRequestWithContext(ctx, "GET", s.url+"/"+path, nil)
		resp, err := browser.Do(r)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode != 200 {
			err = fmt.Errorf("GET /%s: %s", path, resp.Status)
		}
		return string(b), err
	}
	page, err := load("")
	if err != nil {
		return nil, err
	}
	files := regexp.MustCompile(`(?:src|href)="\.?/?([a-z][^":]*)"`).FindAllStringSubmatch(page, -1)
	if len(files) < 2 {
		return nil, fmt.Errorf("the page names %d files", len(files))
	}
	loaded := make(chan error)
	for i := range kept {
		go func() {
			_, err := load(files[i%len(files)][1])
			loaded <- err
		}()
	}
	for range kept {
		err = errors.Join(err, <-loaded)
	}
	if err != nil {
		return nil, err
	}
	resp, err := browser.Post(s.url+"/api/guest", "application/json", strings.NewReader(fmt.Sprintf(`{"name":%q}`, name)))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var guest struct{ Token string }
	if err := json.NewDecoder(resp.Body).Decode(&guest); err != nil || resp.StatusCode != 200 {
		return nil, fmt.Errorf("POST /api/guest: %s %v", resp.Status, err)
	}
	c, _, err := enter(s.ws("/ws"), guest.Token, "ack")
	if err != nil {
		return nil, err
	}
	c.send(object{"type": "join", "receiver_id": "office", "ref": "join"})
	_, err = c.until("ack")
	return c, err
}

// A flood of handshakes that fail, of whatever kind, writes a bounded number of
// lines and says how many it left out.
func TestFloodInLog(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--proxy-protocol", "--trusted-proxies=127.0.0.2")
	begin := time.Now()
	const n = 300
	var flood [n]net.Conn
	for i := range flood { // all of them, so that they fail within a second or two
		from, request := net.IPv4(127, 0, 0, 1), "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n"
		if i%2 == 0 {
			from, request = net.IPv4(127, 0, 0, 2), "nonsense"
		}
		nc, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}).Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		nc.SetDeadline(time.Now().Add(patience))
		io.WriteString(nc, request)
		flood[i] = nc
	}
	for _, nc := range flood { // the answer is an error, and the end of the other kind
		if _, err := nc.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	waitForLog(t, s, "suppressed=")
	seconds := int(time.Since(begin)/time.Second) + 2
	for _, kind := range []string{"upgrade failed", "PROXY header refused"} {
		if got := strings.Count(s.log.String(), kind); got == 0 || got > 11*seconds {
			t.Errorf("%q stands there %d times after %d in %d s", kind, got, n/2, seconds)
		}
	}
}
