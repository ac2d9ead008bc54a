package handshake

import (
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	keyLine     = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	versionLine = "Sec-WebSocket-Version: 13\r\n"
)

func TestUpgradeRefuses(t *testing.T) {
	frame := "\x81\x82\x01\x02\x03\x04ik"
	lines := make([]string, defaultMaxHeaders-4)
	for i := range lines {
		lines[i] = "X-Filler: x"
	}
	for name, c := range map[string]struct {
		raw     string
		status  int
		mention string
	}{
		"method":              {edit(t, "GET", "POST"), 405, `"POST", want GET`},
		"H04 HTTP/1.0":        {edit(t, "HTTP/1.1", "HTTP/1.0"), 505, `"HTTP/1.0", want HTTP/1.1`},
		"Host empty":          {edit(t, "Host: good.example", "Host:"), 400, "missing Host header"},
		"101 header lines":    {with(lines...), 431, "101 header lines, at most 100"},
		"H01 Content-Length":  {with("Content-Length: 8") + frame, 400, "Content-Length header"},
		"H02 chunked":         {with("Transfer-Encoding: chunked") + "0\r\n\r\n", 400, "Transfer-Encoding header"},
		"H03 both":            {with("Content-Length: 8", "Transfer-Encoding: chunked") + "0\r\n\r\n", 400, "Transfer-Encoding header"},
		"plain GET":           {"GET / HTTP/1.1\r\nHost: good.example\r\n\r\n", 400, "missing Upgrade header"},
		"Upgrade absent":      {edit(t, "Upgrade: websocket\r\n", ""), 400, "missing Upgrade header"},
		"Upgrade other":       {edit(t, "Upgrade: websocket", "Upgrade: websocket2"), 400, `Upgrade header: "websocket2"`},
		"Upgrade Kelvin sign": {edit(t, "Upgrade: websocket", "Upgrade: websoc\u212Aet"), 400, "Upgrade header"},
		"H21 h2c":             {edit(t, "Upgrade: websocket", "HTTP2-Settings: AAMAAABkAAQAoAAA\r\nUpgrade: h2c"), 400, `Upgrade header: "h2c"`},
		"H21 preface":         {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 405, `"PRI", want GET`},
		"Connection absent":   {edit(t, "Connection: Upgrade\r\n", ""), 400, "missing Connection header"},
		"Connection other":    {edit(t, "Connection: Upgrade", "Connection: keep-alive"), 400, `Connection header: "keep-alive"`},
		"H06 two versions":    {with("Sec-WebSocket-Version: 13"), 400, `Sec-WebSocket-Version header, given 2 times: "13, 13"`},
		"H06 two keys":        {with(strings.TrimSpace(keyLine)), 400, "Sec-WebSocket-Key header, given 2 times"},
		"Key absent":          {edit(t, keyLine, ""), 400, "missing Sec-WebSocket-Key header"},
		"H12 obs-fold in key": {edit(t, "dGhlIHNhbXBs", "dGhlIHNh\r\n bXBs"), 400, "Sec-WebSocket-Key header"},
		"extension syntax":    {with("Sec-WebSocket-Extensions: permessage-deflate; =1"), 400, "Sec-WebSocket-Extensions header: want a token at byte 20"},
		"extensions, many":    {with("Sec-WebSocket-Extensions: " + strings.Repeat("a,", 8000)), 400, "Sec-WebSocket-Extensions header: more than 16 extensions"},
		"subprotocols, many":  {with("Sec-WebSocket-Protocol: chat" + numbered(64)), 400, "Sec-WebSocket-Protocol header: more than 64 subprotocols"},
		"H19 injection":       {with("Sec-WebSocket-Protocol: chat%0d%0aX: y"), 400, "Sec-WebSocket-Protocol header: want a comma at byte 11"},
		"subprotocol quoted":  {with(`Sec-WebSocket-Protocol: "chat"`), 400, "want a token at byte 0"},
	} {
		t.Run(name, func(t *testing.T) {
			u := &Upgrader{Subprotocols: []string{"chat"}}
			rep := assertRefusal(t, u, c.raw, c.status, c.mention)
			if got := rep.Header.Get("X"); got != "" {
				t.Errorf("injected header X: %q", got)
			}
			if got := rep.Header.Get("Allow"); (got == "GET") != (c.status == 405) {
				t.Errorf("Allow %q", got)
			}
		})
	}
}

func TestH08Version(t *testing.T) {
	ping := "\x89\x80\x01\x02\x03\x04"
	for name, line := range map[string]string{
		"H08 version 8":      "Sec-WebSocket-Version: 8\r\n",
		"H08 version 12":     "Sec-WebSocket-Version: 12\r\n",
		"H08 version 14":     "Sec-WebSocket-Version: 14\r\n",
		"H08 absent":         "",
		"leading zero":       "Sec-WebSocket-Version: 013\r\n",
		"a list on one line": "Sec-WebSocket-Version: 13, 8\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			raw := edit(t, versionLine, line) + ping
			rep := assertRefusal(t, &Upgrader{}, raw, 426, "Sec-WebSocket-Version")
			if got := rep.Header["Sec-Websocket-Version"]; !cmp.Equal(got, []string{"13"}) {
				t.Errorf("Sec-WebSocket-Version %q", got)
			}
			if got := rep.Header.Get("Upgrade"); got != "websocket" {
				t.Errorf("Upgrade %q", got)
			}
		})
	}
}

// RFC 7231 §6.5.15 and RFC 7230 §6.7. net/http's reader swallows Connection, so
// this looks at the bytes.
func TestUpgradeRequiredOnTheWire(t *testing.T) {
	addr, _ := serve(t, &Upgrader{})
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	io.WriteString(nc, edit(t, versionLine, ""))
	raw, err := io.ReadAll(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"Connection: close\r\n", "Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n"} {
		if !strings.Contains(string(raw), "\r\n"+line) {
			t.Errorf("no line %q in %q", line, raw)
		}
	}
}

func TestH07Key(t *testing.T) {
	nonce := []byte("\xff\xfe0123456789abcd-")
	for name, key := range map[string]string{
		"H07 empty":           "",
		"H07 15 bytes":        base64.StdEncoding.EncodeToString(nonce[:15]),
		"H07 17 bytes":        base64.StdEncoding.EncodeToString(nonce[:17]),
		"H07 18 bytes":        base64.StdEncoding.EncodeToString([]byte("0123456789abcdefgh")),
		"H07 no padding":      base64.RawStdEncoding.EncodeToString(nonce[:16]),
		"H07 URL alphabet":    base64.URLEncoding.EncodeToString(nonce[:16]),
		"H07 not base64":      "dGhlIHNhbXBsZSBub25jZ!==",
		"H07 two in one line": "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
	} {
		t.Run(name, func(t *testing.T) {
			raw := edit(t, keyLine, "Sec-WebSocket-Key: "+key+"\r\n")
			assertRefusal(t, &Upgrader{}, raw, 400, "Sec-WebSocket-Key header")
		})
	}
	t.Run("16 bytes", func(t *testing.T) {
		key := base64.StdEncoding.EncodeToString(nonce[:16])
		rep, _ := assertUpgrade(t, &Upgrader{}, edit(t, "dGhlIHNhbXBsZSBub25jZQ==", key))
		if got := rep.Header.Get(acceptHeader); got != AcceptKey(key) {
			t.Errorf("Sec-WebSocket-Accept %q, want %q", got, AcceptKey(key))
		}
	})
}

// What net/http refuses before a handler sees it: pinned, since the Upgrader
// relies on it.
func TestServerRefuses(t *testing.T) {
	addr, outcomes := serve(t, &Upgrader{})
	for name, raw := range map[string]string{
		"no Host":             edit(t, "Host: good.example\r\n", ""),
		"two Hosts":           with("Host: evil.example"),
		"H19 raw CR":          with("Sec-WebSocket-Protocol: chat\rX: y"),
		"NUL":                 with("Sec-WebSocket-Protocol: chat\x00"),
		"space before colon":  with("Upgrade : websocket"),
		"H03 two lengths":     with("Content-Length: 8", "Content-Length: 9"),
		"H02 encoding list":   with("Transfer-Encoding: chunked, identity"),
		"H04 HTTP/2 by name":  edit(t, "HTTP/1.1", "HTTP/2.0"),
		"H04 no such version": edit(t, "HTTP/1.1", "HTTP/1.1.1"),
	} {
		t.Run(name, func(t *testing.T) {
			rep := send(t, addr, raw)
			if rep.StatusCode < 400 || rep.Header.Get("X") != "" {
				t.Errorf("status %d, header %v", rep.StatusCode, rep.Header)
			}
		})
	}
	if len(outcomes) > 0 {
		t.Errorf("the handler ran: %+v", <-outcomes)
	}
}

func TestMaxHeaders(t *testing.T) {
	assertRefusal(t, &Upgrader{MaxHeaders: 5}, with("X: y"), http.StatusRequestHeaderFieldsTooLarge, "6 header lines, at most 5")
	assertUpgrade(t, &Upgrader{MaxHeaders: 6}, with("X: y"))
}

// A refusal repeats no more of the request than a log line can bear.
func TestRefusalIsShort(t *testing.T) {
	rep := assertRefusal(t, &Upgrader{}, edit(t, "Upgrade: websocket", "Upgrade: "+strings.Repeat("\u202e", 5000)), 400)
	if len(rep.body) > 1000 || strings.Contains(rep.body, "\u202e") {
		t.Errorf("body of %d bytes: %q", len(rep.body), rep.body)
	}
}

// numbered is more elements for a list.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprint(&b, ", x", i)
	}
	return b.String()
}
