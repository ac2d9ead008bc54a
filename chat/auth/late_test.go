package auth

import (
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hawser-ws/hawser/chat"
)

func TestAuthenticateLate(t *testing.T) {
	const grace = 24 * time.Hour
	tokens := open(t, t.TempDir())
	other := open(t, t.TempDir())
	for _, c := range []struct {
		name    string
		by      *Tokens
		change  func(*jwt.RegisteredClaims)
		want    string // user id
		expired bool   // the error is chat.ErrTokenExpired
	}{
		{"good", tokens, nil, "u_ada", false},
		{"just expired", tokens, expiring(-time.Second), "u_ada", false},
		{"at the end of the grace", tokens, expiring(-grace), "u_ada", false},
		{"after the grace", tokens, expiring(-grace - time.Second), "", true},
		{"of a clock that was not set", tokens, func(c *jwt.RegisteredClaims) {
			c.IssuedAt = jwt.NewNumericDate(time.Unix(100, 0))
			c.ExpiresAt = jwt.NewNumericDate(time.Unix(3600, 0))
		}, "u_ada", false},
		{"long ago", tokens, expiring(-1000 * grace), "", true},
		{"expired, of another key", other, expiring(-time.Hour), "", false},
		{"expired, for another audience", tokens, func(c *jwt.RegisteredClaims) {
			expiring(-time.Hour)(c)
			c.Audience = jwt.ClaimStrings{"others"}
		}, "", false},
		{"expired, of nobody", tokens, func(c *jwt.RegisteredClaims) {
			expiring(-time.Hour)(c)
			c.Subject = "root"
		}, "", false},
		{"expired, and not valid yet", tokens, func(c *jwt.RegisteredClaims) {
			expiring(-time.Hour)(c)
			c.NotBefore = jwt.NewNumericDate(noon.Add(time.Hour))
		}, "", false},
		{"without an end", tokens, func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil }, "", false},
	} {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims(c.change)).SignedString(c.by.key)
		if err != nil {
			t.Fatal(err)
		}
		id, err := tokens.AuthenticateLate(token, grace)
		if id.UserID != c.want || (err == nil) != (c.want != "") || errors.Is(err, chat.ErrTokenExpired) != c.expired {
			t.Errorf("%s: %q, %v", c.name, id.UserID, err)
		}
	}
}

func expiring(in time.Duration) func(*jwt.RegisteredClaims) {
	return func(c *jwt.RegisteredClaims) {
		c.IssuedAt = nil
		c.ExpiresAt = jwt.NewNumericDate(noon.Add(in))
	}
}
