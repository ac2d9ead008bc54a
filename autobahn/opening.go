package autobahn

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// Opening is how a case's opening handshake differs from an ordinary one
// (RFC 6455 §4).
type Opening struct {
	// Request changes what the tester sends as a client, Response what it sends
	// as a server.
	Request  func(*Draft)
	Response func(*Draft)
	// Glue are frames that follow the tester's part in the same write; with GlueFirst, only
	// that many of their bytes do, and the rest follows a moment later.
	Glue      []*wire.Frame
	GlueFirst int
	// Refuse: the testee must not complete the handshake. Otherwise it must.
	Refuse bool
	// Statuses are those that a server may refuse with; any other is NON-STRICT. Empty: any
	// from 300 to 599.
	Statuses []int
	// Verify says what is wrong with the testee's part; "" for nothing.
	Verify func(h *wire.Head) string
	// orRefuse is the verdict on a server that refuses; "" if it must not.
	orRefuse Verdict
	// orComplete is the verdict on a server that completes a handshake that it should refuse;
	// "": FAILED.
	orComplete Verdict
	// plain: a server that ignores Upgrade may answer the request with 200 to 299.
	plain bool
	// foreign: an answer that is not HTTP/1 also counts as a refusal.
	foreign bool
	// hold: the tester, as a server, listens for a moment before it answers; the
	// client must not send anything yet.
	hold bool
}

// Draft is the tester's part of an opening handshake before it is written.
type Draft struct {
	Start  string
	Fields []wire.Field
	Body   []byte     // after the empty line
	Chop   int        // bytes in a write; 0: all
	Key    string     // the client's Sec-WebSocket-Key
	Asked  *wire.Head // what the client asked for; nil where the tester is the client
	Raw    []byte     // replaces everything, where it is not nil
	// Impossible says why the case cannot be played with the client's request; "": it can.
	Impossible string
}

// Set replaces the fields called name by one.
func (d *Draft) Set(name, value string) {
	for i, f := range d.Fields {
		if strings.EqualFold(f.Name, name) {
			d.Fields[i] = wire.Field{Name: name, Value: value}
			return
		}
	}
	d.Add(name, value)
}

// Add appends a field.
func (d *Draft) Add(name, value string) {
	d.Fields = append(d.Fields, wire.Field{Name: name, Value: value})
}

// Del removes the fields called name.
func (d *Draft) Del(name string) {
	d.Fields = slices.DeleteFunc(d.Fields, func(f wire.Field) bool { return strings.EqualFold(f.Name, name) })
}

// Get is the value of the field called name.
func (d *Draft) Get(name string) string { return (&wire.Head{Fields: d.Fields}).Get(name) }

// Bytes are what is written.
func (d *Draft) Bytes() []byte {
	if d.Raw != nil {
		return d.Raw
	}
	var b bytes.Buffer
	if d.Start != "" { // HTTP/2 has none
		b.WriteString(d.Start + "\r\n")
	}
	for _, f := range d.Fields {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	b.WriteString("\r\n")
	b.Write(d.Body)
	return b.Bytes()
}

// readHead reads the peer's part of an opening handshake, and the bytes that arrived after it.
func (s *session) readHead() (h *wire.Head, left []byte, err error) {
	if s.conn != nil {
		return s.readStreamHead()
	}
	s.nc.SetReadDeadline(time.Now().Add(s.opt.scale(openTimeout)))
	defer s.nc.SetReadDeadline(time.Time{})
	var b []byte
	buf := make([]byte, 8<<10)
	for {
		n, err := s.nc.Read(buf)
		b = append(b, buf[:n]...)
		h, used, bad := wire.SplitHead(b)
		if bad != nil {
			return nil, b, bad
		}
		if h != nil {
			s.log.head(Received, s.hide(h.Raw))
			return h, b[used:], nil
		}
		if err == nil && s.client && !mayBeHTTP(b) {
			err = errNotHTTP // and it is unknown where it ends
		}
		if err != nil {
			if len(b) > 0 {
				s.log.head(Received, s.hide(b))
			}
			return nil, b, err
		}
	}
}

var errNotHTTP = errors.New("the answer is not HTTP/1")

// mayBeHTTP reports whether an answer that begins with b can be HTTP/1.
func mayBeHTTP(b []byte) bool {
	const name = "HTTP/1."
	return bytes.HasPrefix(b, []byte(name)) || strings.HasPrefix(name, string(b))
}

// errTime reports whether err says that a deadline has passed.
func errTime(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// newKey makes a Sec-WebSocket-Key (RFC 6455 §4.1).
func (s *session) newKey() string {
	var b [16]byte
	for i := range b {
		b[i] = byte(s.rng.Uint32())
	}
	return base64.StdEncoding.EncodeToString(b[:])
}

// request drafts the tester's opening handshake as a client.
func (s *session) request(t *Target) *Draft {
	d := &Draft{}
	if s.c.HTTP2 != nil {
		d.connect(t, cmp.Or(s.opt.Host, t.url.Host))
	} else {
		d.Start = "GET " + t.url.RequestURI() + " HTTP/1.1"
		d.Add("Host", cmp.Or(s.opt.Host, t.url.Host))
		d.Add("User-Agent", "wsconform/"+strconv.Itoa(Suite))
		d.Add("Upgrade", "WebSocket")
		d.Add("Connection", "Upgrade")
		d.Add("Pragma", "no-cache")
		d.Add("Cache-Control", "no-cache")
		d.Add("Sec-WebSocket-Key", s.newKey())
	}
	if s.opt.Origin != "" {
		d.Add("Origin", s.opt.Origin)
	}
	if len(s.opt.Subprotocols) > 0 {
		d.Add("Sec-WebSocket-Protocol", strings.Join(s.opt.Subprotocols, ","))
	}
	if s.c.Deflate != nil {
		d.Add("Sec-WebSocket-Extensions", s.c.Deflate.offer())
	}
	d.Add("Sec-WebSocket-Version", "13")
	if t.user != nil {
		password, _ := t.user.Password()
		d.Add("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(t.user.Username()+":"+password)))
	}
	d.addGiven(s.opt.Header)
	if s.c.HTTP2 != nil {
		d.lower()
		s.ordinary = slices.Clone(d.Fields)
	}
	if s.c.Opening != nil && s.c.Opening.Request != nil {
		s.c.Opening.Request(d)
	}
	return d
}

// addGiven adds the caller's fields. They replace the tester's own, but not each other.
func (d *Draft) addGiven(lines []string) {
	own := len(d.Fields)
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ":")
		d.Add(name, strings.TrimSpace(value))
	}
	given := &wire.Head{Fields: d.Fields[own:]}
	kept := d.Fields[:0:0]
	for i, f := range d.Fields {
		if i >= own || len(given.Values(f.Name)) == 0 {
			kept = append(kept, f)
		}
	}
	d.Fields = kept
}

// hideSecrets notes which parts of the draft must not appear in logs and reports.
func (s *session) hideSecrets(d *Draft) {
	for _, f := range d.Fields {
		switch strings.ToLower(f.Name) {
		case "authorization", "proxy-authorization", "cookie":
			if f.Value != "" {
				s.secrets = append(s.secrets, []byte(f.Value))
			}
		}
	}
}

// hide is p without secrets: a server may also send back what it received.
func (s *session) hide(p []byte) []byte {
	for _, secret := range s.secrets {
		p = bytes.ReplaceAll(p, secret, []byte("***"))
	}
	return p
}

// writeHead writes the tester's part, with the frames that are glued to it.
func (s *session) writeHead(d *Draft) {
	p := d.Bytes()
	s.log.head(Sent, s.hide(p))
	if s.conn != nil {
		s.writeStreamHead(d)
		return
	}
	if o := s.c.Opening; o != nil && len(o.Glue) > 0 {
		var glued []byte
		for _, f := range o.Glue {
			glued = s.render(glued, f)
		}
		n := len(glued)
		if o.GlueFirst > 0 {
			n = o.GlueFirst
		}
		s.log.octets(Sent, glued[:n])
		p, s.rest = append(p, glued[:n]...), glued[n:]
	}
	write := func() {
		for n := d.Chop; n > 0 && len(p) > n; p = p[n:] {
			if _, err := s.nc.Write(p[:n]); err != nil {
				return
			}
			time.Sleep(s.opt.scale(octetPause))
		}
		s.nc.Write(p)
	}
	if s.client {
		s.head.Go(write) // a server may answer, or hang up, before it has read all
	} else {
		write()
	}
}

// checkResponse says what is wrong with a server's answer (RFC 6455 §4.1, what a
// client must verify); "" for nothing.
func (s *session) checkResponse(h *wire.Head, d *Draft) string {
	if s.conn != nil {
		if wrong := checkStreamResponse(h); wrong != "" {
			return wrong
		}
		return s.checkNegotiated(h, d)
	}
	if f := strings.Fields(h.Start); len(f) < 2 || f[0] != "HTTP/1.1" || f[1] != "101" {
		return fmt.Sprintf("the status line is %q", h.Start)
	}
	if v := h.Get("Upgrade"); !strings.EqualFold(v, "websocket") {
		return fmt.Sprintf("Upgrade is %q", v)
	}
	if !h.HasToken("Connection", "upgrade") {
		return fmt.Sprintf("Connection is %q", h.Get("Connection"))
	}
	accept := h.Values("Sec-WebSocket-Accept")
	if want := wire.Accept(d.Get("Sec-WebSocket-Key")); len(accept) != 1 || accept[0] != want {
		return fmt.Sprintf("Sec-WebSocket-Accept is %q, not %q", accept, want)
	}
	return s.checkNegotiated(h, d)
}

// checkNegotiated says what is wrong with the subprotocol and the extensions of an answer.
func (s *session) checkNegotiated(h *wire.Head, d *Draft) string {
	if p := h.Get("Sec-WebSocket-Protocol"); p != "" {
		offered := &wire.Head{Fields: d.Fields}
		if len(h.Values("Sec-WebSocket-Protocol")) > 1 || !offered.HasToken("Sec-WebSocket-Protocol", p) {
			return fmt.Sprintf("the subprotocol %q was not offered", p)
		}
	}
	return s.checkExtensions(h)
}

func (s *session) checkExtensions(h *wire.Head) string {
	values := h.Values("Sec-WebSocket-Extensions")
	switch {
	case len(values) == 0:
		return ""
	case len(values) > 1:
		return "Sec-WebSocket-Extensions is there twice"
	case s.c.Deflate == nil:
		return fmt.Sprintf("the extension %q was not offered", values[0])
	}
	list, err := wire.ParseExtensions(values[0])
	if err != nil {
		return err.Error()
	}
	if len(list) != 1 || list[0].Name != extension {
		return fmt.Sprintf("the extensions %q were not offered", values[0])
	}
	p, err := parseParams(list[0], false)
	if err != nil {
		return "permessage-deflate with " + err.Error()
	}
	s.negotiated = newAgreement(p, true)
	return ""
}

// judgeRefusal grades a server that should have refused the handshake; got is what it sent if
// that has no head. It is false if the server completed the handshake.
func (s *session) judgeRefusal(h *wire.Head, got []byte, err error) bool {
	if s.conn != nil {
		return s.judgeStreamRefusal(h, err)
	}
	o := s.c.Opening
	switch {
	case h == nil && o.foreign && !mayBeHTTP(got):
		s.forced, s.result = OK, "answered in another protocol"
		return true
	case h == nil && errors.Is(err, errNotHTTP):
		s.forced, s.result = Failed, err.Error()
		return true
	case h == nil && errTime(err):
		s.ranOut("the time for the opening handshake")
		s.forced, s.result = Failed, "neither an answer nor an end of the connection in time"
		return true
	case h == nil && (errors.Is(err, io.EOF) || err != nil):
		s.forced, s.result = NonStrict, "the connection was closed without an HTTP answer"
		return true
	}
	f := strings.Fields(h.Start)
	status := 0
	if len(f) > 1 {
		status, _ = strconv.Atoi(f[1])
	}
	switch {
	case status == 101:
		return false
	case o.plain && status >= 200 && status < 300:
		s.forced, s.result = NonStrict, fmt.Sprintf("answered with %d, as a request that asks for no upgrade", status)
	case status < 300 || status > 599:
		s.forced, s.result = Failed, fmt.Sprintf("the status line is %q", h.Start)
	case len(o.Statuses) > 0 && !slices.Contains(o.Statuses, status):
		s.forced, s.result = NonStrict, fmt.Sprintf("refused with %d; %v is expected", status, o.Statuses)
	default:
		s.forced, s.result = OK, fmt.Sprintf("refused with %d", status)
	}
	s.verifyRefusal(h)
	return true
}

// verifyRefusal checks the fields of an answer that refuses the handshake.
func (s *session) verifyRefusal(h *wire.Head) {
	o := s.c.Opening
	if o.Verify != nil && s.forced == OK {
		if wrong := o.Verify(h); wrong != "" {
			s.forced, s.result = NonStrict, wrong
		}
	}
}
