package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
)

// askingUpgrader has all functions that want a request.
func askingUpgrader() handshake.Upgrader {
	return handshake.Upgrader{
		Subprotocol: func(r *http.Request, offered []string) string {
			if len(offered) == 0 {
				return ""
			}
			return offered[len(offered)-1]
		},
		CheckOrigin: func(r *http.Request, origin string) error {
			if strings.Contains(origin, "evil") {
				return errors.New("only ours")
			}
			return nil
		},
		Header: func(r *http.Request) http.Header {
			return http.Header{"X-Host": {r.Host}, "Set-Cookie": {"a=b", "c=d"}}
		},
	}
}

// pickyAdmit refuses two paths.
func pickyAdmit(r *http.Request) (any, error) {
	switch r.URL.Path {
	case "/refused":
		return nil, &handshake.Error{Status: 401, Reason: "log in first", Header: http.Header{"WWW-Authenticate": {"Basic"}}}
	case "/unknown":
		return nil, errors.New("the database at 192.0.2.1 is away")
	}
	return r.URL.Path, nil
}

// probeOf answers one path as a health probe.
func probeOf(path string) func(r *http.Request) http.Handler {
	return func(r *http.Request) http.Handler {
		if r.URL.Path != path {
			return nil
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "healthy") })
	}
}

// Where there are functions that want a request, a loop answers all the same, and they are given what
// net/http would have given them.
func TestJudgedByLoop(t *testing.T) {
	needLoops(t)
	type seen struct {
		Method, URL, Proto, Host, RequestURI, Remote, Local string
		Header                                              http.Header
		Body, Server                                        bool
		Length                                              int64
	}
	raw := upgradeRequest("/a/b?c=d", "Cookie: e=f\r\nx-lower: 1\r\nX-Lower: 2\r\nSec-WebSocket-Protocol: x, chat\r\n")
	both := map[string]seen{}
	for how, prepare := range map[string]func(Config) Config{"loops": func(cfg Config) Config { return cfg }, "net/http": onlyHTTP} {
		asked := make(chan seen, 1)
		ts := start(t, prepare(Config{Handler: greets("admitted"), Upgrader: askingUpgrader(), Admit: func(r *http.Request) (any, error) {
			host, _, _ := net.SplitHostPort(r.RemoteAddr)
			local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
			_, server := r.Context().Value(http.ServerContextKey).(*http.Server)
			asked <- seen{r.Method, r.URL.String(), r.Proto, r.Host, r.RequestURI, host, strings.Split(local.String(), ":")[0], r.Header, r.Body == http.NoBody, server, r.ContentLength}
			return nil, nil
		}}))
		nc := dialTCP(t, ts.addr)
		io.WriteString(nc, raw)
		both[how] = receive(t, asked)
		want := "\x81\x08admitted"
		got, err := io.ReadAll(io.LimitReader(nc, int64(len("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n"+
			"Sec-WebSocket-Protocol: chat\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX-Host: h\r\n\r\n"+want))))
		if !strings.HasSuffix(string(got), want) || err != nil {
			t.Errorf("%s: received %q, %v", how, got, err)
		}
		if n := ts.Stats().HandshakesOnLoops; (n > 0) != (how == "loops") {
			t.Errorf("%s: loops have answered %d", how, n)
		}
	}
	if d := cmp.Diff(both["net/http"], both["loops"]); d != "" {
		t.Errorf("the request (-net/http +loops):\n%s", d)
	}
}

// What follows a request that is being judged is not lost, and is delivered once it has been answered.
func TestJudgedEarlyFrames(t *testing.T) {
	needLoops(t)
	answer, asked := make(chan struct{}), make(chan struct{}, 1)
	ts := start(t, Config{Handler: funcs{message: echo}, Admit: func(r *http.Request) (any, error) { asked <- struct{}{}; <-answer; return nil, nil }})
	nc := dialTCP(t, ts.addr)
	io.WriteString(nc, upgradeRequest("/", "")+string(masked(0x81, "glued")))
	receive(t, asked)
	long := strings.Repeat("x", 3*maxEarly)
	nc.Write(masked(0x81, "early"))
	nc.Write(masked(0x81, long))
	arrived(t, nc)
	ts.clock.settle()
	close(answer)
	readHead(t, nc)
	c := newClient(t, nc, nil, handshake.Result{})
	c.expect(`text "glued"`, `text "early"`, fmt.Sprintf("text %d bytes", len(long)))
}

// readHead reads an answer up to its empty line.
func readHead(t *testing.T, nc net.Conn) (head string) {
	t.Helper()
	b := []byte{0}
	for !strings.HasSuffix(head, "\r\n\r\n") {
		if _, err := nc.Read(b); err != nil {
			t.Fatalf("after %q: %v", head, err)
		}
		head += string(b)
	}
	return head
}

// No more functions run at a time than MaxAdmitting. The others wait, for HandshakeTimeout, and are then
// refused; one that runs is not limited.
func TestJudgedWait(t *testing.T) {
	needLoops(t)
	release, asked := make(chan struct{}), make(chan string, 8)
	ts := start(t, Config{Handler: funcs{message: echo}, MaxAdmitting: 2, HandshakeTimeout: 5 * time.Second, Admit: func(r *http.Request) (any, error) {
		asked <- r.URL.Path
		<-release
		return nil, nil
	}})
	var conns []net.Conn
	for _, path := range []string{"/1", "/2", "/3", "/4"} {
		nc := dialTCP(t, ts.addr)
		io.WriteString(nc, upgradeRequest(path, ""))
		if len(conns) < 2 {
			if got := receive(t, asked); got != path {
				t.Fatalf("asked about %s; want %s", got, path)
			}
		}
		conns = append(conns, nc)
	}
	waitFor(t, func() bool { return ts.arriving() == 4 && ts.conns.Load() == 4 })
	ts.clock.advance(4900 * time.Millisecond)
	if n := ts.arriving(); n != 4 || len(asked) > 0 {
		t.Errorf("after 4.9 s: %d wait, and %d more were asked about", n, len(asked))
	}
	ts.clock.advance(200 * time.Millisecond)
	for _, nc := range conns[2:] {
		b, err := io.ReadAll(nc)
		if !strings.HasPrefix(string(b), "HTTP/1.1 503 ") || !strings.Contains(string(b), "Retry-After: 5\r\n") || err != nil {
			t.Errorf("received %q, %v", b, err)
		}
	}
	ts.clock.advance(time.Minute)
	close(release)
	for _, nc := range conns[:2] {
		if head := readHead(t, nc); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
			t.Errorf("received %q", head)
		}
	}
	if len(asked) > 0 {
		t.Errorf("asked about %s, which was refused before", <-asked)
	}
	if n := ts.conns.Load(); n != 2 {
		t.Errorf("%d places are taken; want 2", n)
	}
	// The pool is as it was.
	c := ts.dial(t, "/5")
	c.text("x")
	c.expect(`text "x"`)
}

// The context that Admit is given ends when the client gives up, and otherwise with the connection.
func TestJudgedContext(t *testing.T) {
	needLoops(t)
	contexts := make(chan context.Context, 1)
	ended := make(chan struct{}, 1)
	ts := start(t, Config{Handler: funcs{}, Admit: func(r *http.Request) (any, error) {
		contexts <- r.Context()
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
			ended <- struct{}{}
			return nil, r.Context().Err()
		}
		r.Context().Done()
		return nil, nil
	}})
	nc := dialTCP(t, ts.addr)
	io.WriteString(nc, upgradeRequest("/slow", ""))
	receive(t, contexts)
	nc.Close()
	receive(t, ended)
	waitFor(t, func() bool { return ts.conns.Load() == 0 && ts.Stats().Handshaking == 0 })

	c := ts.dial(t, "/fast")
	ctx := receive(t, contexts)
	ts.clock.settle()
	if err := ctx.Err(); err != nil {
		t.Errorf("while the connection is open: %v", err)
	}
	c.nc.Close()
	<-ctx.Done()
}

// A function that panics, or ends its goroutine, costs its client the connection, and nobody else.
func TestJudgedPanic(t *testing.T) {
	needLoops(t)
	ts := start(t, Config{Handler: funcs{message: echo}, MaxAdmitting: 1, Admit: func(r *http.Request) (any, error) {
		switch r.URL.Path {
		case "/panic":
			panic("on purpose")
		case "/exit":
			runtime.Goexit()
		}
		return nil, nil
	}})
	for _, path := range []string{"/panic", "/exit", "/panic"} {
		nc := dialTCP(t, ts.addr)
		io.WriteString(nc, upgradeRequest(path, ""))
		if b, err := io.ReadAll(nc); len(b) > 0 || err != nil {
			t.Errorf("%s: received %q, %v", path, b, err)
		}
	}
	if log := ts.log.String(); strings.Count(log, "HTTP handler panicked") != 2 || !strings.Contains(log, "on purpose") {
		t.Errorf("logged %s", log)
	}
	if n := ts.conns.Load(); n != 0 {
		t.Errorf("%d places are taken", n)
	}
	c := ts.dial(t, "/")
	c.text("x")
	c.expect(`text "x"`)
}

// A server that stops waits for no function, and has nothing left when the last has returned.
func TestJudgedShutdown(t *testing.T) {
	needLoops(t)
	release, asked := make(chan struct{}), make(chan struct{}, 1)
	ts := start(t, Config{Handler: funcs{}, MaxAdmitting: 1, Admit: func(r *http.Request) (any, error) { asked <- struct{}{}; <-release; return nil, nil }})
	running, waiting := dialTCP(t, ts.addr), dialTCP(t, ts.addr)
	io.WriteString(running, upgradeRequest("/", ""))
	receive(t, asked)
	io.WriteString(waiting, upgradeRequest("/", ""))
	waitFor(t, func() bool { return ts.conns.Load() == 2 })
	if err := ts.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	for _, nc := range []net.Conn{running, waiting} {
		if b, err := io.ReadAll(nc); len(b) > 0 || err != nil {
			t.Errorf("received %q, %v", b, err)
		}
	}
	close(release)
	waitFor(t, func() bool { return ts.conns.Load() == 0 })
}

// An unnamed Unix socket is shown to Admit as net/http shows it.
func TestJudgedUnix(t *testing.T) {
	needLoops(t)
	remotes := map[string]string{}
	for how, prepare := range map[string]func(Config) Config{"loops": func(cfg Config) Config { return cfg }, "net/http": onlyHTTP} {
		asked := make(chan string, 1)
		ts := start(t, prepare(Config{Handler: funcs{message: echo}, Admit: func(r *http.Request) (any, error) { asked <- r.RemoteAddr; return nil, nil }}))
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
		remotes[how] = receive(t, asked)
		readHead(t, nc)
		c := newClient(t, nc, nil, handshake.Result{})
		c.frame(0x80|byte(frame.Text), "x")
		c.expect(`text "x"`)
	}
	if remotes["loops"] != remotes["net/http"] {
		t.Errorf("RemoteAddr is %q on loops, %q under net/http", remotes["loops"], remotes["net/http"])
	}
}
