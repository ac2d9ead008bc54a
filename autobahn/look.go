package autobahn

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// A server that greets, or is no echo server at all, fails almost every case, and no
// single failure says why. A look is an ordinary connection before the cases: it waits
// a moment, sends one message, and says in one line what it found.

// Delays of a look, before scaling.
const (
	lookQuiet  = 100 * time.Millisecond // for what a server sends first
	lookAnswer = time.Second            // for the answer
)

// lookText is what a look sends. It has both cases, and nothing that JSON escapes.
const lookText = "wsconform asks: is this an Echo?"

// lookCase is played by a look.
var lookCase = &Case{
	ID: "look", Script: []Step{wait(lookQuiet, "quiet"), send(text(lookText)), closeAfter(lookAnswer)},
	Expect: []Outcome{ok(timedOut("quiet"), echoed(lookText))}, Close: cleanClose,
}

// Finding is what a look found, in one line, with the flag of wsconform that helps. The
// zero value is nothing.
type Finding struct {
	Text string
	// Stops is true if no case can be played as intended: most would fail, slowly, and
	// say nothing about the server.
	Stops bool
}

// Look makes a first connection to a server and says what will keep cases from being
// played there. An error means that the server cannot be connected to.
func Look(ctx context.Context, t *Target, opt *Options) (Finding, error) {
	s := newSession(lookCase, true, opt)
	h, left, err := s.greet(ctx, t)
	if s.nc == nil {
		return Finding{}, err
	}
	defer s.head.Wait()
	defer s.nc.Close()
	stop := context.AfterFunc(ctx, func() { s.nc.Close() })
	defer stop()
	switch {
	case h == nil:
		return Finding{s.unanswered(left, err), true}, nil
	case !strings.HasPrefix(h.Start, "HTTP/1.1 101"):
		return Finding{s.refused(ctx, t, h, left), true}, nil
	}
	if wrong := s.checkResponse(h, s.draft); wrong != "" {
		return Finding{"the server's answer to an ordinary handshake is wrong: " + wrong, false}, nil
	}
	s.play(left)
	return s.looked(), nil
}

// lookDeflate is a look that offers permessage-deflate.
var lookDeflate = &Case{ID: "look", Deflate: plainDeflate(), Script: []Step{closeWith(1000), closeAfter(lookAnswer)}, Expect: []Outcome{ok()}, Close: cleanClose}

// LookDeflate is like Look, and says whether the server fails to answer a client that
// offers permessage-deflate, as most cases about compression do.
func LookDeflate(ctx context.Context, t *Target, opt *Options) (Finding, error) {
	s := newSession(lookDeflate, true, opt)
	h, got, err := s.greet(ctx, t)
	if s.nc == nil {
		return Finding{}, err
	}
	defer s.head.Wait()
	defer s.nc.Close()
	what := ""
	switch {
	case h != nil && strings.HasPrefix(h.Start, "HTTP/1.1 101"):
		return Finding{}, nil
	case h != nil:
		what = "answers " + s.shown([]byte(status1(h))) + " to"
	case errTime(err):
		what = fmt.Sprintf("does not answer, within %v,", opt.scale(openTimeout))
	case len(got) > 0:
		what = "answers " + s.shown(got) + " to"
	default:
		what = "ends the connection at"
	}
	return Finding{"the server " + what + " a handshake that offers permessage-deflate, and does without it; --exclude deflate plays the other cases", true}, nil
}

// greet connects and does the opening handshake, as far as that succeeds.
func (s *session) greet(ctx context.Context, t *Target) (h *wire.Head, left []byte, err error) {
	nc, err := s.reach(ctx, t, s.opt.TLS)
	if err != nil {
		return nil, nil, err
	}
	s.nc = nc
	stop := context.AfterFunc(ctx, func() { nc.Close() }) // a server that says nothing must not hold up the end
	defer stop()
	s.draft = s.request(t)
	s.hideSecrets(s.draft)
	s.writeHead(s.draft)
	return s.readHead()
}

// reach connects.
func (s *session) reach(ctx context.Context, t *Target, cfg *tls.Config) (net.Conn, error) {
	limit := s.opt.scale(2 * openTimeout)
	deadline := time.Now().Add(limit)
	timed, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	nc, err := t.Dial(timed, cfg)
	// A proxy or TLS may say nothing. The socket's timer may fire before timed's.
	if err != nil && ctx.Err() == nil && !time.Now().Before(deadline) {
		err = fmt.Errorf("no connection within %v", limit)
	}
	return nc, err
}

// unanswered says what the server sent in place of HTTP.
func (s *session) unanswered(got []byte, err error) string {
	switch {
	case len(got) > 1 && (got[0] == 0x15 || got[0] == 0x16) && got[1] == 3:
		return "what answers speaks TLS: the URL must begin with wss://"
	case len(got) > 0 && !mayBeHTTP(got):
		return "what answers is no HTTP server: " + s.shown(got)
	case err != nil && strings.Contains(err.Error(), "tls: ") && strings.Contains(err.Error(), "certificate"):
		if c := s.opt.TLS; c != nil && (c.GetClientCertificate != nil || len(c.Certificates) > 0) {
			return fmt.Sprintf("the server ends the TLS connection (%v): it does not accept the client certificate of --cert", err)
		}
		return fmt.Sprintf("the server ends the TLS connection (%v): it wants a client certificate; --cert and --key give one", err)
	case errTime(err):
		return "the server takes connections and does not answer the opening handshake"
	}
	return "the server ends the connection without an answer to the opening handshake"
}

// refused says why a server does not open a WebSocket for an ordinary request.
func (s *session) refused(ctx context.Context, t *Target, h *wire.Head, left []byte) string {
	body := s.body(left)
	what := fmt.Sprintf("the server answers an ordinary handshake for %q with %s", t.url.RequestURI(), s.shown([]byte(status1(h))))
	if line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n")); len(line) > 0 && utf8.Valid(line) && line[0] != '<' {
		what += " and " + s.shown(line)
	}
	code, _, _ := strings.Cut(status1(h), " ")
	about := strings.ToLower(string(body)) + strings.ToLower(string(h.Raw))
	switch code {
	case "401", "407":
		wants := ""
		if v := h.Get("WWW-Authenticate"); v != "" {
			wants = " (" + s.shown([]byte(v)) + ")"
		}
		if s.draft.Get("Authorization") != "" {
			return what + ": it does not take the credentials" + wants
		}
		return what + ": it wants credentials" + wants + "; a user and password in --url, or --header 'Authorization: …', send some"
	case "404", "405", "410":
		return what + ": is the path of --url right?"
	case "429", "503":
		return what + ": it takes no more connections, or none so fast"
	case "301", "302", "303", "307", "308":
		return what + ": it redirects to " + s.shown([]byte(h.Get("Location"))) + ", which --url must name itself"
	}
	if s.draft.Get("Origin") == "" && (code == "403" || code == "400") {
		if origin := t.origin(); s.opens(ctx, t, origin) {
			return what + ": it wants an Origin; --origin " + origin + " is taken"
		}
	}
	switch {
	case s.draft.Get("Sec-WebSocket-Protocol") == "" && strings.Contains(about, "protocol") && code[0] == '4':
		return what + ": it seems to want a subprotocol; --subprotocol NAME offers one"
	case code == "403":
		return what + ": it may want another --origin, credentials (--header 'Authorization: …') or a client certificate"
	case code[0] == '2':
		return what + ": there is no WebSocket at this path"
	}
	return what
}

// origin is the Origin of a page that the target itself serves.
func (t *Target) origin() string {
	if t.url.Scheme == "wss" {
		return "https://" + t.url.Host
	}
	return "http://" + t.url.Host
}

// opens reports whether the handshake succeeds with an Origin.
func (s *session) opens(ctx context.Context, t *Target, origin string) bool {
	opt := *s.opt
	opt.Origin = origin
	again := newSession(lookCase, true, &opt)
	h, _, _ := again.greet(ctx, t)
	if again.nc != nil {
		again.nc.Close()
		again.head.Wait()
	}
	return h != nil && strings.HasPrefix(h.Start, "HTTP/1.1 101")
}

// status1 is the status and its reason of an answer.
func status1(h *wire.Head) string {
	_, status, _ := strings.Cut(h.Start, " ")
	if len(status) < 3 {
		return "000"
	}
	return status
}

// body is the beginning of an answer's body.
func (s *session) body(left []byte) []byte {
	s.nc.SetReadDeadline(time.Now().Add(s.opt.scale(lookQuiet)))
	for len(left) < 1<<10 {
		b := make([]byte, 1<<10)
		n, err := s.nc.Read(b)
		if left = append(left, b[:n]...); err != nil {
			break
		}
	}
	return left
}

// looked says what a look's connection showed.
func (s *session) looked() Finding {
	var before, after []Event // the message that was sent
	quiet := false
	for _, e := range s.events {
		switch {
		case e.Kind == TimeoutEvent:
			quiet = true
		case e.Kind == MessageEvent && quiet:
			after = append(after, e)
		case e.Kind == MessageEvent:
			before = append(before, e)
		}
	}
	echo := -1
	for i, e := range after {
		if echo < 0 && bytes.Equal(e.Payload, []byte(lookText)) {
			echo = i
		}
	}
	stops := func(format string, args ...any) Finding { return Finding{fmt.Sprintf(format, args...), true} }
	switch n := s.opt.Greeting + len(before); {
	case s.waiting:
		return stops("the server does not greet with as many messages as --greeting %d says: %d came", s.opt.Greeting, s.opt.Greeting-s.greeting)
	case len(before) > 0 && echo == 0:
		return stops("the server greets first, with %s: %s; --greeting %d passes over that", messages(n), s.listed(before), n)
	case s.end.Violation != "":
		return Finding{"the server breaks the protocol on an ordinary connection: " + s.end.Violation, false}
	case !quiet:
		return stops("the server ends every connection at once%s%s", s.howEnded(), s.wants())
	case len(after) == 0 && s.end.RanOut == "":
		return stops("the server ends the connection when it is sent a message%s", s.howEnded())
	case len(after) == 0:
		return stops("the server is silent: it did not answer a message within %v; the cases need a server that echoes (is the path of --url right?)", s.opt.scale(lookAnswer))
	case echo < 0:
		text := fmt.Sprintf("the server is no echo server: it answers %q with %s", lookText, s.listed(after))
		if len(before) > 0 {
			text += ", and greets first, with " + s.listed(before)
		}
		return Finding{text, true}
	case after[echo].Binary:
		return Finding{"the server echoes text as binary", false}
	case echo > 0:
		return stops("the server sends %s before the echo: %s; the cases take that for a wrong echo", messages(echo), s.listed(after[:echo]))
	}
	return Finding{}
}

// howEnded says with what the server closed.
func (s *session) howEnded() string {
	if s.end.RemoteCode == nil {
		return ", without a Close"
	}
	if s.end.RemoteReason == "" {
		return fmt.Sprintf(" with %d", *s.end.RemoteCode)
	}
	return fmt.Sprintf(" with %d and %s", *s.end.RemoteCode, s.shown([]byte(s.end.RemoteReason)))
}

// wants guesses what is missing for a server that opens a connection and closes it
// again.
func (s *session) wants() string {
	if s.draft.Get("Sec-WebSocket-Protocol") == "" {
		return ": it may want a subprotocol (--subprotocol), an Origin (--origin) or credentials (--header)"
	}
	return ": it may want an Origin (--origin) or credentials (--header)"
}

func messages(n int) string {
	if n == 1 {
		return "1 message"
	}
	return fmt.Sprintf("%d messages", n)
}

// listed shows the first messages.
func (s *session) listed(events []Event) string {
	var parts []string
	for i, e := range events {
		if i == 3 {
			parts = append(parts, fmt.Sprintf("and %d more", len(events)-i))
			break
		}
		parts = append(parts, kind(e.Binary)+" "+s.shown(e.Payload))
	}
	return strings.Join(parts, ", ")
}

// shown is what a server sent, quoted, without the secrets that were sent to it.
func (s *session) shown(p []byte) string { return clipped(s.hide(p)) }

// shownBytes is how much of what a server sent is shown.
const shownBytes = 80

// clipped quotes bytes, so that a terminal can show them.
func clipped(p []byte) string {
	if len(p) > shownBytes {
		return fmt.Sprintf("%+q… (%d bytes)", p[:shownBytes], len(p))
	}
	if utf8.Valid(p) {
		return fmt.Sprintf("%q", p)
	}
	return fmt.Sprintf("%+q", p)
}
