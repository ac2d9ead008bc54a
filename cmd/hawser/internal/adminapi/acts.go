package adminapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/audit"
)

const (
	maxReason = 200                       // code points
	minBan    = time.Second               // of a ban with an end
	maxBan    = 10 * 365 * 24 * time.Hour // of a ban with an end
	maxShown  = 200                       // bytes of an invalid subject in the record
	pageSize  = 500                       // bans in an answer, if the request does not say how many
	maxPage   = 1000
)

// entry begins an entry about a subject, which may be anything.
func (r request) entry(what, subject, reason string) audit.Entry {
	if len(subject) > maxShown {
		subject = subject[:maxShown]
	}
	return audit.Entry{Who: r.who, From: address(r.from), What: what, Subject: strings.ToValidUTF8(subject, "\ufffd"), Reason: reason}
}

// do records an act and does it.
func (h *Handler) do(r request, e audit.Entry, act func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), actTimeout)
	defer cancel()
	err := audit.Do(ctx, h.cfg.Audit, e, act)
	if err != nil {
		h.cfg.Log.Warn("an act of an administrator was not done", "who", e.Who, "what", e.What, "subject", e.Subject, "error", err)
	}
	return err
}

// refused records that an act was refused, and returns why.
func (h *Handler) refused(r request, e audit.Entry, fail *chat.Failure) *chat.Failure {
	e.Result, e.Detail = audit.Refused, fail.Error()
	if err := h.cfg.Audit.Record(r.Context(), e); err != nil {
		h.cfg.Log.Error("an act that was refused could not be recorded in the audit log", "error", err)
	}
	return fail
}

// checkReason returns what is wrong with a reason, if anything is.
func checkReason(reason string) *chat.Failure {
	if utf8.ValidString(reason) && utf8.RuneCountInString(reason) <= maxReason &&
		!strings.ContainsFunc(reason, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return nil
	}
	return &chat.Failure{Code: 400, Reason: "bad_reason", Field: "reason", Message: fmt.Sprintf("a reason is one line of at most %d characters", maxReason)}
}

// parseSubject reads the subject of an act.
func parseSubject(s string) (chat.Ban, *chat.Failure) {
	b, err := chat.ParseBanSubject(s)
	if err != nil {
		return b, &chat.Failure{Code: 400, Reason: "bad_subject", Field: "subject", Message: err.Error()}
	}
	return b, nil
}

// ban answers POST /admin/bans.
func (h *Handler) ban(r request) (any, error) {
	var req BanRequest
	if fail := r.decode(&req); fail != nil {
		return nil, fail
	}
	b, fail := h.newBan(r, &req)
	if fail != nil {
		return nil, h.refused(r, r.entry("ban", req.Subject, req.Reason), fail)
	}
	e := r.entry("ban", b.Subject(), b.Reason)
	if b.Until > 0 {
		e.Until = time.UnixMilli(b.Until)
	}
	if err := h.do(r, e, func(ctx context.Context) error { return h.cfg.Hub.Ban(ctx, b) }); err != nil {
		return nil, err
	}
	return BanAnswer{Subject: b.Subject(), Ban: b, Warnings: h.warnings(r, b)}, nil
}

// warnings are about a ban that may not be what was meant.
func (h *Handler) warnings(r request, b chat.Ban) (warnings []string) {
	if b.Network.IsValid() && r.from.IsValid() && b.Network.Contains(r.from.WithZone("")) {
		warnings = append(warnings, fmt.Sprintf("%s contains %s, which is your own address", b.Network, r.from))
	}
	if b.UserID != "" {
		if fail := h.known(r, b.UserID); fail != nil && fail.Code == 404 {
			warnings = append(warnings, fail.Message)
		}
	}
	return warnings
}

// newBan is the requested ban.
func (h *Handler) newBan(r request, req *BanRequest) (b chat.Ban, fail *chat.Failure) {
	if b, fail = parseSubject(req.Subject); fail != nil {
		return b, fail
	}
	if b.Reason = strings.TrimSpace(req.Reason); b.Reason == "" {
		return b, &chat.Failure{Code: 400, Reason: "bad_reason", Field: "reason", Message: "a ban needs a reason"}
	}
	if fail = checkReason(b.Reason); fail != nil {
		return b, fail
	}
	b.By, b.Since = r.who, h.cfg.Now()
	if req.ForMS != 0 {
		if req.ForMS < minBan.Milliseconds() || req.ForMS > maxBan.Milliseconds() {
			return b, &chat.Failure{Code: 400, Reason: "bad_time", Field: "for_ms", Message: "a ban with an end lasts from one second to ten years"}
		}
		b.Until = b.Since + req.ForMS
	}
	if b.Network.IsValid() {
		if err := h.cfg.Protected.Check(b.Network); err != nil {
			return b, &chat.Failure{Code: 403, Reason: "protected", Field: "subject", Message: err.Error()}
		}
	}
	return b, nil
}

// unban answers DELETE /admin/bans.
func (h *Handler) unban(r request) (any, error) {
	q := r.URL.Query()
	subject, reason := q.Get("subject"), strings.TrimSpace(q.Get("reason"))
	b, fail := parseSubject(subject)
	if fail == nil {
		fail = checkReason(reason)
	}
	if fail != nil {
		return nil, h.refused(r, r.entry("unban", subject, ""), fail)
	}
	subject = b.Subject()
	err := h.do(r, r.entry("unban", subject, reason), func(ctx context.Context) error {
		was, err := h.cfg.Hub.Unban(ctx, subject)
		if err == nil && !was {
			return h.notBanned(b)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return UnbanAnswer{Subject: subject}, nil
}

// notBanned says that a subject is not banned; a network that contains it may be.
func (h *Handler) notBanned(b chat.Ban) *chat.Failure {
	fail := &chat.Failure{Code: 404, Reason: "not_banned", Field: "subject", Message: b.Subject() + " is not banned"}
	if b.Network.IsValid() {
		if wider, banned := h.cfg.Bans.OfAddress(b.Network.Addr()); banned && wider.Network.Bits() < b.Network.Bits() {
			fail.Message += " itself, but " + wider.Subject() + " is"
		}
	}
	return fail
}

// bans answers GET /admin/bans.
func (h *Handler) bans(r request) (any, error) {
	q := r.URL.Query()
	limit := pageSize
	if s := q.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, &chat.Failure{Code: 400, Reason: "bad_limit", Field: "limit", Message: "limit is not a number from 1 on"}
		}
		limit = min(n, maxPage)
	}
	bans, more := h.cfg.Bans.List(q.Get("after"), limit)
	answer := BansAnswer{Bans: bans}
	if more && len(bans) > 0 {
		answer.Next = bans[len(bans)-1].Subject()
	}
	return answer, nil
}

// kick answers POST /admin/kick.
func (h *Handler) kick(r request) (any, error) {
	var req KickRequest
	if fail := r.decode(&req); fail != nil {
		return nil, fail
	}
	req.Reason = strings.TrimSpace(req.Reason)
	fail := checkReason(req.Reason)
	if fail != nil {
		return nil, h.refused(r, r.entry("kick", req.User, ""), fail)
	}
	e := r.entry("kick", req.User, req.Reason)
	if fail = h.known(r, req.User); fail != nil {
		return nil, h.refused(r, e, fail)
	}
	answer := KickAnswer{User: req.User}
	err := h.do(r, e, func(ctx context.Context) (err error) {
		answer.Sessions, err = h.cfg.Sessions.End(ctx, req.User, "", chat.LoggedOut)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// known returns an error if a user does not exist and so cannot be kicked.
func (h *Handler) known(r request, id string) *chat.Failure {
	if !chat.ValidUserID(id) {
		return &chat.Failure{Code: 400, Reason: "bad_subject", Field: "user", Message: fmt.Sprintf("%q is not a user id, which begins with u_", id)}
	}
	ctx, cancel := context.WithTimeout(r.Context(), actTimeout)
	defer cancel()
	switch _, err := h.cfg.Users.User(ctx, id); {
	case errors.Is(err, chat.ErrNotFound):
		return &chat.Failure{Code: 404, Reason: "unknown_user", Field: "user", Message: "there is no user " + id}
	case err != nil:
		return failure(err)
	}
	return nil
}

// limits answers GET /admin/limits.
func (h *Handler) limits(request) (any, error) {
	limits, err := h.cfg.Limits()
	return LimitsAnswer{limits}, err
}
