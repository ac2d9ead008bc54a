package chat

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// run does, on a worker, what does not go through the committer, and answers it.
func (s *Session) run(req *request) {
	var answer []byte
	var fail *Failure
	switch req.op {
	case opAuth:
		s.authenticate(req)
		return
	case opPresence:
		fail = s.hub.presence(s, req)
	case opHistory:
		answer, fail = s.hub.history(s, req)
	case opRooms:
		answer, fail = s.hub.listRooms(req)
	case opPeers:
		answer, fail = s.hub.listPeers(s, req)
	}
	switch {
	case fail != nil:
		s.reject(fail, req.ref)
	case answer != nil:
		s.answer(answer)
	}
}

// authenticate finds out whose token it is, and enters or ends the session.
func (s *Session) authenticate(req *request) {
	h := s.hub
	renames := h.renames.Load()
	user, expires, fail, err := h.identify(req.auth.token, s.info.UserID)
	if fail != nil {
		h.cfg.Log.Info("chat: auth refused", "session", s.id, "remote", s.info.remote(), "reason", fail.Reason, "error", err)
		code := wsproto.ClosePolicyViolation
		if fail.Code == 503 {
			code = wsproto.CloseTryAgainLater
		}
		s.failAuth(fail, req.ref, code)
		return
	}
	if !h.enter(s, user, req.auth.features, expires, h.appendAuthOK(nil, s, user, expires, req), renames) {
		s.authenticate(req)
	}
}

// identify finds a token's user, who must be the certified one, if there is one, and when
// the token expires. err says for the log what fail does not tell the client.
func (h *Hub) identify(token, certified string) (u User, expires time.Time, fail *Failure, err error) {
	id, err := h.cfg.Auth.Authenticate(token)
	switch {
	case errors.Is(err, ErrTokenExpired):
		return u, expires, failTokenExpired, err
	case err != nil:
		return u, expires, failTokenRefused, err
	case certified != "" && id.UserID != certified:
		return u, expires, failCertificate, errors.New("the token is of " + id.UserID + ", the certificate of " + certified)
	}
	u, err = h.cfg.Store.User(id.UserID)
	switch {
	case errors.Is(err, ErrNotFound):
		return u, expires, failTokenRefused, errors.New("the token is good, but there is no user " + id.UserID)
	case err != nil:
		return u, expires, failStore, err
	}
	return u, id.Expires, nil, nil
}

func (h *Hub) appendAuthOK(dst []byte, s *Session, u User, expires time.Time, req *request) []byte {
	dst = append(dst, `{"type":"auth_ok"`...)
	dst = appendStringField(dst, "session_id", s.id)
	dst = appendStringField(dst, "user_id", u.ID)
	dst = appendStringField(dst, "name", u.Name)
	dst = append(dst, `,"features":[`...)
	comma := false
	for _, f := range featureNames {
		if req.auth.features&f.bit != 0 {
			if comma {
				dst = append(dst, ',')
			}
			dst = appendString(dst, f.name)
			comma = true
		}
	}
	dst = append(dst, ']')
	dst = appendStringField(dst, "epoch", h.epoch)
	dst = appendIntField(dst, "server_ts", h.now())
	if !expires.IsZero() {
		dst = appendIntField(dst, "token_expires", expires.Unix())
	}
	dst = appendIntField(dst, "heartbeat_interval", int64(h.cfg.HeartbeatInterval.Seconds()))
	limits := &h.cfg.Limits
	dst = append(dst, `,"limits":{"message_bytes":`...)
	dst = strconv.AppendInt(dst, int64(limits.MessageBytes), 10)
	dst = appendIntField(dst, "content_code_points", MaxContent)
	dst = appendIntField(dst, "metadata_bytes", MaxMetadata)
	dst = appendIntField(dst, "ref_bytes", MaxRef)
	dst = appendIntField(dst, "messages_per_second", int64(limits.MessagesPerSecond))
	dst = appendIntField(dst, "burst", int64(limits.Burst))
	dst = appendIntField(dst, "rooms", int64(limits.Rooms))
	dst = appendIntField(dst, "history", MaxHistory)
	dst = append(dst, '}')
	return appendRefAndClose(dst, req.ref)
}

// findConversation is the conversation that a session means by a receiver_id.
func (h *Hub) findConversation(s *Session, receiver string) (Conversation, *Failure) {
	if strings.HasPrefix(receiver, userPrefix) {
		if fail := h.findUser(receiver); fail != nil {
			return "", fail
		}
		return PrivateConversation(s.user.ID, receiver), nil
	}
	c := RoomConversation(receiver)
	h.mu.Lock()
	known := h.rooms[receiver] != nil
	h.mu.Unlock()
	if !known {
		switch _, err := h.cfg.Store.Last(c); {
		case errors.Is(err, ErrNotFound):
			return "", failUnknownRoom
		case err != nil:
			return "", failStore
		}
	}
	return c, nil
}

// presence answers itself, under the lock, so that no event about the same room
// comes in between.
func (h *Hub) presence(s *Session, req *request) *Failure {
	if _, fail := h.findConversation(s, req.receiver); fail != nil {
		return fail
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	var users []User
	if o := h.online[req.receiver]; o != nil {
		users = append(users, *o.profile.Load())
	}
	if r := h.rooms[req.receiver]; r != nil {
		for _, id := range slices.Sorted(maps.Keys(r.users)) {
			users = append(users, *r.users[id].user.profile.Load())
		}
	}
	more := len(users) > maxPresence
	dst := []byte(`{"type":"presence"`)
	dst = appendStringField(dst, "receiver_id", req.receiver)
	dst = append(dst, `,"users":[`...)
	for i, u := range users[:min(len(users), maxPresence)] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"user_id":`...)
		dst = appendString(dst, u.ID)
		dst = appendStringField(dst, "name", u.Name)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	dst = appendBoolField(dst, "has_more", more)
	s.answer(appendRefAndClose(dst, req.ref))
	return nil
}

func (h *Hub) listPeers(s *Session, req *request) ([]byte, *Failure) {
	peers, more, err := h.cfg.Store.Peers(s.user.ID, req.after, listLimit(req))
	if err != nil {
		return nil, h.readFailed(err)
	}
	dst := []byte(`{"type":"peers","peers":[`)
	for i, p := range peers {
		if i > 0 {
			dst = append(dst, ',')
		}
		u, err := h.cfg.Store.User(p.UserID)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, h.readFailed(err)
		}
		h.mu.Lock()
		online := h.online[p.UserID] != nil
		h.mu.Unlock()
		dst = append(dst, `{"user_id":`...)
		dst = appendString(dst, p.UserID)
		dst = appendStringField(dst, "name", u.Name)
		dst = appendTail(dst, p.Tail)
		dst = appendBoolField(dst, "online", online)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	dst = appendBoolField(dst, "has_more", more)
	return appendRefAndClose(dst, req.ref), nil
}

func appendTail(dst []byte, t Tail) []byte {
	dst = appendIntField(dst, "seq", int64(t.Seq))
	return appendIntField(dst, "server_ts", t.ServerTS)
}

func listLimit(req *request) int {
	if req.limit == 0 {
		return defaultList
	}
	return min(req.limit, maxList)
}

// readFailed is the answer where the store cannot be read, which is worth a line
// in the log each time: no client can bring it about.
func (h *Hub) readFailed(err error) *Failure {
	h.cfg.Log.Error("chat: the store cannot be read", "error", err)
	return failStore
}
