package chat

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// opAuth begins a connection: PROTOCOL.md, "auth".
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

// runAuth finds out whose token it is, and lets the connection in or ends it.
func runAuth(ctx context.Context, h *Hub, a Actor, op *Operation) {
	c := a.(*Connection)
	defer c.finished()
	for {
		renames := h.renames.Load()
		user, expires, fail, err := h.identify(ctx, op.auth.token, c.info.UserID)
		if fail != nil {
			h.cfg.Log.Info("chat: auth refused", "session", c.id, "remote", c.info.remote(), "reason", fail.Reason, "error", err)
			code := wsproto.ClosePolicyViolation
			if fail.Code == 503 {
				code = wsproto.CloseTryAgainLater
			}
			c.failAuth(fail, op.ref, code)
			return
		}
		if h.enter(ctx, c, user, expires, op, renames) {
			return
		}
	}
}

// identify finds a token's user, who must be the certified one, if there is one, and when
// the token expires. err says for the log what fail does not tell the client.
func (h *Hub) identify(ctx context.Context, token, certified string) (u User, expires time.Time, fail *Failure, err error) {
	id, err := h.cfg.Auth.Authenticate(token)
	switch {
	case errors.Is(err, ErrTokenExpired):
		return u, expires, failTokenExpired, err
	case err != nil:
		return u, expires, failTokenRefused, err
	case certified != "" && id.UserID != certified:
		return u, expires, failCertificate, errors.New("the token is of " + id.UserID + ", the certificate of " + certified)
	}
	u, err = h.engine.Directory.User(ctx, id.UserID)
	switch {
	case errors.Is(err, ErrNotFound):
		return u, expires, failTokenRefused, errors.New("the token is good, but there is no user " + id.UserID)
	case err != nil:
		return u, expires, failStore, err
	}
	reason, err := h.engine.Bans.Banned(ctx, id.UserID)
	switch {
	case err != nil:
		return u, expires, failStore, err
	case reason != "":
		return u, expires, failBanned, errors.New("banned: " + reason)
	}
	return u, id.Expires, nil, nil
}

// enter makes a connection that of a user, until expires (zero: without end), and answers
// its auth. Under the lock, so that nothing said to the user overtakes the answer. It
// reports false, and changes nothing, if Rename was called after renames was read: then u
// may be out of date.
func (h *Hub) enter(ctx context.Context, c *Connection, u User, expires time.Time, op *Operation, renames uint64) bool {
	h.mu.Lock()
	gone := c.gone
	h.mu.Unlock()
	if gone {
		return true // nobody is to appear for a moment
	}
	epoch, err := h.engine.Log.Epoch(ctx)
	if err != nil {
		c.failAuth(h.engineFailed(err), op.ref, wsproto.CloseTryAgainLater)
		return true
	}
	if err = h.appear(ctx, u); err != nil {
		h.disappear(ctx, u.ID)
		c.failAuth(h.engineFailed(err), op.ref, wsproto.CloseTryAgainLater)
		return true
	}
	answer := h.appendAuthOK(nil, c, u, epoch, expires, op)
	h.mu.Lock()
	late := h.renames.Load() != renames
	if late || c.gone {
		h.mu.Unlock()
		if late {
			h.refresh(ctx, u.ID) // other connections of the user may have appeared meanwhile
		}
		h.disappear(ctx, u.ID)
		return !late
	}
	p := h.people[u.ID]
	if p == nil {
		p = &person{id: u.ID}
		p.profile.Store(&u)
		h.people[u.ID] = p
	}
	p.connections = append(p.connections, c)
	c.person, c.features = p, op.auth.features
	c.socket.SendPrepared(text(answer))
	if !expires.IsZero() {
		h.expiries.add(c, expires)
	}
	h.mu.Unlock()
	h.cfg.Observer.ConnectionAuthenticated()
	h.note(&h.troubles.presence, h.engine.Sessions.Begin(ctx, SessionRecord{ID: c.id, UserID: u.ID, Address: c.info.remote(), Began: h.now()}))
	return true
}

// appear makes a user one who is connected, by one connection more. disappear undoes it,
// and must be called also if it fails.
func (h *Hub) appear(ctx context.Context, u User) error {
	return errors.Join(h.engine.Presence.Connect(ctx, u), h.node.Follow(ctx, u.ID))
}

func (h *Hub) disappear(ctx context.Context, userID string) {
	h.node.Unfollow(userID)
	h.note(&h.troubles.presence, h.engine.Presence.Disconnect(ctx, userID))
}

// refresh gives a user who is connected the name that the directory has.
func (h *Hub) refresh(ctx context.Context, userID string) {
	u, err := h.engine.Directory.User(ctx, userID)
	if err == nil {
		err = h.engine.Presence.Rename(ctx, u)
	}
	h.note(&h.troubles.presence, err)
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
	dst = appendIntField(dst, "ref_lifetime", int64(RefLifetime.Seconds()))
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
