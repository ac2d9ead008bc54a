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

// renew returns the user and the role of a token, which may have expired some time ago, and renames the
// user if the request asks for that. A renewal writes nothing and is not limited; a new name
// is written, and counts like a new guest.
func (g *Guests) renew(r *http.Request, asked request) (chat.User, string, *chat.Failure) {
	id, err := g.Tokens.AuthenticateLate(asked.token, RenewalGrace)
	switch {
	case errors.Is(err, chat.ErrTokenExpired):
		return chat.User{}, "", &chat.Failure{Code: 401, Reason: "token_expired", Message: "the token expired too long ago", Field: "token"}
	case err != nil:
		g.log().Info("chat/api: a token was refused", "remote", g.Address(r), "error", err)
		return chat.User{}, "", failToken
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	u, err := g.Users.User(ctx, id.UserID)
	switch {
	case errors.Is(err, chat.ErrNotFound):
		return chat.User{}, "", failToken
	case err != nil:
		g.log().Error("chat/api: a user could not be read", "error", err)
		return chat.User{}, "", failStore
	case !id.Issued.IsZero() && id.Issued.UnixMilli() < u.ValidFrom: // they have logged out everywhere since
		return chat.User{}, "", failToken
	}
	if asked.name == "" || asked.name == u.Name {
		return u, id.Role, nil
	}
	if failure := g.limit(r); failure != nil {
		return chat.User{}, "", failure
	}
	u.Name = asked.name
	if failure := g.put(r, u); failure != nil {
		return chat.User{}, "", failure
	}
	return u, id.Role, nil
}

var failToken = &chat.Failure{Code: 401, Reason: "token_refused", Message: "the token is not valid here", Field: "token"}
