package faulty

import (
	"bufio"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// ServeHTTP2 is Serve for clients that speak HTTP/2 (RFC 8441) with prior knowledge.
func ServeHTTP2(ln net.Listener, defect string) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		nc, err := ln.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer nc.Close()
			preface := make([]byte, len(http2.ClientPreface))
			if _, err := io.ReadFull(nc, preface); err != nil || string(preface) != http2.ClientPreface {
				return
			}
			t := newTunnel(nc, nc, false, defect)
			t.accept = t.serve
			t.start()
			t.run()
		})
	}
}

// serve takes a request.
func (t *tunnel) serve(s *tunnelStream) {
	h := s.head
	if t.malformed(h) {
		t.refuseMalformed(s)
		return
	}
	e := t.endpoint(s)
	if status, extra := t.judge(h, s.id); status != 0 {
		if !t.has("does not answer what it refuses") {
			s.send(append([]hpack.HeaderField{{Name: ":status", Value: strconv.Itoa(status)}}, extra...), true)
		}
		t.mu.Lock()
		t.refused++
		t.mu.Unlock()
		return
	}
	answer := []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "server", Value: "faulty"}}
	add := func(name, value string) { answer = append(answer, hpack.HeaderField{Name: name, Value: value}) }
	switch offered := h.values("sec-websocket-protocol"); {
	case t.has("answers with a Sec-WebSocket-Accept"):
		add("sec-websocket-accept", acceptKey(h.get("sec-websocket-key")))
	case t.has("answers with a length"):
		add("content-length", "0")
	case t.has("answers with Upgrade"):
		add("upgrade", "websocket")
	case t.has("answers an unoffered subprotocol"):
		add("sec-websocket-protocol", "chat")
	case t.has("answers all subprotocols"):
		for _, p := range offered {
			add("sec-websocket-protocol", p)
		}
	}
	if offer := h.get("sec-websocket-extensions"); t.has("echoes the offered extensions") && offer != "" {
		add("sec-websocket-extensions", offer)
	} else if p, ok := e.negotiate(h.head()); ok {
		e.codec = newCodec(e, p)
		add("sec-websocket-extensions", e.answer(p))
	}
	s.send(answer, false)
	if t.has("takes extended CONNECT back") {
		t.mu.Lock()
		t.fr.WriteSettings(http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 0})
		t.mu.Unlock()
	}
	defer s.Close()
	e.serve()
}

// endpoint is the WebSocket on a stream.
func (t *tunnel) endpoint(s *tunnelStream) *endpoint {
	var nc net.Conn = s
	if t.has("echoes on the first stream") {
		nc = &firstStream{s}
	}
	return &endpoint{nc: nc, br: bufio.NewReaderSize(s, readBuffer), writing: make(chan struct{}, 1), client: t.client, defect: t.defect, tunnel: t}
}

// firstStream reads a stream, and writes to the first of the connection.
type firstStream struct{ *tunnelStream }

func (f *firstStream) Write(p []byte) (int, error) {
	f.t.mu.Lock()
	first := f.t.streams[1]
	f.t.mu.Unlock()
	return first.Write(p)
}

// refuseMalformed refuses a request as RFC 9113 §8.1.1 says.
func (t *tunnel) refuseMalformed(s *tunnelStream) {
	t.mu.Lock()
	t.refused++
	t.mu.Unlock()
	switch {
	case t.has("does not answer what it refuses"):
	case t.has("answers a malformed request with 400"):
		s.send([]hpack.HeaderField{{Name: ":status", Value: "400"}}, true)
	case t.has("refuses with INTERNAL_ERROR"):
		s.giveUp(http2.ErrCodeInternal)
	case t.has("ends the connection at a malformed request"):
		t.mu.Lock()
		t.fr.WriteGoAway(s.id, http2.ErrCodeProtocol, nil)
		t.mu.Unlock()
		t.nc.Close()
	default:
		s.giveUp(http2.ErrCodeProtocol)
	}
}

// pseudo are the pseudo-header fields of a request, in the usual order.
var pseudo = []string{":method", ":protocol", ":scheme", ":path", ":authority"}

// malformed reports whether a request is malformed (RFC 9113 §8.2 and §8.3, RFC 8441
// §4).
func (t *tunnel) malformed(h *tunnelHead) bool {
	ordinary := false
	seen := map[string]bool{}
	last := -1
	for _, f := range h.fields {
		if t.badField(f) {
			return true
		}
		if !strings.HasPrefix(f.Name, ":") {
			ordinary = true
			continue
		}
		at := slices.Index(pseudo, f.Name)
		switch {
		case at < 0 && !t.has("takes unknown pseudo-header fields"),
			seen[f.Name] && !t.has("takes a pseudo-header field twice"),
			ordinary && !t.has("takes pseudo-header fields anywhere"),
			at < last && t.has("reads pseudo-header fields in one order"):
			return true
		}
		seen[f.Name], last = true, at
	}
	missing := func(name string) bool { return h.get(name) == "" && !t.has("does without "+name) }
	if len(h.values(":protocol")) == 0 {
		tunnels := len(h.values(":path")) == 0 && len(h.values(":scheme")) == 0
		return !tunnels && !t.has("takes CONNECT without :protocol")
	}
	return missing(":path") || missing(":scheme") || missing(":authority") && h.get("host") == ""
}

// badField reports whether a field makes a message malformed.
func (t *tunnel) badField(f hpack.HeaderField) bool {
	name := strings.ToLower(f.Name)
	switch name {
	case "connection", "upgrade":
		return !t.has("takes Connection and Upgrade") && !t.has("takes every connection-specific field")
	case "keep-alive", "proxy-connection", "transfer-encoding":
		return !t.has("takes every connection-specific field")
	case "te":
		return f.Value != "trailers" && !t.has("takes every connection-specific field") || t.has("refuses te")
	}
	return f.Name != name && !t.has("takes names in upper case")
}

// judge returns the status to refuse a request with; 0 to accept it.
func (t *tunnel) judge(h *tunnelHead, id uint32) (status int, extra []hpack.HeaderField) {
	version, key := h.values("sec-websocket-version"), h.values("sec-websocket-key")
	t.mu.Lock()
	refused := t.refused
	t.mu.Unlock()
	switch protocol := h.get(":protocol"); {
	case t.has("takes any :protocol"), t.has("takes CONNECT without :protocol") && protocol == "",
		t.has("compares the beginning of :protocol") && strings.HasPrefix(protocol, "websocket"):
	case protocol != "websocket":
		return 501, nil
	}
	switch {
	case h.get(":method") != "CONNECT":
		return 405, nil
	case t.has("opens nothing after a refusal") && refused > 0, t.has("takes nine streams") && id > 17,
		t.has("refuses a query") && strings.Contains(h.get(":path"), "?"),
		t.has("takes 30 fields") && len(h.fields) > 30,
		t.has("takes one cookie field") && len(h.values("cookie")) > 1,
		t.has("wants a Sec-WebSocket-Key") && len(key) == 0,
		t.has("refuses a Sec-WebSocket-Key") && len(key) > 0,
		t.has("checks a Sec-WebSocket-Key") && len(key) > 0 && len(key[0]) != 24:
		return 400, nil
	case (len(version) != 1 || version[0] != "13") && !t.has("takes any version"):
		if t.has("does not say which version it speaks") {
			return 400, nil
		}
		return 400, []hpack.HeaderField{{Name: "sec-websocket-version", Value: "13"}}
	}
	return 0, nil
}
