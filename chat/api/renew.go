package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// RenewalGrace is how long after its expiry a token can still be exchanged for a new one: a
// guest who stays away for less than that remains the same user. Older tokens are worthless,
// so that one that leaks from an old backup does no harm.
const RenewalGrace = 30 * 24 * time.Hour

// started is when the program began: log lines that strangers cause are limited by a clock that is
// never set.
var started = time.Now()

// renew issues another token for the user of one, which may have expired some time ago, and renames
// the user if the request asks for that. A renewal writes nothing and is not limited; a new name
// is written, and counts like a new guest.
func (g *Guests) renew(r *http.Request, asked request) (answer guestAnswer, failure *chat.Failure) {
	id, err := g.Tokens.AuthenticateLate(asked.token, RenewalGrace)
	switch {
	case errors.Is(err, chat.ErrTokenExpired):
		return answer, &chat.Failure{Code: 401, Reason: "token_expired", Message: "the token expired too long ago", Field: "token"}
	case err != nil:
		if ok, omitted := g.lines.Take(time.Since(started)); ok {
			g.log().Info("chat/api: a token was refused", "remote", g.Address(r), "error", err, "omitted", omitted)
		}
		return answer, failToken
	}
	// The token is issued before the user is read: if the user logs out everywhere after that, the
	// token counts as issued before the logout.
	if answer, failure = g.issue(id.UserID, id.Role); failure != nil {
		return answer, failure
	}
	var u chat.User
	err = g.within(r, func(ctx context.Context) (err error) {
		u, err = g.Users.User(ctx, id.UserID)
		return err
	})
	switch {
	case errors.Is(err, chat.ErrNotFound):
		return answer, failToken
	case err != nil:
		g.log().Error("chat/api: a user could not be read", "error", err)
		return answer, failStore
	case !id.Issued.IsZero() && id.Issued.UnixMilli() < u.ValidFrom: // they have logged out everywhere since
		return answer, failToken
	}
	if answer.Name = u.Name; asked.name == "" || asked.name == u.Name {
		return answer, nil
	}
	answer.Name = asked.name
	return answer, g.rename(r, u.ID, asked.name)
}

// rename gives a user another name.
func (g *Guests) rename(r *http.Request, userID, name string) *chat.Failure {
	if failure := g.limit(r); failure != nil {
		return failure
	}
	err := g.within(r, func(ctx context.Context) error {
		_, err := g.Users.ChangeUser(ctx, userID, chat.UserChange{Name: name})
		return err
	})
	if errors.Is(err, chat.ErrNotFound) { // deleted since it was read
		return failToken
	}
	return g.stored(err, name)
}

var failToken = &chat.Failure{Code: 401, Reason: "token_refused", Message: "the token is not valid here", Field: "token"}
