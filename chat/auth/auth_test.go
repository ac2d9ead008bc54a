package auth

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
)

var noon = time.Unix(1754474400, 0)

func open(t *testing.T, dir string) *Tokens {
	t.Helper()
	tokens, err := Open(dir, func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func TestIssueAndAuthenticate(t *testing.T) {
	dir := t.TempDir()
	token, expires, err := open(t, dir).Issue("u_ada", "", time.Hour)
	if err != nil || !expires.Equal(noon.Add(time.Hour)) {
		t.Fatalf("Issue: expires %v, %v", expires, err)
	}
	id, err := open(t, dir).Authenticate(token) // after a restart
	if diff := cmp.Diff(chat.Identity{UserID: "u_ada", Issued: noon, Expires: expires}, id, cmp.Comparer(time.Time.Equal)); diff != "" || err != nil {
		t.Errorf("Authenticate: %v (-want +got):\n%s", err, diff)
	}
	if _, err := open(t, t.TempDir()).Authenticate(token); err == nil || errors.Is(err, chat.ErrTokenExpired) {
		t.Errorf("with the key of another data folder: %v", err)
	}
}

// A token names a role, even when it has expired; a role that is too long is
// refused.
func TestRole(t *testing.T) {
	tokens := open(t, t.TempDir())
	for role, want := range map[string]string{"": "", "bot": "bot", strings.Repeat("x", chat.MaxRole): strings.Repeat("x", chat.MaxRole), strings.Repeat("x", chat.MaxRole+1): "refused"} {
		for _, lifetime := range []time.Duration{time.Hour, -time.Hour} {
			token, _, err := tokens.Issue("u_ada", role, lifetime)
			if err != nil {
				t.Fatal(err)
			}
			id, err := tokens.AuthenticateLate(token, 2*time.Hour)
			if err != nil {
				id.Role = "refused"
			}
			if id.Role != want {
				t.Errorf("%q for %v: %q, %v", role, lifetime, id.Role, err)
			}
		}
	}
}

// claims are valid claims with changes.
func claims(change func(*jwt.RegisteredClaims)) *jwt.RegisteredClaims {
	c := &jwt.RegisteredClaims{
		Issuer: issuer, Audience: jwt.ClaimStrings{audience}, Subject: "u_ada",
		IssuedAt: jwt.NewNumericDate(noon), ExpiresAt: jwt.NewNumericDate(noon.Add(time.Hour)),
	}
	if change != nil {
		change(c)
	}
	return c
}

func TestA06Refused(t *testing.T) {
	tokens := open(t, t.TempDir())
	sign := func(method jwt.SigningMethod, key any, change func(*jwt.RegisteredClaims)) string {
		token, err := jwt.NewWithClaims(method, claims(change)).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	hs256 := func(change func(*jwt.RegisteredClaims)) string {
		return sign(jwt.SigningMethodHS256, tokens.key, change)
	}
	good := hs256(nil)
	if _, err := tokens.Authenticate(good); err != nil {
		t.Fatalf("the token that the others are made of: %v", err)
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	part := strings.Split(good, ".")
	for name, token := range map[string]string{
		"A06 alg none":           sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil),
		"A06 alg none, in words": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"nOnE"}`)) + "." + part[1] + ".",
		"A06 another algorithm":  sign(jwt.SigningMethodHS512, tokens.key, nil),
		"A06 EdDSA":              sign(jwt.SigningMethodEdDSA, private, nil),
		"A06 another key":        sign(jwt.SigningMethodHS256, bytes.Repeat([]byte{1}, keySize), nil),
		"A06 empty key":          sign(jwt.SigningMethodHS256, []byte{}, nil),
		"A06 wrong audience":     hs256(func(c *jwt.RegisteredClaims) { c.Audience = jwt.ClaimStrings{"other"} }),
		"A06 no audience":        hs256(func(c *jwt.RegisteredClaims) { c.Audience = nil }),
		"A06 other issuer":       hs256(func(c *jwt.RegisteredClaims) { c.Issuer = "other" }),
		"A06 no issuer":          hs256(func(c *jwt.RegisteredClaims) { c.Issuer = "" }),
		"A06 no expiry":          hs256(func(c *jwt.RegisteredClaims) { c.ExpiresAt = nil }),
		"A06 not before":         hs256(func(c *jwt.RegisteredClaims) { c.NotBefore = jwt.NewNumericDate(noon.Add(time.Minute)) }),
		"subject is no user id":  hs256(func(c *jwt.RegisteredClaims) { c.Subject = "ada\r\n" }),
		"no subject":             hs256(func(c *jwt.RegisteredClaims) { c.Subject = "" }),
		"expired, and not ours": sign(jwt.SigningMethodHS256, []byte("other"),
			func(c *jwt.RegisteredClaims) { c.ExpiresAt = jwt.NewNumericDate(noon.Add(-time.Hour)) }),
		"expired, and of another issuer": hs256(func(c *jwt.RegisteredClaims) {
			c.Issuer, c.ExpiresAt = "other", jwt.NewNumericDate(noon.Add(-time.Hour))
		}),
		"changed":      part[0] + "." + part[1] + "x." + part[2],
		"no signature": part[0] + "." + part[1] + ".",
		"empty":        "",
		"words":        "not a token",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := tokens.Authenticate(token)
			if err == nil || errors.Is(err, chat.ErrTokenExpired) {
				t.Fatalf("Authenticate: %v", err)
			}
			for _, p := range strings.Split(token, ".") {
				if len(p) > 8 && strings.Contains(err.Error(), p) {
					t.Errorf("the error quotes the token: %v", err)
				}
			}
		})
	}
}

// A clock that was set back invalidates no token.
func TestIssuedInTheFuture(t *testing.T) {
	now := noon.Add(10 * 365 * 24 * time.Hour)
	tokens, err := Open(t.TempDir(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := tokens.Issue("u_ada", "", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, back := range []time.Duration{time.Second, time.Minute, 10 * 365 * 24 * time.Hour} {
		now = noon.Add(10*365*24*time.Hour - back)
		if id, err := tokens.Authenticate(token); id.UserID != "u_ada" {
			t.Errorf("set back by %v: %v", back, err)
		}
	}
}

func TestExpiry(t *testing.T) {
	tokens := open(t, t.TempDir())
	for age, want := range map[time.Duration]error{
		-time.Second:           nil,
		0:                      chat.ErrTokenExpired,
		1000 * 24 * time.Hour:  chat.ErrTokenExpired,
		-1000 * 24 * time.Hour: nil,
	} {
		token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims(func(c *jwt.RegisteredClaims) {
			c.ExpiresAt = jwt.NewNumericDate(noon.Add(-age))
		})).SignedString(tokens.key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.Authenticate(token); !errors.Is(err, want) {
			t.Errorf("%v after its end: %v, want %v", age, err, want)
		}
	}
}

func TestKeyFile(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "data")
	first := open(t, dir)
	path := filepath.Join(dir, KeyFile)
	for path, want := range map[string]os.FileMode{dir: 0o700, path: 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %04o", path, info.Mode(), err, want)
		}
	}
	if names, _ := filepath.Glob(filepath.Join(dir, "*")); len(names) != 1 {
		t.Errorf("beside the key lies something: %q", names)
	}
	// A process that was slower to make the key uses the existing one.
	if err := makeKey(dir, path, os.Link); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(open(t, dir).key, first.key) {
		t.Error("the key was replaced")
	}
	if bytes.Equal(open(t, t.TempDir()).key, first.key) {
		t.Error("another folder has the same key")
	}
}

func TestKeyFileRefused(t *testing.T) {
	for _, c := range []struct {
		name, content, want string
		mode                os.FileMode
	}{
		{"others can read it", keyPrefix + base64.StdEncoding.EncodeToString(make([]byte, keySize)), "mode 0640", 0o640},
		{"empty", "", "is empty", 0o600},
		{"another format", "hawser-token-key-2 AAAA", "does not begin with", 0o600},
		{"too short", keyPrefix + "AAAA", "does not contain 32 bytes", 0o600},
		{"not base64", keyPrefix + "!", "does not contain 32 bytes", 0o600},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, KeyFile)
			if err := os.WriteFile(path, []byte(c.content), c.mode); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open: %v; want it to name the file and say %q", err, c.want)
			}
		})
	}
}
