package api

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

const (
	maxBody = 4 << 10 // bytes

	// GuestLifetime is how long a guest's token is good.
	GuestLifetime = 30 * 24 * time.Hour
)

// Users is where guests are kept: a chat.Store.
type Users interface {
	PutUser(chat.User) error
}

// Issuer makes tokens: an auth.Tokens.
type Issuer interface {
	Issue(userID string, lifetime time.Duration) (token string, expires time.Time, err error)
}

// Guests is the handler of POST /api/guest. Users, Tokens and Address are required.
type Guests struct {
	Users  Users
	Tokens Issuer

	// Address is the address that a request comes from.
	Address func(*http.Request) netip.Addr

	Rate *Rate            // how many guests an address may make; nil: no limit
	Now  func() time.Time // default: time.Now
	Log  *slog.Logger     // default: slog.Default()
}

// ServeHTTP makes a guest and answers 200 with its token. Errors are answered in the
// shape of an error message of the chat.
func (g *Guests) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The answer holds a secret.
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(w, &chat.Failure{Code: 405, Reason: "method_not_allowed", Message: "use POST"})
		return
	}
	if g.Rate != nil {
		if wait := g.Rate.Take(g.Address(r)); wait > 0 {
			fail(w, &chat.Failure{Code: 429, Reason: "rate_limited", Message: "too many guests from this address", RetryAfter: wait})
			return
		}
	}
	name, failure := readName(w, r)
	if failure != nil {
		fail(w, failure)
		return
	}
	now := time.Now
	if g.Now != nil {
		now = g.Now
	}
	u := chat.User{ID: "u_" + strings.ToLower(rand.Text()[:16]), Name: name, Created: now().UnixMilli()}
	if err := g.Users.PutUser(u); err != nil {
		g.log().Error("chat/api: a guest could not be stored", "error", err)
		fail(w, &chat.Failure{Code: 503, Reason: "store_unavailable", Message: "the user store does not work at the moment"})
		return
	}
	token, expires, err := g.Tokens.Issue(u.ID, GuestLifetime)
	if err != nil {
		g.log().Error("chat/api: a token could not be made", "error", err)
		fail(w, &chat.Failure{Code: 500, Reason: "internal_error", Message: "a token could not be made"})
		return
	}
	body, err := json.Marshal(map[string]any{"token": token, "user_id": u.ID, "name": u.Name, "expires": expires.Unix()})
	if err != nil {
		panic("chat/api: internal error: " + err.Error())
	}
	respond(w, http.StatusOK, body)
}

// readName reads the body, whatever its Content-Type: another site's form could make a
// guest, but never read the token.
func readName(w http.ResponseWriter, r *http.Request) (string, *chat.Failure) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return "", &chat.Failure{Code: 413, Reason: "body_too_long", Message: "the body is longer than 4 KiB"}
	case err != nil:
		return "", &chat.Failure{Code: 400, Reason: "not_json", Message: "the body could not be read"}
	}
	if !json.Valid(body) {
		return "", &chat.Failure{Code: 400, Reason: "not_json", Message: "the body is not JSON"}
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return "", &chat.Failure{Code: 400, Reason: "not_object", Message: "the body is not an object"}
	}
	var guest struct {
		Name *string `json:"name"`
	}
	if err := json.Unmarshal(body, &guest); err != nil {
		return "", &chat.Failure{Code: 400, Reason: "wrong_kind", Message: "name is not a string", Field: "name"}
	}
	if guest.Name == nil {
		return "", &chat.Failure{Code: 400, Reason: "missing_field", Message: "name is missing", Field: "name"}
	}
	name, err := chat.CleanName(*guest.Name)
	if err != nil {
		return "", &chat.Failure{Code: 400, Reason: "bad_name", Message: err.Error(), Field: "name"}
	}
	return name, nil
}

func (g *Guests) log() *slog.Logger {
	if g.Log != nil {
		return g.Log
	}
	return slog.Default()
}

func fail(w http.ResponseWriter, f *chat.Failure) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	respond(w, f.Code, f.AppendJSON(nil, ""))
}

func respond(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}
