package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/hawser-ws/hawser/chat"
)

// defaultBody is the largest body of a publication, in bytes, if MaxBody says nothing.
const defaultBody = 64 << 10

// Publish is the handler of POST /api/publish: the operator's other programs send messages
// through it, in the name of a user. Hub, Users and Key are required.
//
// The body is a message of the type group or message, as a connection would send it, with the
// user in sender_id. The answer is an ack or an error.
type Publish struct {
	Hub   Doer
	Users interface {
		User(ctx context.Context, id string) (chat.User, error)
	}

	// Key is what a request must contain: "Authorization: Bearer KEY". It permits sending in
	// the name of every user.
	Key string

	MaxBody int          // bytes of a request's body; default 64 KiB
	Log     *slog.Logger // default: slog.Default()
}

// Doer reads operations and carries them out: a chat.Hub.
type Doer interface {
	Parse(text []byte) (*chat.Operation, *chat.Failure)
	Do(ctx context.Context, a chat.Actor, op *chat.Operation)
}

// ServeHTTP implements http.Handler.
func (p *Publish) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		fail(w, &chat.Failure{Code: 405, Reason: "method_not_allowed", Message: "use POST"})
		return
	}
	if !p.authorized(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		fail(w, &chat.Failure{Code: 401, Reason: "key_refused", Message: "the key is missing or wrong"})
		return
	}
	op, failure := p.readOperation(w, r)
	if failure != nil {
		refuse(w, failure, op.Ref())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	user, err := p.Users.User(ctx, op.Sender())
	switch {
	case errors.Is(err, chat.ErrNotFound):
		refuse(w, &chat.Failure{Code: 404, Reason: "unknown_user", Message: "there is no user sender_id", Field: "sender_id"}, op.Ref())
		return
	case err != nil:
		p.log().Error("chat/api: a user could not be read", "error", err)
		refuse(w, failStore, op.Ref())
		return
	}
	a := &publisher{user: user, answered: make(chan publication, 1)}
	p.Hub.Do(ctx, a, op)
	select {
	case got := <-a.answered:
		if got.fail != nil {
			refuse(w, got.fail, op.Ref())
			return
		}
		respond(w, http.StatusOK, got.text)
	case <-ctx.Done():
		refuse(w, failUnknownOutcome, op.Ref())
	}
}

var failUnknownOutcome = &chat.Failure{Code: 503, Reason: "outcome_unknown",
	Message: "it is not known whether the message was stored; send it again with the same ref"}

// authorized reports whether the request has the key. It compares hashes, so that the time it
// takes reveals nothing about the key.
func (p *Publish) authorized(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	ok := strings.EqualFold(scheme, "Bearer") // RFC 9110, 11.1: in any case
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(p.Key))
	return ok && p.Key != "" && subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// readOperation reads the operation to publish. With a failure, the operation has its ref if
// that could be read.
func (p *Publish) readOperation(w http.ResponseWriter, r *http.Request) (op *chat.Operation, failure *chat.Failure) {
	limit := cmp.Or(p.MaxBody, defaultBody)
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return new(chat.Operation), &chat.Failure{Code: 413, Reason: "body_too_long", Message: fmt.Sprintf("the body is longer than %d bytes", limit)}
	case err != nil:
		return new(chat.Operation), &chat.Failure{Code: 400, Reason: "not_json", Message: "the body could not be read"}
	case !utf8.Valid(body):
		return new(chat.Operation), &chat.Failure{Code: 400, Reason: "not_json", Message: "the body is not UTF-8"}
	}
	op, failure = p.Hub.Parse(body)
	switch {
	case failure != nil:
	case op.Type() != "group" && op.Type() != "message":
		failure = &chat.Failure{Code: 400, Reason: "unknown_type", Message: "only group and message can be published", Field: "type"}
	case op.Sender() == "":
		failure = &chat.Failure{Code: 400, Reason: "missing_field", Message: "sender_id is missing", Field: "sender_id"}
	}
	return op, failure
}

func (p *Publish) log() *slog.Logger {
	if p.Log != nil {
		return p.Log
	}
	return slog.Default()
}

// publisher is a chat.Actor for one request.
type publisher struct {
	user     chat.User
	answered chan publication
}

type publication struct {
	text []byte
	fail *chat.Failure
}

// User implements chat.Actor.
func (p *publisher) User() chat.User { return p.user }

// Subject implements chat.Actor. Programs that have the key are not limited.
func (p *publisher) Subject() chat.Subject { return chat.Subject{Role: "publisher"} }

// Answer implements chat.Actor.
func (p *publisher) Answer(_ *chat.Operation, text []byte, fail *chat.Failure) {
	p.answered <- publication{text, fail}
}
