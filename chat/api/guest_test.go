package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/auth"
	"github.com/hawser-ws/hawser/chat/bolt"
)

var noon = time.Unix(1754474400, 0)

// newGuests is the handler as a server uses it, with a store and a key of its own.
func newGuests(t *testing.T) (*Guests, *bolt.Store, *auth.Tokens) {
	t.Helper()
	dir := t.TempDir()
	store, err := bolt.Open(dir, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close(context.Background()) })
	now := func() time.Time { return noon }
	tokens, err := auth.Open(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	return &Guests{
		Users: store, Tokens: tokens, Now: now, Log: slog.New(slog.DiscardHandler),
		Address: func(r *http.Request) netip.Addr { return netip.MustParseAddrPort(r.RemoteAddr).Addr() },
	}, store, tokens
}

func post(g http.Handler, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/api/guest", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	g.ServeHTTP(w, r)
	return w
}

func TestGuest(t *testing.T) {
	g, store, tokens := newGuests(t)
	seen := make(map[string]bool)
	for range 2 { // the same name twice makes two people
		w := post(g, "application/json; charset=utf-8", `{"name":"  Ada 🦉 ","extra":[1]}`)
		var got struct {
			Token   string `json:"token"`
			UserID  string `json:"user_id"`
			Name    string `json:"name"`
			Expires int64  `json:"expires"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		id, err := tokens.Authenticate(got.Token)
		if err != nil || id.UserID != got.UserID || seen[got.UserID] {
			t.Errorf("the token is of %q, %v; user_id is %q", id.UserID, err, got.UserID)
		}
		seen[got.UserID] = true
		user, err := store.User(t.Context(), got.UserID)
		if diff := cmp.Diff(chat.User{ID: got.UserID, Name: "Ada 🦉", Created: noon.UnixMilli(), Guest: true}, user); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		if got.Name != "Ada 🦉" || got.Expires != noon.Add(GuestLifetime).Unix() {
			t.Errorf("answer %+v", got)
		}
		if h := w.Header(); h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", h)
		}
	}
}

func TestGuestRefused(t *testing.T) {
	g, _, _ := newGuests(t)
	for _, c := range []struct {
		name, contentType, body string
		code                    int
		reason, field           string
	}{
		{"no body", "application/json", "", 400, "not_json", ""},
		{"not JSON", "application/json", "{", 400, "not_json", ""},
		{"array", "application/json", `["Ada"]`, 400, "not_object", ""},
		{"null", "application/json", `null`, 400, "not_object", ""},
		{"no name", "application/json", `{}`, 400, "missing_field", "name"},
		{"name null", "application/json", `{"name":null}`, 400, "missing_field", "name"},
		{"name number", "application/json", `{"name":1}`, 400, "wrong_kind", "name"},
		{"name empty", "application/json", `{"name":"  "}`, 400, "bad_name", "name"},
		{"name too long", "application/json", `{"name":"` + strings.Repeat("a", 33) + `"}`, 400, "bad_name", "name"},
		{"A11 line break", "application/json", `{"name":"a\r\nb"}`, 400, "bad_name", "name"},
		{"A11 right to left", "application/json", `{"name":"\u202eb"}`, 400, "bad_name", "name"},
		{"filler", "application/json", `{"name":"\u3164"}`, 400, "bad_name", "name"},
		{"joiner", "application/json", `{"name":"A\u200dda"}`, 400, "bad_name", "name"},
		{"reserved", "application/json", `{"name":"Adm\u0131n"}`, 400, "bad_name", "name"},
		{"too long", "application/json", `{"name":"Ada","x":"` + strings.Repeat("x", 4096) + `"}`, 413, "body_too_long", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := post(g, c.contentType, c.body)
			var got struct {
				Type, Reason, Field string
				Code                int
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			if got.Type != "error" || got.Code != c.code || w.Code != c.code || got.Reason != c.reason || got.Field != c.field {
				t.Errorf("%d %+v, want %d %s, field %q", w.Code, got, c.code, c.reason, c.field)
			}
		})
	}
	w := httptest.NewRecorder()
	g.ServeHTTP(w, httptest.NewRequest("GET", "/api/guest", nil))
	if w.Code != 405 || w.Header().Get("Allow") != "POST" {
		t.Errorf("GET: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// A page of another site cannot make guests in its visitors' names, whatever it sends.
func TestGuestSource(t *testing.T) {
	g, _, _ := newGuests(t)
	const good, evil = "https://chat.example", "https://evil.example"
	for _, c := range []struct {
		name    string
		headers map[string]string
		listed  bool // origins are compared with a list
		code    int
	}{
		{"a program", nil, true, 200},
		{"a program, with JSON", map[string]string{"Content-Type": "Application/JSON; charset=utf-8"}, true, 200},
		{"curl's default", map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, true, 415},
		{"a form", map[string]string{"Content-Type": "text/plain", "Origin": evil, "Sec-Fetch-Site": "cross-site"}, true, 403},
		{"a form of an old browser", map[string]string{"Content-Type": "text/plain"}, true, 415},
		{"no type that is one", map[string]string{"Content-Type": "json"}, true, 415},
		{"our page", map[string]string{"Content-Type": "application/json", "Origin": good, "Sec-Fetch-Site": "same-origin"}, true, 200},
		{"a page that may connect", map[string]string{"Content-Type": "application/json", "Origin": good, "Sec-Fetch-Site": "cross-site"}, true, 200},
		{"another page", map[string]string{"Content-Type": "application/json", "Origin": evil, "Sec-Fetch-Site": "cross-site"}, true, 403},
		{"another page, old browser", map[string]string{"Content-Type": "application/json", "Origin": evil}, true, 403},
		{"a sandboxed frame", map[string]string{"Content-Type": "application/json", "Origin": "null"}, true, 403},
		{"without an Origin", map[string]string{"Sec-Fetch-Site": "cross-site"}, true, 403},
		{"a neighbour", map[string]string{"Origin": evil, "Sec-Fetch-Site": "same-site"}, true, 403},
		{"typed into the address bar", map[string]string{"Sec-Fetch-Site": "none"}, true, 200},
		{"another page, without a list", map[string]string{"Origin": good, "Sec-Fetch-Site": "cross-site"}, false, 403},
		{"our page, without a list", map[string]string{"Origin": good, "Sec-Fetch-Site": "same-origin"}, false, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.CheckOrigin = nil
			if c.listed {
				g.CheckOrigin = func(r *http.Request) error {
					if o := r.Header.Get("Origin"); o != "" && o != good {
						return errors.New("not listed")
					}
					return nil
				}
			}
			r := httptest.NewRequest("POST", "/api/guest", strings.NewReader(`{"name":"Ada"}`))
			for k, v := range c.headers {
				r.Header.Set(k, v)
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			if w.Code != c.code {
				t.Errorf("%d %s, want %d", w.Code, w.Body, c.code)
			}
		})
	}
}

type brokenUsers struct{}

func (brokenUsers) ChangeUser(context.Context, string, chat.UserChange) (chat.User, error) {
	return chat.User{}, errors.New("the disk is gone")
}

func (brokenUsers) PutUser(context.Context, chat.User) error { return errors.New("the disk is gone") }
func (brokenUsers) User(context.Context, string) (chat.User, error) {
	return chat.User{}, errors.New("the disk is gone")
}

func TestGuestStoreFails(t *testing.T) {
	g, _, _ := newGuests(t)
	g.Users = brokenUsers{}
	w := post(g, "application/json", `{"name":"Ada"}`)
	if w.Code != 503 || !strings.Contains(w.Body.String(), "store_unavailable") || strings.Contains(w.Body.String(), "disk") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestGuestRate(t *testing.T) {
	g, _, _ := newGuests(t)
	var now time.Duration
	g.Rate = NewRate(2, func() time.Duration { return now })
	for i, want := range []int{200, 200, 429, 429} {
		if w := post(g, "application/json", `{"name":"Ada"}`); w.Code != want {
			t.Errorf("guest %d: %d, want %d", i+1, w.Code, want)
		}
	}
	w := post(g, "application/json", `{"name":"Ada"}`)
	if got := w.Header().Get("Retry-After"); got != "30" || !strings.Contains(w.Body.String(), `"retry_after_ms":30000`) {
		t.Errorf("Retry-After %q, %s", got, w.Body)
	}
	now += 30 * time.Second
	if w := post(g, "application/json", `{"name":"Ada"}`); w.Code != 200 {
		t.Errorf("after Retry-After: %d", w.Code)
	}
}

func TestRateAddresses(t *testing.T) {
	r := NewRate(1, func() time.Duration { return 0 })
	for _, c := range []struct {
		addr    string
		refused bool
	}{
		{"1.2.3.4", false},
		{"1.2.3.4", true},
		{"::ffff:1.2.3.4", true}, // A14
		{"1.2.3.5", false},
		{"2001:db8::1", false},
		{"2001:db8::2", true}, // A14: the same /64
		{"2001:db8::2%eth0", true},
		{"2001:db8:0:1::1", false},
	} {
		if refused := r.Take(netip.MustParseAddr(c.addr)) > 0; refused != c.refused {
			t.Errorf("%s: refused %t", c.addr, refused)
		}
	}
	if NewRate(0, nil) != nil {
		t.Error("0 is a limit")
	}
	r.Take(netip.Addr{})
	if r.Take(netip.Addr{}) == 0 {
		t.Error("requests without an address are not limited")
	}
}
