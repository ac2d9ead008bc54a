package auth

import (
	"errors"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hawser-ws/hawser/chat"
)

// AuthenticateLate reads a token as Authenticate does, and also takes one that expired
// at most grace ago: for whoever exchanges it for a new one, and for nothing else. The
// error is chat.ErrTokenExpired for an older one.
func (t *Tokens) AuthenticateLate(token string, grace time.Duration) (chat.Identity, error) {
	id, err := t.Authenticate(token)
	if !errors.Is(err, chat.ErrTokenExpired) {
		return id, err
	}
	// Its age is all that is wrong with it. Judge that by a clock that is late.
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(leeway),
		jwt.WithTimeFunc(func() time.Time { return t.now().Add(-grace) }),
	)
	var claims jwt.RegisteredClaims
	if _, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return t.key, nil }); err != nil {
		return chat.Identity{}, chat.ErrTokenExpired
	}
	if !chat.ValidUserID(claims.Subject) {
		return chat.Identity{}, errors.New("chat/auth: the token's subject is not a user id")
	}
	return chat.Identity{UserID: claims.Subject}, nil
}
