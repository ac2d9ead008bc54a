package chat

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"strings"
	"time"
)

// opSessions lists the user's sessions: PROTOCOL.md, "sessions and logout".
var opSessions = definition{
	name: "sessions",
	run:  runSessions,
	pool: poolQueries,
}

// opLogout ends sessions of the user: PROTOCOL.md, "sessions and logout".
var opLogout = definition{
	name: "logout",
	read: func(op *Operation, f *fields) {
		op.session, op.all = f.str(fieldSession), f.boolean(fieldAll)
		if op.all && op.session != "" {
			f.refuse(&Failure{Code: 400, Reason: "bad_range", Message: "all cannot be combined with session_id", Field: "all"})
		}
	},
	run:             runLogout,
	pool:            poolQueries,
	needsConnection: true,
}

func newSessionID() string { return "s_" + strings.ToLower(rand.Text()[:16]) }

// newResumeKey returns a secret of more than 128 bits.
func newResumeKey() string { return rand.Text() }

func hashKey(key string) KeyHash { return sha256.Sum256([]byte(key)) }

// identify finds out who auth is from: it resumes the session that auth names, or prepares a
// new one for the user of its token.
func (h *Hub) identify(ctx context.Context, c *Connection, auth *authFields) (w *welcome, fail *Failure, why error) {
	w = &welcome{key: newResumeKey()}
	from := Origin{Device: auth.device}
	if addr := c.info.RemoteAddr; addr.IsValid() {
		from.Address = addr.Addr().String()
	}
	if auth.session != "" {
		s, err := h.engine.Sessions.Resume(ctx, auth.session, hashKey(auth.key), hashKey(w.key), from)
		switch {
		case err == nil && c.info.UserID != "" && c.info.UserID != s.UserID:
			h.engine.Sessions.Release(s.ID)
			return nil, failCertificate, errors.New("the session is of " + s.UserID + ", the certificate of " + c.info.UserID)
		case err == nil:
			w.session, w.resumed = s, true
			return w, nil, nil
		case !errors.Is(err, ErrSessionRefused):
			return nil, h.engineFailed(err), nil
		case auth.token == "":
			return nil, failSessionRefused, err
		}
	}
	id, fail, why := h.readToken(auth.token, c.info.UserID)
	if fail != nil {
		c.badToken(fail)
		return nil, fail, why
	}
	now := h.now()
	w.issued = milliseconds(id.Issued)
	w.session = Session{
		ID: newSessionID(), UserID: id.UserID, Key: hashKey(w.key), Features: auth.features.names(),
		Role: id.Role, From: from, Began: now, Seen: now, Expires: milliseconds(id.Expires),
	}
	return w, nil, nil
}

// readToken returns a token's identity. If a certificate names a user, the token must be
// theirs.
func (h *Hub) readToken(token, certified string) (Identity, *Failure, error) {
	id, err := h.cfg.Auth.Authenticate(token)
	switch {
	case errors.Is(err, ErrTokenExpired):
		return id, failTokenExpired, err
	case err != nil:
		return id, failTokenRefused, err
	case certified != "" && id.UserID != certified:
		return id, failCertificate, errors.New("the token is of " + id.UserID + ", the certificate of " + certified)
	}
	return id, nil, nil
}

// milliseconds returns a time in ms since 1970; 0 for the zero time.
func milliseconds(t time.Time) int64 {
	switch {
	case t.IsZero():
		return 0
	case t.After(latestExpiry):
		return latestExpiry.UnixMilli()
	}
	return t.UnixMilli()
}

func runSessions(ctx context.Context, h *Hub, a Actor, op *Operation) {
	sessions, err := h.engine.Sessions.List(ctx, a.User().ID)
	if err != nil {
		h.answer(a, op, nil, h.engineFailed(err))
		return
	}
	c, _ := a.(*Connection)
	dst := []byte(`{"type":"sessions","sessions":[`)
	for i, s := range sessions {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"session_id":`...)
		dst = appendString(dst, s.ID)
		dst = appendStringField(dst, "device", s.From.Device)
		dst = appendStringField(dst, "address", s.From.Address)
		dst = appendIntField(dst, "began", s.Began)
		dst = appendIntField(dst, "seen", s.Seen)
		dst = appendIntField(dst, "connections", int64(s.Open))
		dst = appendBoolField(dst, "current", c != nil && c.session == s.ID)
		dst = append(dst, '}')
	}
	h.answer(a, op, appendRefAndClose(append(dst, ']'), op.ref), nil)
}

func runLogout(ctx context.Context, h *Hub, a Actor, op *Operation) {
	c := a.(*Connection)
	id := op.session
	if id == "" && !op.all {
		id = c.session
	}
	if op.all {
		switch err := h.revokeTokens(ctx, c.person.id); {
		case errors.Is(err, ErrNotFound):
			h.answer(a, op, nil, failUserDeleted)
			return
		case err != nil:
			h.answer(a, op, nil, h.engineFailed(err))
			return
		}
	}
	c.mu.Lock()
	c.loggingOut = true
	c.mu.Unlock()
	n, err := h.engine.Sessions.End(ctx, c.person.id, id, LoggedOut)
	switch {
	case err != nil:
		h.answer(a, op, nil, h.engineFailed(err))
	case n == 0 && op.session != "":
		h.answer(a, op, nil, failUnknownSession)
	default:
		dst := []byte(`{"type":"ack","op":"logout"`)
		dst = appendIntField(dst, "sessions", int64(n))
		dst = appendIntField(dst, "server_ts", h.now())
		c.send(appendRefAndClose(dst, op.ref))
		c.mu.Lock()
		c.loggingOut = false
		if c.loggedOut || err == nil && (op.all || id == c.session) {
			c.endSession(LoggedOut)
		}
		c.mu.Unlock()
		h.finish(c)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loggingOut = false; c.loggedOut {
		c.endSession(LoggedOut)
	}
}

// revokeTokens makes the tokens invalid that a user has been issued until now.
func (h *Hub) revokeTokens(ctx context.Context, userID string) error {
	_, err := h.engine.Directory.ChangeUser(ctx, userID, UserChange{ValidFrom: h.now()})
	return err
}

// DeleteUser deletes a user, and ends their connections on all nodes within a second. What the
// user said stays.
func (h *Hub) DeleteUser(ctx context.Context, userID string) error {
	return h.engine.Directory.DeleteUser(ctx, userID)
}
