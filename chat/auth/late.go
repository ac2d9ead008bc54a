package auth

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hawser-ws/hawser/chat"
)

// firstIssued is earlier than any token that was issued by a correct clock.
var firstIssued = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// AuthenticateLate reads a token like Authenticate, but also accepts one that expired at most
// grace ago. Such a token must only be exchanged for a new one. It also accepts a token that
// was issued before the clock had been set, whenever that expired. For an older token the
// error is chat.ErrTokenExpired. Identity.Expires is when the token expired.
func (t *Tokens) AuthenticateLate(token string, grace time.Duration) (chat.Identity, error) {
	id, err := t.Authenticate(token)
	if !errors.Is(err, chat.ErrTokenExpired) {
		return id, err
	}
	// Only its age is wrong.
	var claims tokenClaims
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}), jwt.WithoutClaimsValidation())
	if _, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return t.key, nil }); err != nil {
		return chat.Identity{}, errors.New("chat/auth: " + reason(err))
	}
	unset := claims.IssuedAt != nil && claims.IssuedAt.Before(firstIssued)
	if !unset && t.now().Sub(claims.ExpiresAt.Time) > grace {
		return chat.Identity{}, chat.ErrTokenExpired
	}
	return claims.identity()
}
