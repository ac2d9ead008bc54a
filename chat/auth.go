package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/server/rate"
	"github.com/hawser-ws/hawser/wsproto"
)

// opAuth authenticates a connection: PROTOCOL.md, "auth".
var opAuth = definition{
	name:            "auth",
	read:            readAuth,
	check:           checkAuth,
	run:             runAuth,
	pool:            poolLogins,
	opens:           true,
	needsConnection: true,
}

type authFields struct {
	token        string
	session, key string // of the session to be resumed
	features     feature
	chosen       bool // features were given
	device       string
	resume       *resumeFields // nil: the client holds nothing
}

func readAuth(op *Operation, f *fields) {
	op.auth = &authFields{
		token: f.str(fieldToken), session: f.str(fieldSession), key: f.str(fieldKey),
		features: f.features(fieldFeatures), chosen: f.raw[fieldFeatures] != nil,
		device: f.str(fieldDevice), resume: f.resume(),
	}
	switch a := op.auth; {
	case a.session == "" && a.key != "":
		f.missing(fieldSession)
	case a.session != "" && a.key == "":
		f.missing(fieldKey)
	case a.session == "" && a.token == "" && f.raw[fieldToken] == nil:
		f.missing(fieldToken)
	}
	if n := utf8.RuneCountInString(op.auth.device); n > maxDevice {
		f.refuse(&Failure{Code: 400, Reason: "device_too_long", Field: "device",
			Message: fmt.Sprintf("device has %d code points; %d are allowed", n, maxDevice)})
	}
}

func checkAuth(op *Operation, _ *Limits) *Failure {
	if len(op.auth.token) > MaxToken {
		return failTokenRefused
	}
	return nil
}

// runAuth verifies the token, or the key of a session, and admits the connection or ends it.
// An admitted connection is subscribed to the rooms of its user, and catches up with what the
// client has missed, before its next operation begins.
func runAuth(ctx context.Context, h *Hub, a Actor, op *Operation) {
	c := a.(*Connection)
	catching, fail, why := h.logIn(ctx, c, op)
	switch {
	case fail == nil && catching != nil:
		catching.begin(ctx)
		return
	case fail == nil: // the connection has ended in the meantime
	case fail.Code == 503 || fail.Code == 429:
		c.failAuth(fail, op.ref, wsproto.CloseTryAgainLater)
	default:
		h.logLimited(&h.lines.refused, "chat: auth refused", "remote", c.info.remote(), "reason", fail.Reason, "error", why)
		c.refusedLogin()
		c.failAuth(fail, op.ref, wsproto.ClosePolicyViolation)
	}
	c.finished()
}

// logLimited logs what a client has caused, unless clients have caused many such lines lately.
func (h *Hub) logLimited(l *rate.Lines, text string, attrs ...any) {
	ok, omitted := l.Take(h.cfg.Clock.Monotonic())
	if !ok {
		return
	}
	if omitted > 0 {
		attrs = append(attrs, "omitted", omitted)
	}
	h.cfg.Log.Info(text, attrs...)
}

// logIn makes a connection that of a user. why is for the log, and says more than fail tells
// the client. Without a failure, catching is nil if the connection has ended.
func (h *Hub) logIn(ctx context.Context, c *Connection, op *Operation) (catching *catchUp, fail *Failure, why error) {
	w, fail, why := h.identify(ctx, c, op.auth)
	if fail != nil {
		return nil, fail, why
	}
	open := w.resumed                                              // a session that this connection counts in
	if fail, why = h.mayEnter(ctx, w); fail == nil && !c.ended() { // nobody must appear for a moment
		p, renamed := h.expect(w.session.UserID)
		u, err := h.node.Connect(ctx, w.session.UserID)
		if fail, why = h.welcome(ctx, u, err, w); fail == nil {
			catching = newCatchUp(h, c, op, w)
			var entered bool
			if entered, fail = h.enter(c, p, u, renamed, op, w); entered {
				c.known()
				for _, why := range w.doubts {
					c.mayHaveEnded(why)
				}
				h.cfg.Observer.ConnectionAuthenticated()
				return catching, nil, nil
			}
			catching.abandon()
			catching = nil
		}
		open = open || w.begun
		h.node.Disconnect(w.session.UserID)
		h.mu.Lock()
		h.unexpect(p)
		h.forget(p)
		h.mu.Unlock()
	}
	if open {
		h.engine.Sessions.Release(w.session.ID)
	}
	if w.begun { // nobody has its key
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.cfg.OperationTimeout)
		defer cancel()
		if _, err := h.engine.Sessions.End(ctx, w.session.UserID, w.session.ID, LoggedOut); err != nil {
			h.engineFailed(err)
		}
	}
	return nil, fail, why
}

// mayEnter checks a user before anybody hears of them, and reads what auth_ok tells.
func (h *Hub) mayEnter(ctx context.Context, w *welcome) (fail *Failure, why error) {
	if fail, why = h.notBanned(w); fail != nil {
		return fail, why
	}
	h.mu.Lock()
	full := h.crowded(h.people[w.session.UserID], w.session.Role)
	h.mu.Unlock()
	if full {
		return failConnections, nil
	}
	var err error
	if w.epoch, err = h.engine.Log.Epoch(ctx); err != nil {
		return h.engineFailed(err), nil
	}
	return nil, nil
}

func (h *Hub) notBanned(w *welcome) (fail *Failure, why error) {
	if b, banned := h.engine.Bans.OfUser(w.session.UserID); banned {
		return h.banFailure(&b), errors.New("banned: " + b.Reason)
	}
	return nil, nil
}

// welcome begins the session of a user whom the engine has connected, unless err says that it
// has not. From Connect on, the engine tells this node of bans and endings: what happened
// before that is looked at here.
func (h *Hub) welcome(ctx context.Context, u User, err error, w *welcome) (fail *Failure, why error) {
	switch {
	case errors.Is(err, ErrNotFound):
		return failTokenRefused, errors.New("the token is good, but there is no user " + w.session.UserID)
	case err != nil:
		return h.engineFailed(err), nil
	case w.resumed:
		return h.stillAlive(ctx, w)
	case w.issued < u.ValidFrom:
		return failTokenRefused, errTokenRevoked
	}
	w.begun = true // perhaps, if there is an error
	if err := h.engine.Sessions.Begin(ctx, w.session); err != nil {
		return h.engineFailed(err), nil
	}
	if fail, why = h.notBanned(w); fail != nil {
		return fail, why
	}
	// Who logs out everywhere makes the tokens invalid first, and then ends the sessions: so
	// either that has ended this one, or it is seen here.
	switch u, err = h.engine.Directory.User(ctx, w.session.UserID); {
	case errors.Is(err, ErrNotFound):
		return failUserDeleted, err
	case err != nil:
		return h.engineFailed(err), nil
	case w.issued < u.ValidFrom:
		return failTokenRefused, errTokenRevoked
	}
	return nil, nil
}

var errTokenRevoked = errors.New("the token was issued before its user logged out everywhere")

// stillAlive checks that a resumed session was not ended meanwhile, as a ban does, too.
func (h *Hub) stillAlive(ctx context.Context, w *welcome) (*Failure, error) {
	sessions, err := h.engine.Sessions.List(ctx, w.session.UserID)
	if err != nil {
		return h.engineFailed(err), nil
	}
	if !slices.ContainsFunc(sessions, func(s Session) bool { return s.ID == w.session.ID }) {
		return failSessionEnded, errors.New("the session was ended when it was just being resumed")
	}
	return nil, nil
}

// expect registers that a user may be about to have a connection here, so that a new name is
// not missed. renamed is how many new names the engine has told so far.
func (h *Hub) expect(userID string) (p *person, renamed int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if p = h.people[userID]; p == nil {
		p = &person{id: userID}
		h.people[userID] = p
	}
	p.expected++
	return p, p.renamed
}

// welcome is what auth_ok tells, beside the user.
type welcome struct {
	session Session
	key     string // with which the session is resumed next
	resumed bool   // the session; otherwise it is a new one
	begun   bool   // it was, or may have been
	issued  int64  // when its token was, in ms since 1970; 0: not known
	epoch   string

	doubts []Ending // why all sessions of the user have ended, perhaps before this one began
}

// enter makes a connection that of a user, and answers its auth. It does so under the lock, so
// that nothing sent to the user overtakes the answer. If the engine has told a new name since
// renamed was counted, that name is newer than u's. entered is false if the connection has
// ended or, with a failure, if the session has.
func (h *Hub) enter(c *Connection, p *person, u User, renamed int, op *Operation, w *welcome) (entered bool, fail *Failure) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.gone {
		return false, nil
	}
	for _, e := range p.endings {
		switch {
		case e.session == "" && h.doubtful(p.id, e.why):
			w.doubts = append(w.doubts, e.why)
		case e.session == "" || e.session == w.session.ID:
			return false, h.endingFailure(p.id, e.why)
		}
	}
	if h.crowded(p, w.session.Role) {
		return false, failConnections
	}
	if p.renamed == renamed {
		p.profile.Store(&u)
	}
	h.unexpect(p)
	p.connections = append(p.connections, c)
	c.person, c.session, c.role, c.features = p, w.session.ID, w.session.Role, op.auth.features
	if w.resumed && !op.auth.chosen {
		c.features = featuresNamed(w.session.Features)
	}
	h.scratch = h.appendAuthOK(h.scratch[:0], c, c.User(), op, w)
	c.socket.SendPrepared(text(h.scratch)) // a copy
	if w.session.Expires > 0 {
		h.expiries.add(c, w.session.Expires)
	}
	return true, nil
}

// crowded reports whether a user has as many connections here as somebody with this role may
// have. Called with mu held.
func (h *Hub) crowded(p *person, role string) bool {
	limit := h.forRole(h.cfg.Limits.UserConnections, role)
	return p != nil && limit > 0 && len(p.connections) >= limit
}

// forRole returns what a limit of an ordinary user is for somebody with a role.
func (h *Hub) forRole(limit int, role string) int {
	each := share(h.cfg.Limits.Roles, role)
	if each == 0 {
		return 0
	}
	return int(float64(limit) / each)
}

// unexpect undoes expect. Called with mu held.
func (h *Hub) unexpect(p *person) {
	if p.expected--; p.expected == 0 {
		p.endings = nil
	}
}

func (h *Hub) appendAuthOK(dst []byte, c *Connection, u User, op *Operation, w *welcome) []byte {
	dst = append(dst, `{"type":"auth_ok"`...)
	dst = appendStringField(dst, "session_id", c.session)
	dst = appendStringField(dst, "resume_key", w.key)
	dst = appendIntField(dst, "session_lifetime", int64(h.engine.Sessions.Life().Seconds()))
	dst = appendBoolField(dst, "resumed", w.resumed)
	dst = appendStringField(dst, "user_id", u.ID)
	dst = appendStringField(dst, "name", u.Name)
	dst = append(dst, `,"features":[`...)
	for i, name := range c.features.names() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, name)
	}
	dst = append(dst, ']')
	dst = appendStringField(dst, "epoch", w.epoch)
	dst = appendIntField(dst, "server_ts", h.now())
	if w.session.Expires > 0 {
		dst = appendIntField(dst, "token_expires", w.session.Expires/1000)
	}
	dst = appendIntField(dst, "heartbeat_interval", int64(h.cfg.HeartbeatInterval.Seconds()))
	dst = appendIntField(dst, "ref_lifetime", int64(cmp.Or(h.engine.RefLifetime, RefLifetime).Seconds()))
	limits := &h.cfg.Limits
	dst = append(dst, `,"limits":{"message_bytes":`...)
	dst = strconv.AppendInt(dst, int64(limits.MessageBytes), 10)
	dst = appendIntField(dst, "content_code_points", int64(limits.Content))
	dst = appendIntField(dst, "metadata_bytes", int64(limits.Metadata))
	dst = appendIntField(dst, "ref_bytes", MaxRef)
	dst = appendIntField(dst, "messages_per_second", int64(h.forRole(limits.MessagesPerSecond, c.role)))
	dst = appendIntField(dst, "burst", int64(h.forRole(limits.Burst, c.role)))
	dst = appendIntField(dst, "rooms", int64(limits.Rooms))
	dst = appendIntField(dst, "history", int64(h.cfg.Pages.History))
	dst = append(dst, '}')
	return appendRefAndClose(dst, op.ref)
}
