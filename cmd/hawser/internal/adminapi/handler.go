package adminapi

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/api"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/audit"
)

const (
	maxBody = 64 << 10 // bytes of a request's body

	// actTimeout is how long an act may take. It continues if the administrator who requested it
	// disconnects.
	actTimeout = 5 * time.Second

	// failuresPerMinute is how many requests without a valid key are answered 401, and logged,
	// from one address.
	failuresPerMinute = 10
)

// Handler answers requests below /admin/.
type Handler struct {
	cfg      Config
	mux      *http.ServeMux
	failures *api.Rate
}

// Config is what a Handler needs. All fields but KeysFile and Protected are required.
type Config struct {
	// KeysFile is the file of the keys. It is read for each request: adding or removing a key
	// takes effect at once. "": there are none, and all requests are refused.
	KeysFile string

	Hub       Banner
	Bans      chat.Bans
	Sessions  chat.Sessions
	Users     Users
	Protected Protected
	Audit     audit.Recorder

	Limits func() ([]Limit, error)

	Now       func() int64         // the engine's time, in ms since 1970
	Monotonic func() time.Duration // chat.Clock.Monotonic
	Log       *slog.Logger
}

// Banner is the chat.Hub.
type Banner interface {
	Ban(ctx context.Context, b chat.Ban) error
	Unban(ctx context.Context, subject string) (was bool, err error)
}

// Users is the part of a chat.Directory that says whether a user exists.
type Users interface {
	User(ctx context.Context, id string) (chat.User, error)
}

// NewHandler returns a Handler.
func NewHandler(cfg Config) *Handler {
	h := &Handler{cfg: cfg, mux: http.NewServeMux(), failures: api.NewRate(failuresPerMinute, cfg.Monotonic)}
	h.handle("POST /admin/bans", h.ban)
	h.handle("DELETE /admin/bans", h.unban)
	h.handle("GET /admin/bans", h.bans)
	h.handle("POST /admin/kick", h.kick)
	h.handle("GET /admin/limits", h.limits)
	h.mux.Handle("GET /admin/debug/pprof/", http.StripPrefix("/admin", profiles()))
	return h
}

// profiles answers with the runtime's profiles and traces, for "go tool pprof" and "go tool
// trace". It does not use http.DefaultServeMux, where package pprof registers itself.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// request is a request with a valid key.
type request struct {
	*http.Request
	who  string     // name of the key
	from netip.Addr // not valid: by a Unix socket
}

type requestKey struct{}

// handle registers the function that answers a kind of request. An error that is not a
// *chat.Failure comes from the engine.
func (h *Handler) handle(pattern string, answer func(r request) (any, error)) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		rq := r.Context().Value(requestKey{}).(request)
		rq.Request = r
		a, err := answer(rq)
		if err != nil {
			refuse(w, failure(err))
			return
		}
		body, err := json.Marshal(a)
		if err != nil {
			refuse(w, failure(err))
			return
		}
		respond(w, http.StatusOK, body)
	})
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	addr, _ := netip.ParseAddrPort(r.RemoteAddr)
	rq := request{from: addr.Addr().Unmap()}
	var fail *chat.Failure
	if rq.who, fail = h.authenticate(r, rq.from); fail != nil {
		if fail.Code == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
		refuse(w, fail)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	h.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, rq)))
}

// authenticate returns the name of the key that a request has. A valid one is never refused
// because of earlier failures: otherwise any client that can connect could lock the
// administrators out. The limit on failures does not protect the keys, which cannot be guessed;
// it keeps the log readable.
func (h *Handler) authenticate(r *http.Request, from netip.Addr) (who string, fail *chat.Failure) {
	if h.cfg.KeysFile == "" {
		return "", &chat.Failure{Code: 403, Reason: "no_admin_keys",
			Message: "this server has no keys for administrators: set admin_keys_file, and make a key with \"hawser new-admin-key NAME\""}
	}
	keys, err := ReadKeys(h.cfg.KeysFile)
	if err != nil {
		h.cfg.Log.Error("admin_keys_file cannot be read", "error", err)
		return "", &chat.Failure{Code: 503, Reason: "keys_unreadable", Message: "the server cannot read its admin_keys_file; its log says why"}
	}
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") { // RFC 9110, 11.1: in any case
		if who, ok := find(keys, secret); ok {
			return who, nil
		}
	}
	if wait := h.failures.Take(from); wait > 0 {
		return "", &chat.Failure{Code: 429, Reason: "too_many_attempts", Message: "the key is missing or wrong, and was too often before", RetryAfter: wait}
	}
	h.cfg.Log.Warn("a request to administer the server had no valid key", "from", address(from), "method", r.Method, "path", r.URL.Path)
	return "", &chat.Failure{Code: 401, Reason: "key_refused", Message: "the key is missing or wrong"}
}

// address is an address for the log.
func address(a netip.Addr) string {
	if !a.IsValid() {
		return "unix"
	}
	return a.String()
}

// failure is an error for the answer.
func failure(err error) *chat.Failure {
	var fail *chat.Failure
	var missing *audit.NotRecordedError
	switch {
	case errors.As(err, &fail):
		return fail
	case errors.As(err, &missing):
		return &chat.Failure{Code: 503, Reason: "not_recorded", Message: err.Error()}
	case errors.Is(err, chat.ErrTooManyBans):
		return &chat.Failure{Code: 409, Reason: "too_many_bans", Message: err.Error()}
	case errors.Is(err, chat.ErrOutcomeUnknown):
		return &chat.Failure{Code: 503, Reason: "outcome_unknown", Message: err.Error()}
	}
	return &chat.Failure{Code: 503, Reason: "store_unavailable", Message: err.Error()}
}

func refuse(w http.ResponseWriter, f *chat.Failure) {
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	respond(w, f.Code, f.AppendJSON(nil, ""))
}

func respond(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// decode reads the body of a request.
func (r request) decode(v any) *chat.Failure {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = errors.New("something follows the object")
		}
	}
	if err != nil {
		return &chat.Failure{Code: 400, Reason: "not_json", Message: "the body is not what is expected here: " + err.Error()}
	}
	return nil
}
