package handshake

import (
	"errors"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// decisions reads the package documentation: what each row of the table says, by
// its id.
func decisions(t *testing.T, role string) map[string]string {
	t.Helper()
	doc, err := os.ReadFile("refusals.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^//\t(`+role+`\d\d)  \S.*?  +(\d\d\d|yes|no)  +\S.*$`).FindAllStringSubmatch(string(doc), -1) {
		if rows[m[1]] != "" {
			t.Errorf("row %s is there twice", m[1])
		}
		rows[m[1]] = m[2]
	}
	if n := strings.Count(string(doc), "\n//\t"+role); n != len(rows) {
		t.Errorf("%d of %d rows can be read", len(rows), n)
	}
	return rows
}

// matchRows requires one test for each row and one row for each test.
func matchRows[T any](t *testing.T, rows map[string]string, tests map[string]T) {
	t.Helper()
	for id := range rows {
		if _, ok := tests[id]; !ok {
			t.Errorf("row %s has no test", id)
		}
	}
	for id := range tests {
		if rows[id] == "" {
			t.Errorf("%s is not in the table", id)
		}
	}
}

// Each row of the server's table is answered with the status that it says.
func TestRequestsByTable(t *testing.T) {
	const frame = "\x81\x82\x01\x02\x03\x04ik"
	lines := make([]string, defaultMaxHeaders)
	for i := range lines {
		lines[i] = "X-Filler: x"
	}
	key := func(key string) string { return edit(t, "dGhlIHNhbXBsZSBub25jZQ==", key) }
	tests := map[string][]string{
		"S01": {edit(t, "GET", "POST"), edit(t, "GET", "PUT"), edit(t, "GET", "get"), edit(t, "GET", "CONNECT")},
		"S02": {edit(t, "HTTP/1.1", "HTTP/1.0")},
		"S03": {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		"S04": {edit(t, "Upgrade: websocket", "HTTP2-Settings: AAMAAABkAAQAoAAA\r\nUpgrade: h2c")},
		"S05": {edit(t, "Upgrade: websocket", "Upgrade: h2c, websocket"), edit(t, "Upgrade: websocket", "Upgrade: websocket,h2c")},
		"S06": {edit(t, "GET /chat", "GET http://good.example/chat"), edit(t, "GET /chat", "GET ws://good.example/chat"), edit(t, "GET /chat", "GET http://good.example")},
		"S07": {strings.Replace(with("Origin: http://evil.example"), "GET /chat", "GET http://evil.example/chat", 1), strings.Replace(with("Origin: http://good.example"), "GET /chat", "GET http://good.example/chat", 1)},
		"S08": {edit(t, "Host: good.example\r\n", ""), with("Host: good.example"), edit(t, "good.example", "a b")},
		"S09": {edit(t, "Host: good.example", "Host:")},
		"S10": {with(lines...)},
		"S11": {with("Content-Length: 0"), with("Content-Length: 00"), with("Content-Length: 0", "Content-Length: 0"), with("Content-Length: 0") + frame},
		"S12": {with("Content-Length: 8") + frame, with("Content-Length: 1") + frame},
		"S13": {with("Transfer-Encoding: chunked") + "0\r\n\r\n", with("Transfer-Encoding: chunked", "Content-Length: 0") + "0\r\n\r\n", with("Transfer-Encoding: chunked") + "8\r\n" + frame + "\r\n0\r\n\r\n"},
		"S14": {with("Transfer-Encoding: identity"), with("Transfer-Encoding: gzip, chunked"), with("Transfer-Encoding:")},
		"S15": {with("Content-Length:"), with("Content-Length: +0"), with("Content-Length: -1"), with("Content-Length: 0, 0"), with("Content-Length: 0", "Content-Length: 8") + frame},
		"S16": {edit(t, "Upgrade: websocket\r\n", ""), edit(t, "Upgrade: websocket", "Upgrade:"), edit(t, "Upgrade: websocket", "Upgrade: ,"), edit(t, "Upgrade: websocket", "Upgrade: websocket/13"), edit(t, "Upgrade: websocket", "Upgrade: websockets")},
		"S17": {
			edit(t, "Upgrade: websocket", "Upgrade: WebSocket"), edit(t, "Upgrade: websocket", "upgrade:WEBSOCKET"), edit(t, "Upgrade: websocket", "Upgrade: ,\twebsocket ,,"),
			edit(t, "Upgrade: websocket", "Upgrade: websocket\r\nUpgrade: websocket"), edit(t, "Connection: Upgrade", "Connection: keep-alive, Upgrade"),
			edit(t, "Connection: Upgrade", "Connection:\r\nConnection: ,upgrade,"), edit(t, "Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"),
			edit(t, "Connection: Upgrade", "Connection: close, Upgrade"), edit(t, "Connection: Upgrade", "Connection: Upgrade, Upgrade"),
		},
		"S18": {edit(t, "Connection: Upgrade\r\n", ""), edit(t, "Connection: Upgrade", "Connection:"), edit(t, "Connection: Upgrade", "Connection: keep-alive"), edit(t, "Connection: Upgrade", "Connection: keep-alive Upgrade")},
		"S19": {edit(t, versionLine, ""), edit(t, "Version: 13", "Version:"), edit(t, "Version: 13", "Version: 8")},
		"S20": {edit(t, "Version: 13", "Version: 13, 8"), edit(t, "Version: 13", "Version: 013")},
		"S21": {with("Sec-WebSocket-Version: 8"), with("Sec-WebSocket-Version: 13")},
		"S22": {key("AQIDBAUGBwgJCgsMDQ4PEC=="), key("AAAAAAAAAAAAAAAAAAAAA/=="), key("//////////////////////==")},
		"S23": {
			key(""), key("AAECAwQFBgcICQoLDA0O"), key("AAECAwQFBgcICQoLDA0ODxA="), key("AAECAwQFBgcICQoLDA0ODxAR"), key("AAECAwQFBgcICQoLDA0ODw"),
			key("AAECAwQFBgcICQoLDA0OD==="), key("=AAECAwQFBgcICQoLDA0OD=="), key("_-ECAwQFBgcICQoLDA0ODw=="), key("AAECAwQFBgc CQoLDA0ODw=="),
			key("JCMCrKJENqcrTU9erFxGoiP5P8JhjeocERQs9vgR/Y4="), edit(t, keyLine, ""),
		},
		"S24": {with(strings.TrimSpace(keyLine))},
		"S25": {with("Sec-WebSocket-Protocol:"), with("Sec-WebSocket-Protocol: , ,"), with("Sec-WebSocket-Protocol: ", "Sec-WebSocket-Protocol:\t")},
		"S26": {with("Sec-WebSocket-Protocol: chat, chat"), with("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat, other")},
		"S27": {with("Sec-WebSocket-Protocol: chat%0d%0aX: y"), with(`Sec-WebSocket-Protocol: "chat"`), with("Sec-WebSocket-Protocol: chat/1"), with("Sec-WebSocket-Protocol: a b")},
		"S28": {with("Sec-WebSocket-Protocol: chat" + numbered(64)), with("Sec-WebSocket-Protocol: chat" + strings.Repeat(", chat", 64))},
		"S29": {with("Sec-WebSocket-Extensions:"), with("Sec-WebSocket-Extensions: ,"), with("Sec-WebSocket-Extensions:", "Sec-WebSocket-Extensions: x-other")},
		"S30": {with("Sec-WebSocket-Extensions: permessage-deflate; =1"), with("Sec-WebSocket-Extensions: permessage-deflate;"), with(`Sec-WebSocket-Extensions: a; b="c d"`)},
		"S31": {with("Sec-WebSocket-Extensions: a" + strings.Repeat(", a", 16)), with("Sec-WebSocket-Extensions: a" + strings.Repeat("; b", 65))},
		"S32": {with("Sec-WebSocket-Extensions: x-webkit-deflate-frame"), with("Sec-WebSocket-Extensions: permessage-deflate; level=9"), with("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7")},
		"S33": {edit(t, "Host:", "X-Origin: http://evil.example\r\nHost:"), with("Origin:"), with("Origin: \t ")},
		"S34": {with("Origin: http://evil.example"), with("Origin: null"), with("Origin:", "Origin:"), with("Origin: file://")},
		"S35": {"\r\n" + with("X: y"), "\n" + with("X: y")},
		"S36": {strings.ReplaceAll(hello, "\r\n", "\n") + "\n", edit(t, "Upgrade: websocket", "Upgrade:\r\n websocket")},
		"S37": {edit(t, "Upgrade: websocket", "Upgrade : websocket"), with("X: a\x00b"), with("X: a\rb"), with("this is no field"), with("X Y: z")},
		"S38": {with("Expect: 100-continue")},
		"S39": {with("Expect: the-unexpected")},
		"S40": {edit(t, "HTTP/1.1", "HTTP/2.0")}, // and TestHTTP2
	}
	rows := decisions(t, "S")
	matchRows(t, rows, tests)
	addr, outcomes := serve(t, &Upgrader{Subprotocols: []string{"chat"}, Deflate: &DeflateOptions{}})
	for id, requests := range tests {
		t.Run(id, func(t *testing.T) {
			for _, raw := range requests {
				if got := statusOf(t, addr, raw); got != rows[id] {
					t.Errorf("%q is answered with %s, want %s", raw, got, rows[id])
				}
				for len(outcomes) > 0 {
					<-outcomes
				}
			}
		})
	}
}

// statusOf is the status that raw is answered with.
func statusOf(t *testing.T, addr, raw string) string {
	t.Helper()
	rep := send(t, addr, raw)
	rep.nc.Close()
	return strconv.Itoa(rep.StatusCode)
}

// The bytes after an empty body are frames.
func TestH27EmptyBody(t *testing.T) {
	frame := "\x81\x82\x01\x02\x03\x04ik"
	if _, o := assertUpgrade(t, &Upgrader{}, with("Content-Length: 0")+frame); string(o.left) != frame {
		t.Errorf("left %q, want %q", o.left, frame)
	}
}

// The answer is made from the key's characters, not from what they decode to.
func TestH28KeyOfTheRFC(t *testing.T) {
	for key, accept := range map[string]string{
		"AQIDBAUGBwgJCgsMDQ4PEC==": "OfS0wDaT5NoxF2gqm7Zj2YtetzM=",
		"dGhlIHNhbXBsZSBub25jZQ==": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
		"dGhlIHNhbXBsZSBub25jZR==": "",
	} {
		rep, _ := assertUpgrade(t, &Upgrader{}, edit(t, "dGhlIHNhbXBsZSBub25jZQ==", key))
		if got := rep.Header.Get(acceptHeader); got != AcceptKey(key) || accept != "" && got != accept {
			t.Errorf("key %q: Sec-WebSocket-Accept %q, want %q", key, got, accept)
		}
	}
}

// Each row of the client's table gives a connection or an error, as it says.
func TestResponsesByTable(t *testing.T) {
	const extensions = "Sec-WebSocket-Extensions: "
	const pmd = extensions + "permessage-deflate"
	tests := map[string][]string{
		"C01": {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\r\n\r\n", "HTTP/1.1 426 x\r\nContent-Length: 0\r\n\r\n"},
		"C02": {replace(t, "HTTP/1.1", "HTTP/1.0")},
		"C03": {"HTTP/1.1 100 Continue\r\n\r\n" + agreed, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + agreed},
		"C04": {replace(t, "101 Switching Protocols", "101 "), replace(t, "101 Switching Protocols", "101"), replace(t, "Switching Protocols", "Web Socket Protocol Handshake")},
		"C05": {lowerNames(), replace(t, "ACCEPT", "\t ACCEPT \t"), replace(t, "Upgrade: websocket", "Upgrade:websocket")},
		"C06": {replace(t, "Upgrade: websocket", "Upgrade: WebSocket"), add("Upgrade: websocket"), replace(t, "Upgrade: websocket", "Upgrade: websocket, WebSocket,")},
		"C07": {replace(t, "Upgrade: websocket\r\n", ""), replace(t, "Upgrade: websocket", "Upgrade:"), replace(t, "Upgrade: websocket", "Upgrade: h2c"), replace(t, "Upgrade: websocket", "Upgrade: websocket, h2c"), add("Upgrade: h2c")},
		"C08": {replace(t, "Connection: Upgrade", "Connection: keep-alive, UPGRADE"), replace(t, "Connection: Upgrade", "Connection: Upgrade,"), add("Connection: keep-alive"), replace(t, "Connection: Upgrade", "Connection:\r\nConnection: upgrade")},
		"C09": {replace(t, "Connection: Upgrade\r\n", ""), replace(t, "Connection: Upgrade", "Connection:"), replace(t, "Connection: Upgrade", "Connection: close")},
		"C10": {replace(t, "Sec-WebSocket-Accept: ACCEPT\r\n", ""), replace(t, "ACCEPT", ""), replace(t, "ACCEPT", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), add("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")},
		"C11": {add("Sec-WebSocket-Accept: ACCEPT")},
		"C12": {agreed, add("Sec-WebSocket-Protocol:"), add("Sec-WebSocket-Protocol: \t", "Sec-WebSocket-Protocol:")},
		"C13": {add("Sec-WebSocket-Protocol: other"), add("Sec-WebSocket-Protocol: Chat"), add("Sec-WebSocket-Protocol: chat, superchat"), add("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: superchat"), add("Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol: chat")},
		"C14": {add("Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: chat")},
		"C15": {add(extensions), add(extensions + ","), add(pmd, extensions)},
		"C16": {add(extensions + "x-other"), add(extensions + "Permessage-Deflate"), add(pmd + ", x-other")},
		"C17": {add(pmd + ", permessage-deflate"), add(pmd, pmd)},
		"C18": {add(pmd + `; server_max_window_bits="10"`), add(pmd + "\t;server_max_window_bits = 10 ;  client_no_context_takeover")},
		"C19": {add(pmd + "; server_max_window_bits=7"), add(pmd + "; client_max_window_bits"), add(pmd + "; level=9"), add(pmd + "; server_max_window_bits=10; server_max_window_bits=10")},
		"C20": {add("Content-Length: 0"), add("Content-Length: 5"), add("Transfer-Encoding: chunked")},
		"C21": {add("X: " + strings.Repeat("x", maxResponseHead))},
		"C22": {add("this is no field")},
	}
	rows := decisions(t, "C")
	matchRows(t, rows, tests)
	o := DialOptions{Subprotocols: []string{"chat", "superchat"}, Deflate: everything}
	for id, responses := range tests {
		t.Run(id, func(t *testing.T) {
			for _, raw := range responses {
				nc, left, _, err := dialTo(t, o, raw+"\x81\x02hi")
				got := "no"
				if err == nil {
					got = "yes"
					nc.Close()
				}
				if got != rows[id] {
					t.Errorf("%q: %v; want %s", raw, err, rows[id])
				}
				if err == nil && string(left) != "\x81\x02hi" {
					t.Errorf("%q: left %q", raw, left)
				}
			}
		})
	}
}

// lowerNames is agreed with its names in lower case.
func lowerNames() string {
	return regexp.MustCompile(`(?m)^[A-Z][-A-Za-z]*: `).ReplaceAllStringFunc(agreed, strings.ToLower)
}

// Nothing was offered, and nothing is what an empty header selects.
func TestDialEmptyHeaders(t *testing.T) {
	nc, _, res, err := dialTo(t, DialOptions{}, add("Sec-WebSocket-Protocol:", "Sec-WebSocket-Extensions:"))
	if err != nil || res.Subprotocol != "" || res.Deflate != nil {
		t.Fatalf("%+v, %v", res, err)
	}
	nc.Close()
	for _, line := range []string{"Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Extensions: permessage-deflate"} {
		var refusal *Error
		if _, _, _, err := dialTo(t, DialOptions{}, add(line)); !errors.As(err, &refusal) || refusal.Status != 101 {
			t.Errorf("%s: %v, want an *Error", line, err)
		}
	}
}
