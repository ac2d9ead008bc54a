package autobahn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"

	"github.com/hawser-ws/hawser/autobahn/internal/h2"
	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// This file owns how a session gets a stream of HTTP/2 (RFC 8441). From then on the stream
// is its net.Conn, and the session plays as over TCP: each write is a DATA frame, the end of
// our side is END_STREAM. http2steps.go has what only streams can do.

// HTTP2 is how a case uses HTTP/2. The zero value is an ordinary connection.
type HTTP2 struct {
	// Window is each stream's initial window for what the testee sends, in bytes.
	// 0: 65,535. It counts where servers are tested.
	Window uint32
	// HoldConn leaves the window of the connection as it is, 65,535 bytes. It counts where
	// servers are tested.
	HoldConn bool
	// Ended: the request ends the tester's side of the stream.
	Ended bool
	// malformed: the request is malformed, and must be refused as such.
	malformed bool
}

// withALPN is cfg for a connection that must speak HTTP/2.
func withALPN(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.NextProtos = []string{"h2"}
	return cfg
}

// checkALPN says why a connection cannot speak HTTP/2.
func checkALPN(nc net.Conn) error {
	tc, ok := nc.(*tls.Conn)
	if ok && tc.ConnectionState().NegotiatedProtocol != "h2" {
		return errors.New("the server does not choose HTTP/2 (ALPN h2) for the TLS connection")
	}
	return nil
}

// testTogether plays the parts of a case, each on a stream of one connection.
func testTogether(ctx context.Context, t *Target, parts []*Case, opt *Options) []*Result {
	nc, err := connectFor(ctx, t, parts[0], opt)
	var sessions []*session
	var results []*Result
	m := &meeting{expected: len(parts)}
	for _, part := range parts {
		s := newSession(part, true, opt)
		s.nc, s.meeting = nc, m
		sessions = append(sessions, s)
		results = append(results, &Result{Case: part, Agent: opt.Agent, Started: time.Now(), Log: s.log})
	}
	if err != nil {
		for i, s := range sessions {
			results[i].Unreachable = true
			s.forced, s.result = Failed, "cannot connect: "+err.Error()
			s.grade(results[i])
		}
		return results
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	playTogether(t, sessions, results)
	for i, r := range results {
		r.Duration = time.Since(sessions[i].start)
	}
	return results
}

// playTogether begins HTTP/2 on a connection and plays each session on a stream of its
// own.
func playTogether(t *Target, sessions []*session, results []*Result) {
	first := sessions[0]
	how := first.c.HTTP2
	conn := h2.New(first.nc, h2.Config{Client: true, Window: how.Window, HoldConn: how.HoldConn, Log: logAll(sessions)}, nil)
	defer conn.Close()
	err := checkALPN(first.nc)
	if err == nil {
		err = conn.Settled(time.Now().Add(first.opt.scale(openTimeout)))
	}
	if err == nil && !conn.AllowsConnect() {
		// It may come in a later frame; then the answer to the PING follows it.
		first.roundTrip(conn)
		if !conn.AllowsConnect() {
			err = errNoConnect
		}
	}
	var wg sync.WaitGroup
	for i, s := range sessions {
		s.conn = conn
		s.end.stream = true
		s.calls, s.over = make(chan func(), 8), make(chan struct{})
		if err != nil {
			s.openingFailed(err)
			s.grade(results[i])
			continue
		}
		wg.Go(func() {
			s.openAsClient(t, results[i])
			if s.meeting != nil {
				s.meeting.leave()
			}
		})
	}
	wg.Wait()
}

var errNoConnect = errors.New("the server does not announce extended CONNECT (SETTINGS_ENABLE_CONNECT_PROTOCOL = 1)")

// logAll logs what happens on a connection for each of its sessions.
func logAll(sessions []*session) func(sent bool, what string) {
	return func(sent bool, what string) {
		for _, s := range sessions {
			s.log.http2(sent, what)
		}
	}
}

// http2 logs a frame of HTTP/2.
func (l *WireLog) http2(sent bool, what string) {
	d := Received
	if sent {
		d = Sent
	}
	l.add(LogEntry{Dir: d, Text: "HTTP/2 " + what})
}

// roundTrip waits until the peer has received everything that was sent, and the tester
// everything that the peer had sent. It is false if the peer does not answer.
func (s *session) roundTrip(conn *h2.Conn) bool {
	answered := make(chan struct{})
	conn.Ping(func() { close(answered) })
	timer := time.NewTimer(s.opt.scale(dropTimeout))
	defer timer.Stop()
	select {
	case <-answered:
		return true
	case <-conn.Done():
	case <-timer.C:
	}
	return false
}

// connect drafts a request that opens a WebSocket over HTTP/2 (RFC 8441 §5).
func (d *Draft) connect(t *Target, authority string) {
	scheme := "http"
	if t.url.Scheme == "wss" {
		scheme = "https"
	}
	d.Add(":method", "CONNECT")
	d.Add(":protocol", "websocket")
	d.Add(":scheme", scheme)
	d.Add(":path", t.url.RequestURI())
	d.Add(":authority", authority)
	d.Add("user-agent", "wsconform/"+strconv.Itoa(Suite))
}

// lower writes field names in lower case, as HTTP/2 requires (RFC 9113 §8.2.1).
func (d *Draft) lower() {
	for i := range d.Fields {
		if name := d.Fields[i].Name; !strings.HasPrefix(name, rawName) {
			d.Fields[i].Name = strings.ToLower(name)
		}
	}
}

// rawName begins the name of a field that is sent as it is.
const rawName = "\x00"

// writeStreamHead sends the tester's part of the opening handshake, as either role.
func (s *session) writeStreamHead(d *Draft) {
	fields := slices.Clone(d.Fields)
	for i := range fields {
		fields[i].Name = strings.TrimPrefix(fields[i].Name, rawName)
	}
	if !s.client {
		s.stream.Respond(fields, false)
		return
	}
	s.onStream(s.conn.Open(fields, d.Chop, s.c.HTTP2.Ended))
}

// onStream continues the session over a stream; nil means there is none.
func (s *session) onStream(st *h2.Stream) {
	if st == nil {
		return
	}
	s.stream, s.conn, s.nc, s.end.stream = st, st.Conn(), st, true
	if s.calls == nil {
		s.calls, s.over = make(chan func(), 8), make(chan struct{})
	}
}

// onHTTP2 reports whether the session's opening handshake uses HTTP/2.
func (s *session) onHTTP2() bool {
	if s.nc == nil { // the case is being explained, not played
		return s.c.HTTP2 != nil
	}
	return s.stream != nil
}

// readStreamHead reads a server's answer.
func (s *session) readStreamHead() (h *wire.Head, left []byte, err error) {
	s.stream.SetReadDeadline(time.Now().Add(s.opt.scale(openTimeout)))
	defer s.stream.SetReadDeadline(time.Time{})
	if h, err = s.stream.AwaitHead(); err != nil {
		return nil, nil, err
	}
	s.log.head(Received, s.hide(h.Raw))
	h.Start = "HTTP/2 " + h.Get(":status")
	return h, nil, nil
}

// connectionFields are the fields that HTTP/2 forbids (RFC 9113 §8.2.2).
var connectionFields = []string{"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"}

// malformed says what makes an HTTP/2 message malformed, whichever role sent it (RFC 9113
// §8.2, §8.3).
func malformed(h *wire.Head, pseudo ...string) string {
	seen := map[string]bool{}
	ordinary := false
	for _, f := range h.Fields {
		switch {
		case strings.ToLower(f.Name) != f.Name:
			return fmt.Sprintf("the field %q is not in lower case", f.Name)
		case strings.HasPrefix(f.Name, ":"):
			if ordinary || seen[f.Name] || !slices.Contains(pseudo, f.Name) {
				return fmt.Sprintf("the pseudo-header field %s is where it must not be", f.Name)
			}
			seen[f.Name] = true
			continue
		case slices.Contains(connectionFields, f.Name):
			return fmt.Sprintf("there is the field %s, which HTTP/2 forbids", f.Name)
		case f.Name == "te" && f.Value != "trailers":
			return fmt.Sprintf("the field te is %q", f.Value)
		}
		ordinary = true
	}
	return ""
}

// checkStreamResponse says what is wrong with a server's answer; "" for nothing.
func checkStreamResponse(h *wire.Head) string {
	if wrong := malformed(h, ":status"); wrong != "" {
		return wrong
	}
	if status := h.Get(":status"); len(status) != 3 || status[0] != '2' {
		return fmt.Sprintf("the status is %q", status)
	}
	return ""
}

// judgeStreamRefusal grades a server that should have refused the handshake. It is false if
// the server completed it.
func (s *session) judgeStreamRefusal(h *wire.Head, err error) bool {
	var reset *h2.ResetError
	var gone *h2.GoAway
	switch {
	case h != nil && s.opened(h):
		return false
	case h != nil:
		s.judgeRefusingStatus(h)
	case errors.As(err, &reset) && (reset.Code == http2.ErrCodeProtocol || !s.c.HTTP2.malformed):
		s.forced, s.result = OK, "refused: "+reset.Error()
	case errors.As(err, &reset):
		s.forced, s.result = NonStrict, fmt.Sprintf("refused with %v; PROTOCOL_ERROR is expected", reset)
	case errors.As(err, &gone):
		s.forced, s.result = NonStrict, "the server ended the whole connection: "+gone.Error()
		return true
	case errTime(err):
		s.ranOut("the time for the opening handshake")
		s.forced, s.result = Failed, "neither an answer nor an end of the stream in time"
		return true
	default:
		s.forced, s.result = NonStrict, "the server ended the whole connection: "+err.Error()
		return true
	}
	if s.forced != Failed && !s.opensAnother() {
		s.forced, s.result = NonStrict, s.result+"; but then the connection opens no other WebSocket"
	}
	return true
}

// judgeRefusingStatus grades a refusal by the answer's status.
func (s *session) judgeRefusingStatus(h *wire.Head) {
	o := s.c.Opening
	status, _ := strconv.Atoi(h.Get(":status"))
	wrong := malformed(h, ":status")
	switch {
	case wrong != "":
		s.forced, s.result = Failed, "the answer is malformed: "+wrong
	case status < 300 || status > 599:
		s.forced, s.result = Failed, fmt.Sprintf("the status is %q", h.Get(":status"))
	case len(o.Statuses) > 0 && !slices.Contains(o.Statuses, status):
		s.forced, s.result = NonStrict, fmt.Sprintf("refused with %d; %v is expected", status, o.Statuses)
	default:
		s.forced, s.result = OK, fmt.Sprintf("refused with %d", status)
	}
	s.verifyRefusal(h)
}

// opensAnother reports whether an ordinary request opens a WebSocket on the same
// connection.
func (s *session) opensAnother() bool {
	st := s.conn.Open(s.ordinary, 0, false)
	st.SetReadDeadline(time.Now().Add(s.opt.scale(openTimeout)))
	h, err := st.AwaitHead()
	st.Reset(http2.ErrCodeCancel)
	return err == nil && checkStreamResponse(h) == ""
}

// settle checks what follows the end of the stream. The connection should stay open; a
// client may close it properly, because it has no other use for it.
func (s *session) settle() {
	if s.stream == nil || !s.c.settle {
		return
	}
	answered := s.roundTrip(s.conn)
	if answered {
		time.Sleep(s.opt.scale(framePause))
		answered = s.roundTrip(s.conn)
	}
	var gone *h2.GoAway
	switch v := s.conn.Violation(); {
	case v != nil:
		s.violate(v.What)
	case answered || s.forced != "":
	case errors.As(s.conn.Err(), &gone) && gone.Code != http2.ErrCodeNo:
		s.forced, s.result = Failed, "the testee ended the whole connection: "+gone.Error()
	case s.conn.Err() == nil:
		s.forced, s.result = Failed, "behind the stream's end, a PING frame of HTTP/2 was not acknowledged"
	case s.client:
		s.ended = "the server ended the whole connection"
	}
}
