package auth

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hawser-ws/hawser/chat"
)

const (
	issuer   = "hawser"
	audience = "hawser-chat"
)

// Tokens issues and reads tokens. Its methods are safe for concurrent use.
type Tokens struct {
	key    []byte
	now    func() time.Time
	parser *jwt.Parser
}

var _ chat.Authenticator = (*Tokens)(nil)

// Open returns the Tokens of the data folder dir. It creates the folder and a key if they do
// not exist. now is the clock; nil means time.Now.
func Open(dir string, now func() time.Time) (*Tokens, error) {
	key, err := loadKey(dir)
	if err != nil {
		return nil, err
	}
	return newTokens(key, now), nil
}

// Load is like Open, but the key must exist: otherwise the error is fs.ErrNotExist.
func Load(dir string, now func() time.Time) (*Tokens, error) {
	return LoadFile(filepath.Join(dir, KeyFile), now)
}

// LoadFile is like Load, for a file of any name.
func LoadFile(path string, now func() time.Time) (*Tokens, error) {
	key, err := readKey(path)
	if err != nil {
		return nil, wrap(err)
	}
	return newTokens(key, now), nil
}

// KeyID returns an identifier of the key. It differs for different keys, and reveals nothing
// about the key.
func (t *Tokens) KeyID() string { return keyID(t.key) }

func newTokens(key []byte, now func() time.Time) *Tokens {
	if now == nil {
		now = time.Now
	}
	return &Tokens{
		key: key,
		now: now,
		// RFC 8725 3.1: "each key MUST be used with exactly one algorithm".
		parser: jwt.NewParser(
			jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithIssuer(issuer),
			jwt.WithAudience(audience),
			jwt.WithExpirationRequired(),
			jwt.WithTimeFunc(now),
		),
	}
}

// tokenClaims are the claims of a token.
type tokenClaims struct {
	jwt.RegisteredClaims
	Role string `json:"role,omitempty"` // of the user, for limits
}

// Issue issues a token for a user with a role, which may be "", and returns when it expires:
// after lifetime, in whole seconds.
func (t *Tokens) Issue(userID, role string, lifetime time.Duration) (token string, expires time.Time, err error) {
	now := t.now()
	expires = now.Add(lifetime).Truncate(time.Second)
	token, err = jwt.NewWithClaims(jwt.SigningMethodHS256, tokenClaims{jwt.RegisteredClaims{
		Issuer:    issuer,
		Audience:  jwt.ClaimStrings{audience},
		Subject:   userID,
		IssuedAt:  jwt.NewNumericDate(now),
		ExpiresAt: jwt.NewNumericDate(expires),
	}, role}).SignedString(t.key)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("chat/auth: %w", err)
	}
	return token, expires, nil
}

// Authenticate reads a token. The error is chat.ErrTokenExpired for a token that is valid but
// too old. A token that was issued in the future is valid: the clock has been set back since
// then (RFC 7519 4.1.6 demands nothing of "iat").
func (t *Tokens) Authenticate(token string) (chat.Identity, error) {
	var claims tokenClaims
	_, err := t.parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return t.key, nil })
	switch {
	case err == nil:
	case onlyExpired(err):
		return chat.Identity{}, chat.ErrTokenExpired
	default:
		return chat.Identity{}, errors.New("chat/auth: " + reason(err))
	}
	return claims.identity()
}

// identity checks what the token says about its user.
func (c *tokenClaims) identity() (chat.Identity, error) {
	if !chat.ValidUserID(c.Subject) {
		return chat.Identity{}, errors.New("chat/auth: the token's subject is not a user id")
	}
	if len(c.Role) > chat.MaxRole {
		return chat.Identity{}, fmt.Errorf("chat/auth: the token's role has %d bytes; %d are allowed", len(c.Role), chat.MaxRole)
	}
	id := chat.Identity{UserID: c.Subject, Role: c.Role, Expires: c.ExpiresAt.Time}
	if c.IssuedAt != nil {
		id.Issued = c.IssuedAt.Time
	}
	return id, nil
}

// faults are the errors that a token can have besides its age.
var faults = []error{
	jwt.ErrTokenMalformed, jwt.ErrTokenSignatureInvalid, jwt.ErrTokenUnverifiable,
	jwt.ErrTokenInvalidIssuer, jwt.ErrTokenInvalidAudience, jwt.ErrTokenRequiredClaimMissing,
	jwt.ErrTokenNotValidYet, jwt.ErrTokenUsedBeforeIssued, jwt.ErrTokenInvalidClaims,
}

func onlyExpired(err error) bool {
	if !errors.Is(err, jwt.ErrTokenExpired) {
		return false
	}
	for _, fault := range faults {
		if fault != jwt.ErrTokenInvalidClaims && errors.Is(err, fault) {
			return false
		}
	}
	return true
}

// reason returns what is wrong, without the token, which err may quote.
func reason(err error) string {
	for _, fault := range faults {
		if errors.Is(err, fault) && fault != jwt.ErrTokenInvalidClaims {
			return fault.Error()
		}
	}
	return jwt.ErrTokenInvalidClaims.Error()
}
