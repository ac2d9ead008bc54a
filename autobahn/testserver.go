package autobahn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// Target is a server to be tested.
type Target struct {
	// DialContext, if set, makes the connections, in place of a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	url  *url.URL      // without a user
	user *url.Userinfo // for Basic authentication (RFC 7617), or nil
}

// ParseTarget reads a ws or wss URL. A user and password in it are sent by Basic
// authentication, unless Options.Header has an Authorization. No error and no
// report repeats them.
func ParseTarget(raw string) (*Target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// Its error repeats the URL.
		return nil, errors.New("the URL cannot be parsed; in a user name or password, characters like / ? # @ % must be percent-encoded")
	}
	user := u.User
	u.User = nil
	if u.Scheme != "ws" && u.Scheme != "wss" {
		return nil, fmt.Errorf("the URL %q is neither ws:// nor wss://", u)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("the URL %q names no host", u)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("the URL %q has the port %s, want 1 to 65535", u, port)
		}
	}
	if user.String() == "" {
		user = nil
	}
	password, _ := user.Password()
	switch {
	// RFC 7617 §2: "a user-id containing a colon character is invalid".
	case strings.Contains(user.Username(), ":"):
		return nil, errors.New("the URL's user name contains a colon")
	// 2: "The user-id and password MUST NOT contain any control characters".
	case strings.IndexFunc(user.Username()+password, unicode.IsControl) >= 0:
		return nil, errors.New("the URL's user name or password contains a control character")
	}
	return &Target{url: u, user: user}, nil
}

// String is the target's URL without a user and password.
func (t *Target) String() string { return t.url.String() }

// Addr is the target's host and port.
func (t *Target) Addr() string {
	port := t.url.Port()
	if port == "" {
		port = "80"
		if t.url.Scheme == "wss" {
			port = "443"
		}
	}
	return net.JoinHostPort(t.url.Hostname(), port)
}

// Dial opens a connection to the target, with TLS for wss.
func (t *Target) Dial(ctx context.Context, cfg *tls.Config) (net.Conn, error) {
	dial := t.DialContext
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	nc, err := dial(ctx, "tcp", t.Addr())
	if err != nil || t.url.Scheme != "wss" {
		return nc, err
	}
	cfg = cfg.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	if cfg.ServerName == "" {
		cfg.ServerName = t.url.Hostname()
	}
	tc := tls.Client(nc, cfg)
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, err
	}
	return tc, nil
}

// backTimeout is how long a server that refuses connections may take to come back.
const backTimeout = 2 * time.Second

// dialAgain is Dial, but waits for a server that is away for a moment.
func (t *Target) dialAgain(ctx context.Context, opt *Options) (net.Conn, error) {
	givenUp := time.After(opt.scale(backTimeout))
	for {
		nc, err := t.Dial(ctx, opt.TLS)
		var failed *net.OpError
		if err == nil || !errors.As(err, &failed) || failed.Op != "dial" {
			return nc, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-givenUp:
			return nil, err
		case <-time.After(backTimeout / 20):
		}
	}
}

func newSession(c *Case, client bool, opt *Options) *session {
	now := time.Now()
	s := &session{c: c, client: client, opt: opt, rng: opt.random(c), start: now, log: newWireLog(now)}
	if c.make != nil {
		s.c = c.make(s.rng.Uint64())
	}
	return s
}

// testServer plays a case, part by part. It returns nil if ctx ends it.
func testServer(ctx context.Context, t *Target, c *Case, opt *Options) *Result {
	if opt.Agent != "" && opt.Excluded != nil && opt.Excluded(opt.Agent, c) {
		return &Result{Case: c, Agent: opt.Agent, Skipped: true}
	}
	parts := opt.connections(c)
	var done partResults
	if c.together {
		for _, r := range testTogether(ctx, t, parts, opt) {
			done.add(r)
		}
		if ctx.Err() != nil {
			return nil
		}
		return done.merged(c, len(parts))
	}
	begun := time.Now()
	for _, part := range parts {
		if time.Since(begun) > opt.scale(partsTime) {
			break
		}
		r := testOnce(ctx, t, part, opt)
		if ctx.Err() != nil {
			return nil
		}
		if r.Unreachable && len(done.list) > 0 { // one of the parts before may have ended it
			last := done.list[len(done.list)-1].Case
			whole := done.merged(c, len(parts))
			whole.cut = fmt.Sprintf(", after %s: %s", last.ID, last.Title)
			return whole
		}
		if done.add(r); r.Unreachable || done.enough() {
			break
		}
	}
	return done.merged(c, len(parts))
}

// testOnce plays a case over a connection.
func testOnce(ctx context.Context, t *Target, c *Case, opt *Options) *Result {
	r := &Result{Case: c, Agent: opt.Agent, Started: time.Now()}
	s := newSession(c, true, opt)
	r.Log = s.log
	nc, err := connectFor(ctx, t, c, opt)
	if err != nil {
		r.Unreachable = true
		s.forced, s.result = Failed, "cannot connect: "+err.Error()
		s.grade(r)
		return r
	}
	defer s.head.Wait()
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	s.nc = nc
	s.start = time.Now()
	if c.HTTP2 != nil {
		playTogether(t, []*session{s}, []*Result{r})
	} else {
		s.openAsClient(t, r)
	}
	r.Duration = time.Since(s.start)
	return r
}

// connectFor opens a connection for a case.
func connectFor(ctx context.Context, t *Target, c *Case, opt *Options) (net.Conn, error) {
	timed, cancel := context.WithTimeout(ctx, opt.scale(2*openTimeout))
	defer cancel()
	o := *opt
	if c.HTTP2 != nil {
		o.TLS = withALPN(opt.TLS)
	}
	if opt.Restart != nil { // nothing else starts it again
		return t.Dial(timed, o.TLS)
	}
	return t.dialAgain(timed, &o)
}

// openAsClient opens the connection, plays the case and grades it.
func (s *session) openAsClient(t *Target, r *Result) {
	d := s.request(t)
	s.hideSecrets(d)
	r.Request = string(s.hide(d.Bytes()))
	s.writeHead(d)
	h, left, err := s.readHead()
	s.slow = time.Since(s.start) > s.opt.scale(openTimeout/2)
	if h != nil {
		r.alive = r.Started // it was alive after that; when it wrote this is not known
		r.Response = string(s.hide(h.Raw))
		if r.Agent == "" {
			if r.Agent = oneLine(h.Get("Server")); r.Agent == "" {
				r.Agent = "UnknownServer"
			}
		}
	}
	o := s.c.Opening
	if o != nil && o.Refuse && s.judgeRefusal(h, left, err) {
		s.gradeOpening(r)
		return
	}
	if o != nil && o.orRefuse != "" && !errTime(err) && (h == nil || !s.opened(h)) {
		s.forced, s.result = o.orRefuse, "the handshake was refused"
		s.gradeOpening(r)
		return
	}
	if err != nil {
		s.openingFailed(err)
		s.grade(r)
		return
	}
	wrong := s.checkResponse(h, d)
	if wrong == "" && o != nil && !o.Refuse && o.Verify != nil {
		wrong = o.Verify(h)
	}
	switch {
	case o != nil && o.Refuse && o.orComplete != "" && wrong == "":
		s.forced, s.result = o.orComplete, "the server completed the handshake"
		s.gradeOpening(r)
	case o != nil && o.Refuse:
		s.forced, s.result = Failed, "the server completed the handshake"
		s.gradeOpening(r)
	case wrong != "":
		s.note("the server's answer is wrong: %s", wrong)
		s.forced, s.result = Failed, "the server's answer is wrong: "+wrong
		s.end.Violation = wrong
		s.grade(r)
	default:
		s.play(left)
		s.settle()
		s.grade(r)
	}
}

// opened reports whether an answer opens the connection.
func (s *session) opened(h *wire.Head) bool {
	if s.conn != nil {
		return strings.HasPrefix(h.Start, "HTTP/2 2")
	}
	return strings.HasPrefix(h.Start, "HTTP/1.1 101")
}

func (s *session) openingFailed(err error) {
	s.forced, s.result = Failed, "the opening handshake failed: "+err.Error()
	if errTime(err) {
		s.ranOut("the time for the opening handshake")
	} else {
		s.end.Violation = err.Error()
	}
}

// gradeOpening grades a case that ends with the opening handshake.
func (s *session) gradeOpening(r *Result) {
	r.Behavior, r.Reason = s.forced, s.result
	r.BehaviorClose, r.ReasonClose = OK, "the connection was not opened"
	if s.forced == Failed {
		r.ReasonClose = "the connection should not have been opened"
	}
	r.Ending = s.end
	r.TimeAlone = s.forced == Failed && s.end.RanOut != ""
	r.late = r.TimeAlone || s.forced == Failed && s.slow
}
