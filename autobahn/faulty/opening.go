package faulty

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + guid))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// head is the start line and the fields, names in lower case.
type head struct {
	start  string
	fields map[string][]string
}

func (h *head) get(name string) string {
	if v := h.fields[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

func (h *head) hasToken(name, token string) bool {
	for _, v := range h.fields[name] {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// readHead reads up to the empty line.
func (e *endpoint) readHead() (*head, error) {
	br := e.br
	h := &head{fields: map[string][]string{}}
	for {
		line, err := br.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		switch {
		case h.start == "":
			h.start = line
		case line == "":
			return h, nil
		default:
			name, value, ok := strings.Cut(line, ":")
			if e.has("takes a NUL for a space") {
				value = strings.ReplaceAll(value, "\x00", " ")
			}
			if !ok || name == "" || strings.ContainsAny(name, " \t") || strings.ContainsRune(value, 0) {
				return nil, fmt.Errorf("malformed field %q", line)
			}
			name = strings.ToLower(name)
			space := " \t"
			if e.has("does not trim tabs") {
				space = " "
			}
			h.fields[name] = append(h.fields[name], strings.Trim(value, space))
		}
	}
}

// serveConn is the server's side of a connection.
func serveConn(nc net.Conn, defect string) {
	defer nc.Close()
	e := &endpoint{nc: nc, br: bufio.NewReaderSize(nc, readBuffer), writing: make(chan struct{}, 1), defect: defect}
	h, err := e.readHead()
	if err != nil {
		refuse(nc, 400, "")
		return
	}
	if h.start == "PRI * HTTP/2.0" && e.has("answers HTTP/2 in HTTP/2") {
		nc.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // an empty SETTINGS frame
		io.Copy(io.Discard, e.br)
		return
	}
	if status, extra := e.checkRequest(h); status != 0 {
		if e.has("redirects what it refuses") && status != 426 {
			status, extra = 302, "Location: /elsewhere\r\n"
		}
		refuse(nc, status, extra)
		return
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nServer: faulty\r\nUpgrade: websocket\r\n" + e.extraFields(h)
	accept := acceptKey(h.get("sec-websocket-key"))
	if e.has("answers a wrong accept") {
		accept = acceptKey("another key")
	}
	answer += "Sec-WebSocket-Accept: " + accept + "\r\n"
	if e.has("takes an unoffered subprotocol") {
		answer += "Sec-WebSocket-Protocol: chat\r\n"
	}
	if e.has("echoes the offered extensions") && h.get("sec-websocket-extensions") != "" {
		answer += "Sec-WebSocket-Extensions: " + h.get("sec-websocket-extensions") + "\r\n"
	} else if p, ok := e.negotiate(h); ok {
		e.codec = newCodec(e, p)
		answer += "Sec-WebSocket-Extensions: " + e.answer(p) + "\r\n"
	}
	e.loseGlued()
	nc.Write([]byte(answer + "\r\n"))
	e.serve()
}

func refuse(nc net.Conn, status int, extra string) {
	fmt.Fprintf(nc, "HTTP/1.1 %d Refused\r\nConnection: close\r\nContent-Length: 0\r\n%s\r\n", status, extra)
	if half, ok := nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	nc.SetReadDeadline(time.Now().Add(time.Second / 5))
	nc.Read(make([]byte, 4096))
}

// checkRequest returns the status to refuse a request with; 0 to accept it.
func (e *endpoint) checkRequest(h *head) (status int, extra string) {
	f := strings.Fields(h.start)
	once := func(name string) bool { return len(h.fields[name]) == 1 }
	key := e.decodeKey(h.get("sec-websocket-key"))
	connection := h.hasToken("connection", "upgrade")
	if e.has("finds upgrade anywhere in Connection") {
		connection = strings.Contains(strings.ToLower(h.get("connection")), "upgrade")
	}
	if e.has("compares Connection as a whole") {
		connection = strings.EqualFold(h.get("connection"), "upgrade")
	}
	upgrade := h.hasToken("upgrade", "websocket")
	if e.has("compares Upgrade as a whole") {
		upgrade = strings.EqualFold(h.get("upgrade"), "websocket")
	}
	if e.has("compares Upgrade with its case") {
		upgrade = h.get("upgrade") == "WebSocket"
	}
	switch {
	case len(f) != 3 || f[0] != "GET" && !e.has("takes any method") && !(e.has("takes the method in any case") && strings.EqualFold(f[0], "GET")):
		return e.plain(h, 405), ""
	case e.has("refuses the absolute form") && f[1][0] != '/', strings.Contains(f[1], "#") && !e.has("takes a fragment"):
		return 400, ""
	case f[2] != "HTTP/1.1" && !(e.has("takes any HTTP version") && strings.HasPrefix(f[2], "HTTP/1")) && !(e.has("takes HTTP/1.0") && f[2] == "HTTP/1.0"):
		return e.plain(h, 505), ""
	case !once("host") && !e.has("does without Host"):
		return 400, ""
	case !upgrade, !connection:
		return e.plain(h, 400), ""
	case e.has("refuses an offer that must be declined") && e.malformed(h):
		return 400, ""
	case (len(key) != 16 || !once("sec-websocket-key")) && !e.has("takes any key"):
		return 400, ""
	case (len(h.fields["content-length"]) > 0 || len(h.fields["transfer-encoding"]) > 0) && !e.has("takes a body for frames"):
		return 400, ""
	case h.get("sec-websocket-version") == "8" && once("sec-websocket-version") && e.has("speaks version 8 as well"):
		return 0, ""
	case h.get("sec-websocket-version") != "13" && !e.has("takes any version"), !once("sec-websocket-version") && !e.has("takes any version"):
		if e.has("does not say which version it speaks") {
			return 400, ""
		}
		return 426, "Sec-WebSocket-Version: 13\r\n"
	}
	return 0, ""
}

// plain is the status for a request that asks for no upgrade.
func (e *endpoint) plain(h *head, status int) int {
	if e.has("answers 200 where there is no upgrade") && strings.Contains(h.start, " HTTP/1.") {
		return 200
	}
	return status
}

// malformed reports whether an offer of permessage-deflate must be declined.
func (e *endpoint) malformed(h *head) bool {
	for _, v := range h.fields["sec-websocket-extensions"] {
		for element := range strings.SplitSeq(v, ",") {
			if _, err := e.parseElement(element, true); err != nil && strings.HasPrefix(strings.TrimSpace(element), "permessage-deflate") {
				return true
			}
		}
	}
	return false
}

// negotiate takes the client's first good offer.
func (e *endpoint) negotiate(h *head) (params, bool) {
	if e.has(NoCompression) {
		return params{}, false
	}
	for _, v := range h.fields["sec-websocket-extensions"] {
		for element := range strings.SplitSeq(v, ",") {
			p, err := e.parseElement(element, true)
			if err != nil && e.has("takes any offer") && strings.HasPrefix(strings.TrimSpace(element), "permessage-deflate") {
				return params{}, true
			}
			if err == nil {
				return p, true
			}
		}
	}
	return params{}, false
}

// answer writes the negotiated parameters.
func (e *endpoint) answer(p params) string {
	s := "permessage-deflate"
	if p.serverNoTakeover && !e.has("leaves out server_no_context_takeover") {
		s += "; server_no_context_takeover"
	}
	if p.clientNoTakeover {
		s += "; client_no_context_takeover"
	}
	if p.serverBits != 0 && !e.has("leaves out server_max_window_bits") {
		n := p.serverBits
		if e.has("answers a larger window") {
			n = 15
		}
		s += fmt.Sprintf("; server_max_window_bits=%d", n)
	}
	if p.clientBits > 0 {
		s += fmt.Sprintf("; client_max_window_bits=%d", p.clientBits)
	}
	if p.clientBits == 0 && e.has("answers client_max_window_bits unasked") {
		s += "; client_max_window_bits=15"
	}
	return s
}

// dial is the client's side of a connection: it opens it and echoes until it ends.
func dial(connect func() (net.Conn, error), target, defect string) {
	nc, err := connect()
	if err != nil {
		return
	}
	defer nc.Close()
	if e := open(nc, target, defect); e != nil {
		e.serve()
	}
}

// open opens a connection as a client. It is nil if the answer is not accepted.
func open(nc net.Conn, target, defect string) *endpoint {
	e := &endpoint{nc: nc, br: bufio.NewReaderSize(nc, readBuffer), writing: make(chan struct{}, 1), client: true, defect: defect}
	key := e.newKey()
	host := nc.RemoteAddr().String()
	if e.has("sends Host without its port") {
		host, _, _ = strings.Cut(host, ":")
	}
	if e.has("sends the fragment") {
		target += "#quay"
	}
	request := "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + key + "\r\n"
	if !e.has("sends no version") {
		request += "Sec-WebSocket-Version: 13\r\n"
	}
	offer := e.offer()
	if !e.has(NoCompression) {
		request += "Sec-WebSocket-Extensions: " + offer + "\r\n"
	}
	nc.Write([]byte(request + "\r\n"))
	if e.has("sends before it has an answer") {
		e.write(opPing, 0, []byte("early"))
	}
	nc.SetReadDeadline(time.Now().Add(2 * time.Second))
	h, err := e.readHead()
	for err == nil && (strings.HasPrefix(h.start, "HTTP/1.1 100 ") || strings.HasPrefix(h.start, "HTTP/1.1 103 ")) {
		h, err = e.readHead()
	}
	if err != nil || !e.checkAnswer(h, key) {
		return nil
	}
	if n, _ := strconv.Atoi(h.get("content-length")); n > 0 && e.has("reads a body behind 101") {
		e.br.Discard(n)
	}
	nc.SetReadDeadline(time.Time{})
	e.loseGlued()
	return e
}

// loseGlued loses the bytes that arrived with the handshake, or some of them.
func (e *endpoint) loseGlued() {
	keep := -1
	switch {
	case e.has("loses what comes with the handshake"):
		keep = 0
	case e.has("loses what comes with the handshake after 4 KiB"):
		keep = 4 << 10
	case e.has("loses what comes with the handshake after 64 KiB"):
		keep = 64 << 10
	}
	if keep < 0 || keep == 0 && e.br.Buffered() == 0 {
		return
	}
	var glued []byte
	for e.br.Buffered() > 0 || keep > 0 && e.more() {
		p, _ := e.br.Peek(e.br.Buffered())
		glued = append(glued, p...)
		e.br.Discard(len(p))
	}
	e.br = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(glued[:min(keep, len(glued))]), e.nc), readBuffer)
}
