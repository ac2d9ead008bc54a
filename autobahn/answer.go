package autobahn

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// runCase plays a case over a client's connection.
func (t *ClientTester) runCase(s *session, h *wire.Head, left []byte, o *order) {
	played := newSession(o.play, false, t.Options)
	played.nc, played.log = s.nc, s.log
	played.onStream(s.stream)
	s = played
	s.clientHead = h
	r := &Result{Case: o.play, Index: o.index, Agent: o.agent, Started: time.Now(), Log: s.log, Request: string(h.Raw)}
	if t.excluded(o.agent, o.c) || t.enough(o) {
		c := *controlCase
		c.Script = []Step{closeWith(1000), killAfter(5 * time.Second)}
		s.c = &c
		s.writeHead(s.response(h))
		s.play(left)
		if t.excluded(o.agent, o.c) {
			r.Skipped = true
			t.store(o, r)
		}
		return
	}
	s.openAsServer(h, left, r)
	r.Duration = time.Since(r.Started)
	t.store(o, r)
}

// openAsServer answers the opening handshake, plays the case and grades it.
func (s *session) openAsServer(h *wire.Head, left []byte, r *Result) {
	defer s.grade(r)
	if err := s.checkRequest(h); err != nil {
		s.refuse(400, err.Error())
		s.openingFailed(err)
		return
	}
	if s.c.HTTP2 != nil && s.stream == nil {
		s.instead(Unimplemented, "the client came by HTTP/1.1")
	}
	if o := s.c.Opening; o != nil && o.Verify != nil {
		if wrong := o.Verify(h); wrong != "" {
			s.forced, s.result = Failed, wrong
			s.end.Violation = wrong
		}
	}
	if o := s.c.Opening; o != nil && o.hold {
		if early := s.listen(); len(early)+len(left) > 0 {
			s.forced, s.result = Failed, "the client sent data before it had an answer"
			s.end.Violation = s.result
			left = append(left, early...)
		}
	}
	if err := s.acceptOffer(h); err != nil {
		s.refuse(400, err.Error())
		s.openingFailed(err)
		return
	}
	d := s.response(h)
	if d.Impossible != "" {
		s.instead(Informational, d.Impossible)
	}
	r.Response = string(d.Bytes())
	s.writeHead(d)
	s.play(left)
	s.settle()
}

// instead closes the connection at once, in place of a case that cannot be played.
func (s *session) instead(v Verdict, why string) {
	c := *s.c
	c.Script, c.Expect, c.Close, c.keepOpen = []Step{closeWith(1000), killAfter(time.Second)}, []Outcome{ok()}, cleanClose, true
	c.Opening, c.Deflate, c.Loop, c.inspect, c.remark, c.dropped = nil, nil, nil, nil, nil, false
	s.c, s.forced, s.result = &c, v, why
}

// listen reads what a client sends before it has an answer.
func (s *session) listen() []byte {
	s.nc.SetReadDeadline(time.Now().Add(s.opt.scale(200 * time.Millisecond)))
	defer s.nc.SetReadDeadline(time.Time{})
	b := make([]byte, 4096)
	n, _ := s.nc.Read(b)
	return b[:n]
}

// acceptOffer chooses among the client's offers of permessage-deflate.
func (s *session) acceptOffer(h *wire.Head) error {
	d := s.c.Deflate
	if d == nil {
		return nil
	}
	offers, err := offersOf(h)
	if err != nil {
		return err
	}
	if p, ok := d.accept(offers); ok {
		s.negotiated = newAgreement(p, false)
	}
	return nil
}

// offersOf are a client's offers of permessage-deflate.
func offersOf(h *wire.Head) (offers []Params, err error) {
	for _, v := range h.Values("Sec-WebSocket-Extensions") {
		list, err := wire.ParseExtensions(v)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			if e.Name != extension {
				continue
			}
			p, err := parseParams(e, true)
			if err != nil {
				return nil, fmt.Errorf("permessage-deflate with %w", err)
			}
			offers = append(offers, p)
		}
	}
	return offers, nil
}

// response drafts the tester's part of the opening handshake as a server.
func (s *session) response(h *wire.Head) *Draft {
	d := &Draft{Key: h.Get("Sec-WebSocket-Key"), Asked: h}
	if s.onHTTP2() {
		d.Add(":status", "200")
		d.Add("server", "wsconform/"+strconv.Itoa(Suite))
	} else {
		d.Start = "HTTP/1.1 101 Switching Protocols"
		d.Add("Server", "wsconform/"+strconv.Itoa(Suite))
		d.Add("Upgrade", "WebSocket")
		d.Add("Connection", "Upgrade")
		d.Add("Sec-WebSocket-Accept", wire.Accept(h.Get("Sec-WebSocket-Key")))
	}
	if s.negotiated != nil {
		d.Add("Sec-WebSocket-Extensions", s.negotiated.String())
	}
	if s.c.Opening != nil && s.c.Opening.Response != nil {
		s.c.Opening.Response(d)
	}
	if s.onHTTP2() {
		d.lower()
	}
	return d
}

// checkRequest says what is wrong with a client's request (RFC 6455 §4.2.1).
func (s *session) checkRequest(h *wire.Head) error {
	if s.stream != nil {
		return checkStreamRequest(h)
	}
	f := strings.Fields(h.Start)
	if len(f) != 3 || f[0] != "GET" || f[2] != "HTTP/1.1" {
		return fmt.Errorf("the request line is %q", h.Start)
	}
	for _, name := range []string{"Host", "Sec-WebSocket-Key", "Sec-WebSocket-Version"} {
		if n := len(h.Values(name)); n != 1 {
			return fmt.Errorf("the field %s is there %d times", name, n)
		}
	}
	if !h.HasToken("Upgrade", "websocket") {
		return fmt.Errorf("the field Upgrade is %q", h.Get("Upgrade"))
	}
	if !h.HasToken("Connection", "upgrade") {
		return fmt.Errorf("the field Connection is %q", h.Get("Connection"))
	}
	if v := h.Get("Sec-WebSocket-Version"); v != "13" {
		return fmt.Errorf("the field Sec-WebSocket-Version is %q", v)
	}
	if b, err := base64.StdEncoding.DecodeString(h.Get("Sec-WebSocket-Key")); err != nil || len(b) != 16 {
		return fmt.Errorf("the field Sec-WebSocket-Key is %q, which is not 16 bytes in base64", h.Get("Sec-WebSocket-Key"))
	}
	return nil
}

// refuse answers a request that is not carried out.
func (s *session) refuse(status int, why string) {
	if s.stream != nil {
		s.refuseStream(status, why)
		return
	}
	nc := s.nc
	nc.SetWriteDeadline(time.Now().Add(time.Second))
	text := map[int]string{400: "Bad Request", 404: "Not Found"}[status]
	fmt.Fprintf(nc, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s\n",
		status, text, len(why)+1, why)
}
