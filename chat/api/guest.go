package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/server/rate"
)

const (
	maxBody = 4 << 10 // bytes

	// storeTimeout is the maximum time that a request waits for the store.
	storeTimeout = 5 * time.Second

	// GuestLifetime is how long a guest's token is valid.
	GuestLifetime = 30 * 24 * time.Hour
)

// Users stores guests. A chat.Directory implements it.
type Users interface {
	PutUser(context.Context, chat.User) error
	ChangeUser(ctx context.Context, id string, c chat.UserChange) (chat.User, error)
	User(ctx context.Context, id string) (chat.User, error)
}

// Tokens issues and reads tokens. *auth.Tokens implements it.
type Tokens interface {
	Issue(userID, role string, lifetime time.Duration) (token string, expires time.Time, err error)
	AuthenticateLate(token string, grace time.Duration) (chat.Identity, error)
}

// Guests is the handler of POST /api/guest. Users, Tokens and Address are required.
type Guests struct {
	Users  Users
	Tokens Tokens

	// Address returns the address that a request comes from.
	Address func(*http.Request) netip.Addr

	// CheckOrigin returns an error if a request must be refused because of its Origin
	// header. If it is not set, requests from pages of other sites are refused, if browsers
	// mark them.
	CheckOrigin func(*http.Request) error

	Rate *Rate            // how many guests an address may create or rename; nil: no limit
	Now  func() time.Time // default: time.Now

	Observer chat.Observer // is told of each refusal by Rate; default: none

	Log *slog.Logger // default: slog.Default()

	lines rate.Lines // of tokens that were refused
}

// guestAnswer is the answer to a good request.
type guestAnswer struct {
	Expires int64  `json:"expires"`
	Name    string `json:"name"`
	Token   string `json:"token"`
	UserID  string `json:"user_id"`
}

// ServeHTTP creates a guest, or renews a guest's token, and answers 200 with the token. The
// body of an error is an error message of the chat.
func (g *Guests) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The answer holds a secret.
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(w, &chat.Failure{Code: 405, Reason: "method_not_allowed", Message: "use POST"})
		return
	}
	if failure := g.checkSource(r); failure != nil {
		fail(w, failure)
		return
	}
	asked, failure := readRequest(w, r)
	if failure != nil {
		fail(w, failure)
		return
	}
	give := g.create
	if asked.token != "" {
		give = g.renew
	}
	answer, failure := give(r, asked)
	if failure != nil {
		fail(w, failure)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		panic("chat/api: internal error: " + err.Error())
	}
	respond(w, http.StatusOK, body)
}

// create creates a user.
func (g *Guests) create(r *http.Request, asked request) (answer guestAnswer, failure *chat.Failure) {
	if failure := g.limit(r); failure != nil {
		return answer, failure
	}
	now := time.Now
	if g.Now != nil {
		now = g.Now
	}
	u := chat.User{ID: "u_" + strings.ToLower(rand.Text()[:16]), Name: asked.name, Created: now().UnixMilli(), Guest: true}
	err := g.within(r, func(ctx context.Context) error { return g.Users.PutUser(ctx, u) })
	if failure := g.stored(err, u.Name); failure != nil {
		return answer, failure
	}
	answer, failure = g.issue(u.ID, "")
	answer.Name = u.Name
	return answer, failure
}

// issue issues a token.
func (g *Guests) issue(userID, role string) (guestAnswer, *chat.Failure) {
	token, expires, err := g.Tokens.Issue(userID, role, GuestLifetime)
	if err != nil {
		g.log().Error("chat/api: a token could not be issued", "error", err)
		return guestAnswer{}, &chat.Failure{Code: 500, Reason: "internal_error", Message: "a token could not be issued"}
	}
	return guestAnswer{Expires: expires.Unix(), Token: token, UserID: userID}, nil
}

// limit counts one write to the store by an address, or refuses it.
func (g *Guests) limit(r *http.Request) *chat.Failure {
	if g.Rate == nil {
		return nil
	}
	if wait := g.Rate.Take(g.Address(r)); wait > 0 {
		if g.Observer != nil {
			g.Observer.Limited(chat.GuestLimit)
		}
		return &chat.Failure{Code: 429, Reason: "rate_limited", Limit: chat.GuestLimit, Message: "too many guests from this address", RetryAfter: wait}
	}
	return nil
}

// within calls f with a context that ends after storeTimeout.
func (g *Guests) within(r *http.Request, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	return f(ctx)
}

// stored returns the failure for the error of storing a user with a name.
func (g *Guests) stored(err error, name string) *chat.Failure {
	if errors.Is(err, chat.ErrNameTaken) {
		return &chat.Failure{Code: 409, Reason: "name_taken", Field: "name",
			Message: fmt.Sprintf("the name %q looks like that of another user; choose one that cannot be mistaken for it", name)}
	}
	if err != nil {
		g.log().Error("chat/api: a guest could not be stored", "error", err)
	}
	switch {
	case errors.Is(err, chat.ErrOutcomeUnknown):
		return &chat.Failure{Code: 503, Reason: "outcome_unknown", Message: "it is not known whether the user was stored; try again"}
	case err != nil:
		return failStore
	}
	return nil
}

var failStore = &chat.Failure{Code: 503, Reason: "store_unavailable", Message: "the user store does not work at the moment"}

// request is the content of a body. One of the fields may be empty.
type request struct{ token, name string }

// readRequest reads the body.
func readRequest(w http.ResponseWriter, r *http.Request) (asked request, failure *chat.Failure) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return asked, &chat.Failure{Code: 413, Reason: "body_too_long", Message: "the body is longer than 4 KiB"}
	case err != nil:
		return asked, &chat.Failure{Code: 400, Reason: "not_json", Message: "the body could not be read"}
	}
	if !json.Valid(body) {
		return asked, &chat.Failure{Code: 400, Reason: "not_json", Message: "the body is not JSON"}
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return asked, &chat.Failure{Code: 400, Reason: "not_object", Message: "the body is not an object"}
	}
	var fields struct{ Name, Token *string }
	if err := json.Unmarshal(body, &fields); err != nil {
		field := "name"
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && strings.EqualFold(wrong.Field, "token") {
			field = "token"
		}
		return asked, &chat.Failure{Code: 400, Reason: "wrong_kind", Message: field + " is not a string", Field: field}
	}
	if fields.Token != nil && *fields.Token != "" {
		asked.token = *fields.Token
		if fields.Name == nil {
			return asked, nil // the user keeps their name
		}
	}
	if fields.Name == nil {
		return asked, &chat.Failure{Code: 400, Reason: "missing_field", Message: "name is missing", Field: "name"}
	}
	if asked.name, err = chat.CleanName(*fields.Name); err != nil {
		return asked, &chat.Failure{Code: 400, Reason: "bad_name", Message: err.Error(), Field: "name"}
	}
	return asked, nil
}

func (g *Guests) log() *slog.Logger {
	if g.Log != nil {
		return g.Log
	}
	return slog.Default()
}

func fail(w http.ResponseWriter, f *chat.Failure) { refuse(w, f, "") }

// refuse answers with an error. ref is the ref of the message that it answers, or "".
func refuse(w http.ResponseWriter, f *chat.Failure, ref string) {
	wait := f.RetryAfter
	if f.Code == http.StatusServiceUnavailable {
		wait = max(wait, time.Second)
	}
	if wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	respond(w, f.Code, f.AppendJSON(nil, ref))
}

func respond(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}
