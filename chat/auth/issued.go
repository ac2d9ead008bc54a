package auth

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/hawser-ws/hawser/chat"
)

// issued is jwt.RegisteredClaims as Issue fills them. The library takes several times as
// long to write them, and every guest's log-in needs a token.
type issued struct {
	Issuer    string    `json:"iss"`
	Subject   string    `json:"sub"`
	Audience  [1]string `json:"aud"`
	ExpiresAt int64     `json:"exp"`
	IssuedAt  int64     `json:"iat"`
}

// header is the first part of every token, with its dot.
var header = base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "."

// readIssued reads a token that is valid and written exactly as Issue writes them. It
// reports false for any other, which may be valid all the same: only the library judges
// that. Most of what the library takes is for parsing JSON twice.
func (t *Tokens) readIssued(token string) (chat.Identity, bool) {
	body, ours := strings.CutPrefix(token, header)
	body, signature, ok := strings.Cut(body, ".")
	if !ours || !ok {
		return chat.Identity{}, false
	}
	claims, err1 := base64.RawURLEncoding.DecodeString(body)
	sig, err2 := base64.RawURLEncoding.DecodeString(signature)
	if err1 != nil || err2 != nil || jwt.SigningMethodHS256.Verify(token[:len(header)+len(body)], sig, t.key) != nil {
		return chat.Identity{}, false
	}
	text, ok1 := strings.CutPrefix(string(claims), `{"iss":"`+issuer+`","sub":"`)
	user, text, ok2 := strings.Cut(text, `","aud":["`+audience+`"],"exp":`)
	exp, text, ok3 := strings.Cut(text, `,"iat":`)
	iat, ok4 := strings.CutSuffix(text, "}")
	expires, ok5 := unixTime(exp)
	_, ok6 := unixTime(iat)
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || !chat.ValidUserID(user) || !t.now().Before(expires) {
		return chat.Identity{}, false
	}
	return chat.Identity{UserID: user, Expires: expires}, true
}

// unixTime reads a number as Issue writes it, without a zero or sign before it.
func unixTime(s string) (time.Time, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(n, 0), err == nil && strconv.FormatInt(n, 10) == s
}
