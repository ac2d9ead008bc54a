package autobahn_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/autobahn/faulty"
)

// lookAt looks at a server in a network of its own.
func lookAt(t *testing.T, url string, serve func(net.Listener), opt *autobahn.Options) string {
	t.Helper()
	network := newMemnet()
	done := make(chan struct{})
	go func() { serve(network); close(done) }()
	target, err := autobahn.ParseTarget(url)
	if err != nil {
		t.Fatal(err)
	}
	target.DialContext = network.DialContext
	said, err := autobahn.Look(t.Context(), target, opt)
	if err != nil {
		t.Error(err)
	}
	network.Close()
	<-done
	plays := said.Text == ""
	for _, some := range []string{"the server's answer", "the server echoes text as binary", "the server breaks the protocol"} {
		plays = plays || strings.HasPrefix(said.Text, some)
	}
	if said.Stops == plays {
		t.Errorf("it stops the run: %v; %s", said.Stops, said.Text)
	}
	return said.Text
}

// A look describes a server in one line that a terminal can show.
func TestLook(t *testing.T) {
	for defect, want := range map[string]string{
		"":                          "",
		"pings at once":             "",
		"sends a Pong unasked":      "",
		faulty.NoCompression:        "",
		"checks UTF-8 at the end":   "",
		"greets":                    `the server greets first, with 1 message: text "Request served by \x1b[2J me"; --greeting 1 passes over that`,
		"greets twice":              `the server greets first, with 2 messages: text "hello", binary "there"; --greeting 2 passes over that`,
		"closes at once":            `the server ends every connection at once with 1008 and "no token"`,
		"is silent":                 "the server is silent: it did not answer a message within 1s",
		"answers in capitals":       `the server is no echo server: it answers "wsconform asks: is this an Echo?" with text "WSCONFORM ASKS: IS THIS AN ECHO?"`,
		"wraps the echo":            `with text "{\"echo\":\"wsconform asks: is this an Echo?\"}"`,
		"says more than the echo":   `the server sends 1 message before the echo: text "received"`,
		"echoes text as binary":     "the server echoes text as binary",
		"masks like the other side": "the server breaks the protocol on an ordinary connection: ",
		"answers a wrong accept":    "the server's answer to an ordinary handshake is wrong: Sec-WebSocket-Accept",
	} {
		synctest.Test(t, func(t *testing.T) {
			got := lookAt(t, "ws://127.0.0.1:9001/", func(ln net.Listener) { faulty.Serve(ln, defect) }, &autobahn.Options{})
			if want == "" && got != "" || !strings.Contains(got, want) || strings.ContainsAny(got, "\x1b\n") {
				t.Errorf("%s: %q, want %q", defect, got, want)
			}
		})
	}
	for greeting, want := range map[int]string{1: "the server greets first, with 2 messages", 2: "", 3: "as many messages as --greeting 3 says: 2 came"} {
		synctest.Test(t, func(t *testing.T) {
			got := lookAt(t, "ws://127.0.0.1:9001/", func(ln net.Listener) { faulty.Serve(ln, "greets twice") }, &autobahn.Options{Greeting: greeting})
			if want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("--greeting %d: %q, want %q", greeting, got, want)
			}
		})
	}
}

// An interrupt ends a look at once, also at a server that says nothing.
func TestLookInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := newMemnet()
		target, err := autobahn.ParseTarget("ws://127.0.0.1:9001/")
		if err != nil {
			t.Fatal(err)
		}
		target.DialContext = network.DialContext
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		go func() {
			nc, err := network.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			nc.Read(make([]byte, 4096)) // the request, which is not answered
			cancel()
			io.Copy(io.Discard, nc)
		}()
		autobahn.Look(ctx, target, &autobahn.Options{})
		if took := time.Since(began); took > 0 { // of the test's clock
			t.Errorf("it took %v", took)
		}
		network.Close()
	})
}

// A URL that would be sent as something else, or nowhere, is not a target.
func TestParseTarget(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://h:99999/":          "port 99999",
		"ws://h:0/":              "port 0",
		"ws://a%3Ab:secret@h/":   "colon",
		"ws://a:secret%0a@h/":    "control character",
		"ws://%1b:secret@h:80/":  "control character",
		"ws://a:secret@h:70000/": "port 70000",
	} {
		if _, err := autobahn.ParseTarget(raw); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v; want %q", raw, err, want)
		}
	}
	for _, raw := range []string{"ws://a:b%3Ac@h:65535/", "ws://:b@h/", "ws://a:@h/", "wss://h/"} {
		if _, err := autobahn.ParseTarget(raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// answering is a server that answers each request with f's result; an empty one ends
// the connection.
func answering(f func(request string) string) func(net.Listener) {
	return func(ln net.Listener) {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				b := make([]byte, 4096)
				n, _ := nc.Read(b)
				if answer := f(string(b[:n])); answer != "" {
					io.WriteString(nc, answer)
					return
				}
				io.Copy(io.Discard, nc)
			}()
		}
	}
}

func TestLookAtRefusals(t *testing.T) {
	answer := func(status, header, body string) string {
		return fmt.Sprintf("HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s", status, header, len(body), body)
	}
	for name, c := range map[string]struct {
		opt  autobahn.Options
		f    func(request string) string
		want string
	}{
		"nothing there": {f: func(string) string { return answer("404 Not Found", "", "<html>") }, want: `for "/chat?x=1" with "404 Not Found": is the path of --url right?`},
		"credentials": {f: func(string) string {
			return answer("401 Unauthorized", "WWW-Authenticate: Basic realm=\"\x1b]0;x\"\r\n", "")
		}, want: `it wants credentials ("Basic realm=\"\x1b]0;x\""); a user and password in --url`},
		"other credentials": {opt: autobahn.Options{Header: []string{"Authorization: Bearer secret"}}, f: func(r string) string {
			_, sent, _ := strings.Cut(r, "Authorization: ")
			sent, _, _ = strings.Cut(sent, "\r\n")
			return answer("401 Unauthorized", "", "wrong: "+sent)
		}, want: `and "wrong: ***": it does not take the credentials`},
		"an Origin": {f: func(r string) string {
			if strings.Contains(r, "Origin: http://127.0.0.1:9001\r\n") {
				return answer("101 Switching Protocols", "", "")
			}
			return answer("403 Forbidden", "", "no origin")
		}, want: `"403 Forbidden" and "no origin": it wants an Origin; --origin http://127.0.0.1:9001 is taken`},
		"another Origin": {f: func(string) string { return answer("403 Forbidden", "", "") }, want: "it may want another --origin"},
		"a subprotocol":  {f: func(string) string { return answer("400 Bad Request", "", "unsupported subprotocol\nmore") }, want: `"unsupported subprotocol": it seems to want a subprotocol; --subprotocol NAME`},
		"full":           {f: func(string) string { return answer("503 Service Unavailable", "Retry-After: 1\r\n", "") }, want: "it takes no more connections"},
		"too fast":       {f: func(string) string { return answer("429 Too Many Requests", "", "") }, want: "none so fast"},
		"moved":          {f: func(string) string { return answer("301 Moved Permanently", "Location: /ws\r\n", "") }, want: `it redirects to "/ws"`},
		"a page":         {f: func(string) string { return answer("200 OK", "", "<html>") }, want: "there is no WebSocket at this path"},
		"not HTTP":       {f: func(string) string { return "SSH-2.0-OpenSSH\r\n" }, want: `no HTTP server: "SSH-2.0-OpenSSH\r\n"`},
		"TLS":            {f: func(string) string { return "\x15\x03\x01\x00\x02\x02\x46" }, want: "must begin with wss://"},
		"no answer":      {f: func(string) string { return "" }, want: "does not answer the opening handshake"},
	} {
		synctest.Test(t, func(t *testing.T) {
			got := lookAt(t, "ws://127.0.0.1:9001/chat?x=1", answering(c.f), &c.opt)
			if !strings.Contains(got, c.want) || strings.ContainsAny(got, "\x1b\n") {
				t.Errorf("%s: %q, want %q", name, got, c.want)
			}
		})
	}
}

// With its greeting announced, a server gets the same verdict in every case as
// without one.
func TestGreetingChangesNoVerdict(t *testing.T) {
	t.Parallel()
	cases := light(t, autobahn.Server)
	verdicts := func(defect string, greeting int) (list []string) {
		synctest.Test(t, func(t *testing.T) {
			opt := quick()
			opt.Greeting = greeting
			for _, r := range testFaultyServer(t, cases, defect, opt) {
				list = append(list, fmt.Sprintf("%s: %s / %s", r.Case.ID, r.Behavior, r.BehaviorClose))
			}
		})
		return list
	}
	plain := verdicts("", 0)
	for defect, n := range map[string]int{"greets": 1, "greets twice": 2} {
		for i, got := range verdicts(defect, n) {
			if got != plain[i] {
				t.Errorf("%s: %s; without a greeting %s", defect, got, plain[i])
			}
		}
	}
	// If an announced greeting does not come, every case that opens a connection
	// fails.
	failed := verdicts("greets", 2)
	if i := slices.IndexFunc(failed, func(s string) bool { return strings.HasPrefix(s, "1.1.1:") }); !strings.Contains(failed[i], "FAILED") {
		t.Errorf("%s", failed[i])
	}
}

// What many failures have in common is reported once.
func TestCommon(t *testing.T) {
	all, err := autobahn.Cases(autobahn.Suite)
	if err != nil {
		t.Fatal(err)
	}
	cases, err := autobahn.Select(all, autobahn.Server, []string{"1.1.*", "2.*", "3.*", "4.*", "5.*", "6.4.*", "7.*"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for defect, want := range map[string]string{
		"": "", "does not answer Pings": "", "takes every fragment for a message": "", "echoes text as binary": "", "answers in capitals": "",
		"sends by itself": `the server sent text "tick" without being asked`,
	} {
		synctest.Test(t, func(t *testing.T) {
			got := autobahn.Common(testFaultyServer(t, cases, defect, quick()))
			if want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", defect, got, want)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		network := newMemnet()
		free := make(chan struct{}, 2) // connections at a time
		done := make(chan struct{})
		inner := newMemnet()
		go func() { faulty.Serve(inner, ""); close(done) }()
		go func() {
			for {
				nc, err := network.Accept()
				if err != nil {
					return
				}
				select {
				case free <- struct{}{}:
				default:
					go func() {
						defer nc.Close()
						nc.Read(make([]byte, 4096))
						io.WriteString(nc, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
					}()
					continue
				}
				go func() {
					there, err := inner.dial()
					if err != nil {
						nc.Close()
						return
					}
					go func() { io.Copy(there, nc); there.Close() }()
					io.Copy(nc, there)
					nc.Close()
					<-free
				}()
			}
		}()
		target, _ := autobahn.ParseTarget("ws://127.0.0.1:9001/")
		target.DialContext = network.DialContext
		got := autobahn.Common(autobahn.TestServer(context.Background(), target, cases, quick()))
		if !strings.Contains(got, `handshakes were answered with "503 Service Unavailable": the server takes no more connections`) {
			t.Errorf("a full server: %q", got)
		}
		network.Close()
		inner.Close()
		<-done
	})
}
