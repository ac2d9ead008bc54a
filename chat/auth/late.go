package auth

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hawser-ws/hawser/chat"
)

// firstIssued is before any token was made by a clock that was right.
var firstIssued = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// AuthenticateLate reads a token as Authenticate does, and also takes one that expired
// at most grace ago: to exchange it for a new one, and for nothing else. So it does
// with one that was made while the clock had not been set yet, whenever it expired. The
// error is chat.ErrTokenExpired for an older one. Identity.Expires is when it expired.
func (t *Tokens) AuthenticateLate(token string, grace time.Duration) (chat.Identity, error) {
	id, err := t.Authenticate(token)
	if !errors.Is(err, chat.ErrTokenExpired) {
		return id, err
	}
	// Its age is all that is wrong with it.
	var claims jwt.RegisteredClaims
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithoutClaimsValidation())
	if _, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return t.key, nil }); err != nil {
		return chat.Identity{}, errors.New("chat/auth: " + reason(err))
	}
	unset := claims.IssuedAt != nil && claims.IssuedAt.Before(firstIssued)
	if !unset && t.now().Sub(claims.ExpiresAt.Time) > grace {
		return chat.Identity{}, chat.ErrTokenExpired
	}
	if !chat.ValidUserID(claims.Subject) {
		return chat.Identity{}, errors.New("chat/auth: the token's subject is not a user id")
	}
	return chat.Identity{UserID: claims.Subject, Expires: claims.ExpiresAt.Time}, nil
}
