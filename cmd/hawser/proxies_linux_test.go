package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/logtest"
)

// shipped writes a configuration that is shipped, with some of it replaced, and returns its file.
func shipped(t *testing.T, name string, edits ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	conf := string(b)
	for pair := range slices.Chunk(edits, 2) {
		if strings.Count(conf, pair[0]) != 1 {
			t.Fatalf("%s does not have %q once", name, pair[0])
		}
		conf = strings.Replace(conf, pair[0], pair[1], 1)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// freeAddress is one on which nothing listens yet.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// runProxy starts a proxy, and waits until it answers.
func runProxy(t *testing.T, front, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		path = "/usr/sbin/" + program // not in every user's path
	}
	log := &logtest.Buffer{}
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v; \"make tools\" installs it", err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", program, log)
		}
	})
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if resp, err := http.Get("http://" + front + "/readyz"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer:\n%s", program, log)
		}
	}
}

// client is somebody with an address of their own.
type client struct {
	t    *testing.T
	from string
	to   string
}

// ask sends requests, all at once, and returns the answers with their bodies. The connection stays
// open until the test ends.
func (c client) ask(requests ...string) (answers []*http.Response, bodies []string) {
	c.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.from)}, Timeout: patience}
	nc, err := d.Dial("tcp", c.to)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	io.WriteString(nc, strings.Join(requests, ""))
	r := bufio.NewReader(nc)
	for range requests {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			break // it was closed after a refusal
		}
		body := []byte(nil)
		if resp.StatusCode != http.StatusSwitchingProtocols {
			body, _ = io.ReadAll(resp.Body)
		}
		answers, bodies = append(answers, resp), append(bodies, string(body))
		if resp.Close {
			break
		}
	}
	return answers, bodies
}

func (c client) upgrade() (*http.Response, string) {
	c.t.Helper()
	answers, bodies := c.ask("GET /ws HTTP/1.1\r\nHost: " + c.to + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n")
	if len(answers) != 1 {
		c.t.Fatalf("an opening handshake from %s has no answer", c.from)
	}
	return answers[0], bodies[0]
}

// guest asks for a new guest.
func (c client) guest() (*http.Response, string) {
	c.t.Helper()
	body := `{"name":"Ada"}`
	answers, bodies := c.ask(fmt.Sprintf("POST /api/guest HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", c.to, len(body), body))
	if len(answers) != 1 {
		c.t.Fatalf("a request from %s has no answer", c.from)
	}
	return answers[0], bodies[0]
}

// wantRefused checks that an answer refuses for now, in these words.
func wantRefused(t *testing.T, what string, resp *http.Response, body, words string) {
	t.Helper()
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, words) {
		t.Errorf("%s: %s, Retry-After %q, %q; want 429 and %q", what, resp.Status, resp.Header.Get("Retry-After"), body, words)
	}
}

// behindProxy tries what is shipped for a proxy in front of s: the chat works through it, and
// limits are those of each client's real address, whatever the client says it is.
func behindProxy(t *testing.T, s *service, front, words string) {
	through := &service{t: t, url: "http://" + front, http: http.DefaultClient}
	token, _ := through.guest("Ada")
	c, _, err := enter("ws://"+front+"/ws", token)
	if err != nil {
		t.Fatal(err)
	}
	defer c.nc.Close()
	c.send(object{"type": "group", "receiver_id": "lobby", "content": "through a proxy", "ref": "r"})
	if _, err := c.until("ack"); err != nil {
		t.Fatal(err)
	}

	at := func(from string) client { return client{t, from, front} }
	many, other := at("127.0.0.2"), at("127.0.0.3")
	for i := range 10 {
		if resp, body := many.upgrade(); resp.StatusCode != 101 {
			t.Fatalf("connection %d: %s %s", i+1, resp.Status, body)
		}
	}
	resp, body := many.upgrade()
	wantRefused(t, "the 11th connection", resp, body, words)
	if resp, body := other.upgrade(); resp.StatusCode != 101 {
		t.Errorf("another address: %s %s", resp.Status, body)
	}

	// In one go, so that no time passes between them. The server's own limit may be the first.
	flood := make([]string, 60)
	for i := range flood {
		flood[i] = "GET /nothing HTTP/1.1\r\nHost: " + front + "\r\n\r\n"
	}
	answers, bodies := at("127.0.0.4").ask(flood...)
	allowed := 0
	for allowed < len(answers) && answers[allowed].StatusCode != 429 {
		allowed++
	}
	if allowed < 20 || allowed == len(answers) {
		t.Fatalf("%d of %d requests at once are answered; want 20", allowed, len(answers))
	}
	wantRefused(t, "a request beyond the burst", answers[allowed], bodies[allowed], "too many")

	// The server knows the clients' addresses, too: this limit is its own.
	guests := at("127.0.0.5")
	for range 2 {
		if resp, body := guests.guest(); resp.StatusCode != 200 {
			t.Fatalf("a guest: %s %s", resp.Status, body)
		}
	}
	resp, body = guests.guest()
	wantRefused(t, "a third guest", resp, body, `"reason":"rate_limited"`)
	if resp, body := at("127.0.0.6").guest(); resp.StatusCode != 200 {
		t.Errorf("a guest at another address: %s %s", resp.Status, body)
	}
}

// A16: the shipped configuration of nginx, with a real nginx.
func TestA16BehindNginx(t *testing.T) {
	t.Parallel()
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--preset=strict", "--trusted-proxies=127.0.0.1", "--forwarded-header=x-forwarded-for", "--limits.guests-per-minute=2")
	front := freeAddress(t)
	file := shipped(t, "nginx.conf",
		"worker_processes auto;", "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr warn;",
		"worker_rlimit_nofile 200000;", "",
		"worker_connections 100000;", "worker_connections 1000;",
		"access_log off;", "access_log off;\n\tclient_body_temp_path body;\n\tproxy_temp_path proxy;\n\tfastcgi_temp_path fastcgi;\n\tuwsgi_temp_path uwsgi;\n\tscgi_temp_path scgi;",
		"\t\tlisten 8000 ", "\t\tlisten "+front+" ",
		"server 127.0.0.1:8080;", "server "+strings.TrimPrefix(s.url, "http://")+";")
	runProxy(t, front, "nginx", "-p", filepath.Dir(file), "-c", file, "-e", "stderr")
	behindProxy(t, s, front, "too many connections or requests")
}

// A16: the shipped configuration of HAProxy, with a real HAProxy.
func TestA16BehindHAProxy(t *testing.T) {
	t.Parallel()
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--preset=strict", "--trusted-proxies=127.0.0.1", "--proxy-protocol", "--limits.guests-per-minute=2")
	front := freeAddress(t)
	file := shipped(t, "haproxy.cfg",
		"maxconn 100000", "maxconn 1000",
		"\tbind :8000\n", "\tbind "+front+"\n",
		"server node 127.0.0.1:8080 ", "server node "+strings.TrimPrefix(s.url, "http://")+" ")
	runProxy(t, front, "haproxy", "-db", "-f", file)
	behindProxy(t, s, front, "this address has too many connections")
}
