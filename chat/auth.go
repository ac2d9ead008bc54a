package chat

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// opAuth authenticates a connection: PROTOCOL.md, "auth".
var opAuth = definition{
	name:            "auth",
	required:        []field{fieldToken},
	read:            readAuth,
	check:           checkAuth,
	run:             runAuth,
	pool:            poolLogins,
	opens:           true,
	needsConnection: true,
}

type authFields struct {
	token    string
	features feature
}

func readAuth(op *Operation, f *fields) {
	op.auth = &authFields{token: f.str(fieldToken), features: f.features(fieldFeatures)}
}

func checkAuth(op *Operation, _ *Limits) *Failure {
	if len(op.auth.token) > MaxToken {
		return failTokenRefused
	}
	return nil
}

// runAuth verifies the token, and admits the connection or ends it.
func runAuth(ctx context.Context, h *Hub, a Actor, op *Operation) {
	c := a.(*Connection)
	defer c.finished()
	fail, why := h.logIn(ctx, c, op)
	if fail == nil {
		return
	}
	if fail.Code == 503 {
		c.failAuth(fail, op.ref, wsproto.CloseTryAgainLater)
		return
	}
	h.cfg.Log.Info("chat: auth refused", "session", c.id, "remote", c.info.remote(), "reason", fail.Reason, "error", why)
	c.failAuth(fail, op.ref, wsproto.ClosePolicyViolation)
}

// logIn makes a connection that of the user of its token. why is for the log, and says more
// than fail tells the client.
func (h *Hub) logIn(ctx context.Context, c *Connection, op *Operation) (fail *Failure, why error) {
	id, fail, why := h.identify(op.auth.token, c.info.UserID)
	if fail != nil {
		return fail, why
	}
	switch reason, err := h.engine.Bans.Banned(ctx, id.UserID); {
	case err != nil:
		return h.engineFailed(err), nil
	case reason != "":
		return failBanned, errors.New("banned: " + reason)
	}
	epoch, err := h.engine.Log.Epoch(ctx)
	if err != nil {
		return h.engineFailed(err), nil
	}
	if c.ended() {
		return nil, nil // nobody must appear for a moment
	}
	p, renamed := h.expect(id.UserID)
	u, err := h.node.Connect(ctx, id.UserID)
	if err == nil && h.enter(c, p, u, renamed, epoch, id.Expires, op) {
		h.cfg.Observer.ConnectionAuthenticated()
		if err := h.engine.Sessions.Begin(ctx, Session{ID: c.id, UserID: u.ID, From: Origin{Address: c.info.remote()}, Began: h.now()}); err != nil {
			h.engineFailed(err)
		}
		return nil, nil
	}
	h.node.Disconnect(id.UserID)
	h.mu.Lock()
	p.expected--
	h.forget(p)
	h.mu.Unlock()
	switch {
	case err == nil: // the connection has ended in the meantime
		return nil, nil
	case errors.Is(err, ErrNotFound):
		return failTokenRefused, errors.New("the token is good, but there is no user " + id.UserID)
	default:
		return h.engineFailed(err), nil
	}
}

// identify returns a token's identity. If a certificate names a user, the token must be
// theirs.
func (h *Hub) identify(token, certified string) (Identity, *Failure, error) {
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

// enter makes a connection that of a user, until expires (zero: for ever), and answers its
// auth. It does so under the lock, so that nothing sent to the user overtakes the answer. If
// the engine has told a new name since renamed was counted, that name is newer than u's. enter
// returns false if the connection has ended.
func (h *Hub) enter(c *Connection, p *person, u User, renamed int, epoch string, expires time.Time, op *Operation) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c.gone {
		return false
	}
	if p.renamed == renamed {
		p.profile.Store(&u)
	}
	p.expected--
	p.connections = append(p.connections, c)
	c.person, c.features = p, op.auth.features
	c.socket.SendPrepared(text(h.appendAuthOK(nil, c, c.User(), epoch, expires, op)))
	if !expires.IsZero() {
		h.expiries.add(c, expires)
	}
	return true
}

func (h *Hub) appendAuthOK(dst []byte, c *Connection, u User, epoch string, expires time.Time, op *Operation) []byte {
	dst = append(dst, `{"type":"auth_ok"`...)
	dst = appendStringField(dst, "session_id", c.id)
	dst = appendStringField(dst, "user_id", u.ID)
	dst = appendStringField(dst, "name", u.Name)
	dst = append(dst, `,"features":[`...)
	comma := false
	for _, f := range featureNames {
		if op.auth.features&f.bit != 0 {
			if comma {
				dst = append(dst, ',')
			}
			dst = appendString(dst, f.name)
			comma = true
		}
	}
	dst = append(dst, ']')
	dst = appendStringField(dst, "epoch", epoch)
	dst = appendIntField(dst, "server_ts", h.now())
	if !expires.IsZero() {
		dst = appendIntField(dst, "token_expires", expires.Unix())
	}
	dst = appendIntField(dst, "heartbeat_interval", int64(h.cfg.HeartbeatInterval.Seconds()))
	dst = appendIntField(dst, "ref_lifetime", int64(cmp.Or(h.engine.RefLifetime, RefLifetime).Seconds()))
	limits := &h.cfg.Limits
	dst = append(dst, `,"limits":{"message_bytes":`...)
	dst = strconv.AppendInt(dst, int64(limits.MessageBytes), 10)
	dst = appendIntField(dst, "content_code_points", int64(limits.Content))
	dst = appendIntField(dst, "metadata_bytes", int64(limits.Metadata))
	dst = appendIntField(dst, "ref_bytes", MaxRef)
	dst = appendIntField(dst, "messages_per_second", int64(limits.MessagesPerSecond))
	dst = appendIntField(dst, "burst", int64(limits.Burst))
	dst = appendIntField(dst, "rooms", int64(limits.Rooms))
	dst = appendIntField(dst, "history", int64(h.cfg.Pages.History))
	dst = append(dst, '}')
	return appendRefAndClose(dst, op.ref)
}
