// Package terminaltest is a peer that puts what acts on a terminal wherever it can,
// for the tests of all programs.
package terminaltest

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Text clears the screen, sets the window's title, goes back over the line, and
// reorders what follows, by C0, DEL, C1 and formatting characters. It is UTF-8.
const Text = "evil\x1b[2J\x1b]0;owned\x07\rback\b\x7f\u009b31m\u0085\u202egnp\u2066x\u2028\ufeff"

// Bytes are Text and what is no UTF-8: C1 in Latin-1, and half a character.
const Bytes = Text + "\x9b2J\xff\xc3"

// Check fails the test if a program's output holds a control character other than
// the newline, or anything else that acts on a terminal.
func Check(t testing.TB, where, out string) {
	t.Helper()
	for i, r := range out {
		_, size := utf8.DecodeRuneInString(out[i:])
		if r == utf8.RuneError && size == 1 || r != '\n' && r != '\u200c' && r != '\u200d' && !unicode.IsGraphic(r) {
			t.Errorf("%s holds %q: %.300q", where, out[i:i+size], out[max(0, i-100):])
			return
		}
	}
}

// Answers are what a hostile server says to an opening handshake, by name. ACCEPT
// stands for what the key demands.
var Answers = map[string]string{
	"status line":    "HTTP/1.1 403 " + Bytes + "\r\nContent-Length: 0\r\n\r\n",
	"body":           "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n" + Bytes,
	"redirect":       "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ws://" + Bytes + "/" + Bytes + "\r\n\r\n",
	"not HTTP":       Bytes + "\r\n\r\n",
	"protocol":       "HTTP/" + Bytes + " 101 x\r\n\r\n",
	"malformed":      "HTTP/1.1 101 x\r\n" + Bytes + "\r\n\r\n",
	"upgrade":        "HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: " + Bytes + "\r\n\r\n",
	"connection":     "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: " + Bytes + "\r\n\r\n",
	"accept":         "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + Bytes + "\r\n\r\n",
	"subprotocol":    agreed + "Sec-WebSocket-Protocol: " + Bytes + "\r\n\r\n",
	"extension":      agreed + "Sec-WebSocket-Extensions: " + Bytes + "\r\n\r\n",
	"server":         agreed + "Server: " + Bytes + "\r\n\r\n",
	"text":           agreed + "Server: " + Text + "\r\n\r\n" + frame(0x81, Text),
	"no text":        agreed + "\r\n" + frame(0x81, Bytes),
	"binary":         agreed + "\r\n" + frame(0x82, Bytes),
	"ping":           agreed + "\r\n" + frame(0x89, Bytes) + frame(0x8a, Bytes),
	"close":          agreed + "\r\n" + frame(0x88, "\x0f\xa1"+Text),
	"close, no text": agreed + "\r\n" + frame(0x88, "\x0f\xa1"+Bytes),
	"no frame":       agreed + "\r\n" + "\xff" + Bytes,
}

const agreed = "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ACCEPT\r\n"

func frame(first byte, payload string) string {
	return string([]byte{first, byte(len(payload))}) + payload
}

// Serve starts a server that gives every client the same answer and hangs up. It
// returns its URL.
func Serve(t testing.TB, answer string) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { ln.Close() })
	running.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer nc.Close()
				br := bufio.NewReader(nc)
				key := ""
				// TLS and SOCKS begin with what is no letter.
				if first, err := br.Peek(1); err == nil && first[0] >= 'A' {
					if r, err := http.ReadRequest(br); err == nil {
						key = r.Header.Get("Sec-WebSocket-Key")
					}
				}
				io.WriteString(nc, accepted(answer, key))
				nc.(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, br)
			})
		}
	})
	return fmt.Sprintf("ws://%s/", ln.Addr())
}

// accepted is an answer that knows the key.
func accepted(answer, key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	const mark = "ACCEPT\r\n"
	for i := 0; i+len(mark) <= len(answer); i++ {
		if answer[i:i+len(mark)] == mark {
			return answer[:i] + base64.StdEncoding.EncodeToString(sum[:]) + answer[i+len("ACCEPT"):]
		}
	}
	return answer
}

// Requests are what a hostile client sends to a server.
var Requests = map[string]string{
	"method":      Bytes + " / HTTP/1.1\r\nHost: h\r\n\r\n",
	"path":        "GET /%1b%5b2J%c2%9b31m%e2%80%ae?a=%1b HTTP/1.1\r\nHost: h\r\n" + upgrade + "\r\n",
	"raw path":    "GET /" + Bytes + " HTTP/1.1\r\nHost: h\r\n" + upgrade + "\r\n",
	"host":        "GET / HTTP/1.1\r\nHost: " + Bytes + "\r\n" + upgrade + "\r\n",
	"origin":      "GET /ws HTTP/1.1\r\nHost: h\r\nOrigin: http://" + Bytes + "\r\n" + upgrade + "\r\n",
	"upgrade":     "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: " + Bytes + "\r\n\r\n",
	"key":         "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + Bytes + "\r\n\r\n",
	"extensions":  "GET /ws HTTP/1.1\r\nHost: h\r\n" + upgrade + "Sec-WebSocket-Extensions: " + Bytes + "\r\n\r\n",
	"subprotocol": "GET /ws HTTP/1.1\r\nHost: h\r\n" + upgrade + "Sec-WebSocket-Protocol: " + Bytes + "\r\n\r\n",
	"forwarded":   "GET /ws HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: " + Bytes + "\r\n" + upgrade + "\r\n",
	"no HTTP":     Bytes + "\r\n\r\n",
	"frames":      "GET / HTTP/1.1\r\nHost: h\r\n" + upgrade + "\r\n" + frame(0x81, Bytes) + frame(0x88, "\x0f\xa1"+Bytes),
	"guest":       "POST /api/guest HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n" + Bytes + Bytes,
}

const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// Attack sends each of the requests to a server, and waits for its answer's end.
func Attack(t testing.TB, addr string) {
	t.Helper()
	for name, request := range Requests {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		io.WriteString(nc, request)
		nc.(*net.TCPConn).CloseWrite()
		io.Copy(io.Discard, nc)
		nc.Close()
	}
}
