package fuzz

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// wire is a connection on which all that will ever arrive has been said before.
type wire struct {
	net.Conn
	arriving [][]byte
	pulled   int
	written  bytes.Buffer
	closed   bool
}

func (w *wire) Read(p []byte) (int, error) {
	for len(w.arriving) > 0 && len(w.arriving[0]) == 0 {
		w.arriving = w.arriving[1:]
	}
	if len(w.arriving) == 0 {
		return 0, io.EOF
	}
	n := copy(p, w.arriving[0])
	w.arriving[0] = w.arriving[0][n:]
	w.pulled += n
	return n, nil
}

func (w *wire) Write(p []byte) (int, error) { return w.written.Write(p) }

func (w *wire) Close() error {
	w.closed = true
	return nil
}

// response is a ResponseWriter that records.
type response struct {
	header   http.Header
	status   int
	body     bytes.Buffer
	nc       *wire
	br       *bufio.Reader
	hijacked bool
}

func (w *response) Header() http.Header         { return w.header }
func (w *response) WriteHeader(status int)      { w.status = status }
func (w *response) Write(p []byte) (int, error) { return w.body.Write(p) }
func (w *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked = true
	return w.nc, bufio.NewReadWriter(w.br, bufio.NewWriter(w.nc)), nil
}

// upgraded is what one request came to.
type upgraded struct {
	Status  int
	Header  map[string][]string // as it is spelt on the wire
	Body    string
	Result  handshake.Result
	Err     string
	Behind  string // what came behind the request
	request *http.Request
}

// upgrader makes one of the input.
func upgrader(mode byte) *handshake.Upgrader {
	u := new(handshake.Upgrader)
	if mode&1 != 0 {
		u.Origins = []string{"https://good.example"}
	}
	if mode&2 != 0 {
		u.Subprotocols = []string{"superchat", "chat"}
	}
	if mode&4 != 0 {
		u.Deflate = deflateOptions(mode)
	}
	return u
}

func deflateOptions(mode byte) *handshake.DeflateOptions {
	o := &handshake.DeflateOptions{ServerContextTakeover: mode&8 != 0, ClientNoContextTakeover: mode&16 != 0}
	if mode&32 != 0 {
		o.ServerMaxWindowBits = 10
	}
	if mode&64 != 0 {
		o.ClientMaxWindowBits = 9
	}
	return o
}

// upgrade has raw answered; nil if it is no request at all.
func upgrade(t *testing.T, raw, cuts []byte, mode byte) *upgraded {
	t.Helper()
	nc := &wire{arriving: pieces(bytes.Clone(raw), cuts)}
	br := bufio.NewReader(nc)
	r, err := http.ReadRequest(br)
	if err != nil {
		return nil
	}
	local := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	r = r.WithContext(context.WithValue(context.Background(), http.LocalAddrContextKey, local))
	w := &response{header: http.Header{}, nc: nc, br: br}
	got, left, res, err := upgrader(mode).Upgrade(w, r)
	a := &upgraded{Status: w.status, Header: w.header, Body: w.body.String(), Result: res, request: r}
	if err != nil {
		a.Err = err.Error()
		refusal := new(handshake.Error)
		switch {
		case !errors.As(err, &refusal) || refusal.Status != w.status || w.status < 400 || w.status >= 500 && w.status != 505:
			t.Errorf("what a client sent is answered with %d: %v", w.status, err)
		case got != nil || left != nil || w.hijacked || nc.closed:
			t.Errorf("refused, and hijacked %t, closed %t, left %q", w.hijacked, nc.closed, left)
		case w.header["Connection"][0] != "close" || w.status == 426 && a.Header["Sec-WebSocket-Version"][0] != "13":
			t.Errorf("refused with %v", w.header)
		case len(refusal.Reason) > 2000 || strings.ContainsFunc(refusal.Reason, func(c rune) bool { return c < ' ' || c == 0x7F }):
			t.Errorf("reason %q", refusal.Reason)
		}
		return a
	}
	if got != net.Conn(nc) || w.status != 0 || w.body.Len() > 0 || nc.closed {
		t.Errorf("upgraded, and gave %v, answered %d %q", got, w.status, w.body.Bytes())
	}
	a.Status, a.Header = readAnswer(t, nc.written.String())
	rest, _ := io.ReadAll(nc)
	a.Behind = string(left) + string(rest)
	if !strings.HasSuffix(string(raw), a.Behind) {
		t.Errorf("%q is left of %q", a.Behind, raw)
	}
	return a
}

// readAnswer reads a response's head, which is all of it, with its names as they are.
func readAnswer(t *testing.T, head string) (status int, h http.Header) {
	t.Helper()
	lines := strings.Split(head, "\r\n")
	if n := len(lines); lines[0] != "HTTP/1.1 101 Switching Protocols" || n < 3 || lines[n-1] != "" || lines[n-2] != "" {
		t.Fatalf("upgraded, and wrote %q", head)
	}
	h = http.Header{}
	for _, line := range lines[1 : len(lines)-2] {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			t.Errorf("a line of the head is %q", line)
		}
		h[name] = append(h[name], value)
	}
	return 101, h
}

// faults are the statuses with which a request may be refused, by RFC 6455 §4.2.1 and
// the settings; none means that it is to be accepted.
func faults(r *http.Request, mode byte) (statuses []int) {
	wrong := func(status int, is bool) {
		if is {
			statuses = append(statuses, status)
		}
	}
	h, lines := r.Header, 1
	for _, values := range h {
		lines += len(values)
	}
	wrong(405, r.Method != "GET")
	wrong(505, r.ProtoMajor != 1 || r.ProtoMinor == 0)
	wrong(431, lines > 100)
	wrong(400, r.Host == "" || len(r.TransferEncoding) > 0 || r.ContentLength != 0)
	wrong(400, !contains(h["Upgrade"], toWebSocket) || !contains(h["Connection"], toUpgrade))
	versions, keys := h["Sec-Websocket-Version"], h["Sec-Websocket-Key"]
	wrong(400, len(versions) > 1)
	wrong(426, len(versions) == 0 || len(versions) == 1 && versions[0] != "13")
	wrong(400, len(keys) != 1 || !nonceKey.MatchString(keys[0]))
	protocols, ok := elements(tokenList, h["Sec-Websocket-Protocol"])
	wrong(400, !ok || len(protocols) > 64)
	extensions, ok := elements(extensionList, h["Sec-Websocket-Extensions"])
	count := 0
	for _, e := range extensions {
		_, _, n, _ := splitExtension(e)
		count += n
	}
	wrong(400, !ok || len(extensions) > 16 || count > 64)
	origins := h["Origin"]
	wrong(403, len(origins) > 1 || len(origins) == 1 && origins[0] != "" && !mayConnect(r, origins[0], mode))
	return statuses
}

// mayConnect reports whether the pages of an origin may connect: those that are listed or,
// without a list, those of the host that the request names.
func mayConnect(r *http.Request, origin string, mode byte) bool {
	if mode&1 != 0 {
		return asciiLower(origin) == "https://good.example"
	}
	for scheme, port := range map[string]string{"http://": ":80", "https://": ":443"} {
		host, ok := strings.CutPrefix(asciiLower(origin), scheme)
		if ok && strings.TrimSuffix(host, port) == strings.TrimSuffix(asciiLower(r.Host), port) {
			return strings.HasPrefix(r.RequestURI, "/")
		}
	}
	return false
}

func asciiLower(s string) string {
	return strings.Map(func(c rune) rune {
		if 'A' <= c && c <= 'Z' {
			return c + 32
		}
		return c
	}, s)
}

// checkAnswer verifies a 101 as a client that trusts nobody would.
func (a *upgraded) checkAnswer(t *testing.T, mode byte) {
	t.Helper()
	r, want := a.request, map[string][]string{"Upgrade": {"websocket"}, "Connection": {"Upgrade"}}
	want["Sec-WebSocket-Accept"] = []string{acceptFor(r.Header["Sec-Websocket-Key"][0])}
	offered, _ := elements(tokenList, r.Header["Sec-Websocket-Protocol"])
	for _, p := range []string{"superchat", "chat"} {
		if mode&2 != 0 && slices.Contains(offered, p) {
			want["Sec-WebSocket-Protocol"] = []string{p}
			break
		}
	}
	var offer params
	extensions, _ := elements(extensionList, r.Header["Sec-Websocket-Extensions"])
	for _, e := range extensions {
		if name, p, _, ok := splitExtension(e); offer == nil && name == "permessage-deflate" && ok && p.isDeflate(false) {
			offer = p
		}
	}
	if answer := a.Header["Sec-WebSocket-Extensions"]; offer != nil && mode&4 != 0 {
		if len(answer) != 1 || !extensionList.MatchString(answer[0]) || a.Result.Deflate == nil {
			t.Fatalf("%v was answered by %q, %+v", offer, answer, a.Result.Deflate)
		}
		name, p, _, ok := splitExtension(answer[0])
		if why := p.answers(offer); name != "permessage-deflate" || !ok || why != "" {
			t.Errorf("%v was answered by %q: %s", offer, answer, why)
		}
		if diff := cmp.Diff(p.agreed(), *a.Result.Deflate); diff != "" {
			t.Errorf("%q means (-by the RFC +Result):\n%s", answer, diff)
		}
		checkOwnLimits(t, *a.Result.Deflate, deflateOptions(mode))
		want["Sec-WebSocket-Extensions"] = answer
	} else if a.Result.Deflate != nil {
		t.Errorf("%+v agreed on with nobody", a.Result.Deflate)
	}
	if diff := cmp.Diff(want, a.Header); a.Status != 101 || diff != "" {
		t.Errorf("%d (-want +got):\n%s", a.Status, diff)
	}
	if got := strings.Join(want["Sec-WebSocket-Protocol"], ""); a.Result.Subprotocol != got {
		t.Errorf("subprotocol %q, want %q", a.Result.Subprotocol, got)
	}
}

// checkOwnLimits verifies that no more was agreed on than the options allow. A
// client that cannot be held to a smaller window has to start afresh instead.
func checkOwnLimits(t *testing.T, d wsproto.Deflate, o *handshake.DeflateOptions) {
	t.Helper()
	server, client := o.ServerMaxWindowBits, o.ClientMaxWindowBits
	if server == 0 {
		server = 15
	}
	if client == 0 {
		client = 15
	}
	if d.ServerMaxWindowBits > server || d.ClientMaxWindowBits > client && !d.ClientNoContextTakeover ||
		!d.ServerNoContextTakeover && !o.ServerContextTakeover || !d.ClientNoContextTakeover && o.ClientNoContextTakeover {
		t.Errorf("%+v agreed on, with %+v", d, o)
	}
}

// A request is accepted if and only if the grammars and rules of RFC 6455 §4.2.1 say
// so, answered as the client needs it, and not otherwise when it comes in pieces.
func FuzzUpgrade(f *testing.F) {
	const hello = "GET /chat HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
	for _, more := range []string{
		"", "Origin: https://good.example\r\n", "Origin: HTTP://127.0.0.1:8080\r\n", "Origin: null\r\n", "Origin: http://evil\r\nOrigin: http://localhost:8080\r\n", // A01
		"Origin:\r\nSec-WebSocket-Protocol:\r\nSec-WebSocket-Extensions: ,\r\nContent-Length: 0\r\n", // H27
		"Content-Length: 8\r\n", "Transfer-Encoding: chunked\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Version: 8\r\n", // H01, H02, H06
		"Sec-WebSocket-Protocol: chat, ,superchat\r\nSec-WebSocket-Protocol: other\r\n", "Sec-WebSocket-Protocol: chat,chat\r\n", "Sec-WebSocket-Protocol: a b\r\n", // H19
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate;server_max_window_bits=\"1\\0\" ; server_no_context_takeover, x;y = \"z\"\r\n",
		"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=7, permessage-deflate; client_max_window_bits=8\r\n",               // Z07
		"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits; client_max_window_bits=9\r\n", "Sec-WebSocket-Extensions: ,;\r\n", // Z07
	} {
		f.Add([]byte(hello+more+"\r\n\x81\x82kkkk\x03\x02"), byte(0x06), []byte{30}) // H16
		f.Add([]byte(hello+more+"\r\n"), byte(0x7F), []byte{100, 1})
		f.Add([]byte(hello+more+"\r\n"), byte(0x46), []byte{})
	}
	for _, old := range []string{"GET", "HTTP/1.1", "Upgrade: websocket", "keep-alive, Upgrade", "=="} { // H04, H07, H09
		f.Add([]byte(strings.Replace(hello, old, "POST", 1)+"\r\n"), byte(0), []byte{9})
	}
	f.Add([]byte(strings.Replace(hello, "HTTP/1.1", "HTTP/1.0", 1)+"\r\n"), byte(0), []byte{9})        // H04
	f.Add([]byte(strings.Replace(hello, "websocket", "h2c, WebSocKet", 1)+"\r\n"), byte(0), []byte{9}) // H09
	f.Add([]byte(strings.Replace(hello, "websocket", "websoc\u212Aet", 1)+"\r\n"), byte(0), []byte{9})
	f.Fuzz(func(t *testing.T, raw []byte, mode byte, cuts []byte) {
		whole := upgrade(t, raw, nil, mode)
		for _, cut := range [][]byte{{1}, cuts} {
			if diff := cmp.Diff(whole, upgrade(t, raw, cut, mode), cmpopts.IgnoreUnexported(upgraded{})); diff != "" {
				t.Errorf("%q cut by %v (-whole +cut):\n%s", raw, cut, diff)
			}
		}
		if whole == nil {
			return
		}
		wrong := faults(whole.request, mode)
		switch {
		case len(wrong) == 0 && whole.Err == "":
			whole.checkAnswer(t, mode)
		case !slices.Contains(wrong, whole.Status):
			t.Errorf("%q is answered with %d %s; the faults in it are %v", raw, whole.Status, whole.Err, wrong)
		}
	})
}
