package adminapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/memory"
	"github.com/hawser-ws/hawser/cmd/hawser/internal/audit"
	"github.com/hawser-ws/hawser/cmd/internal/logtest"
)

// record is an audit log. With full set, nothing can be added.
type record struct {
	entries []audit.Entry
	full    error
}

func (r *record) Record(_ context.Context, e audit.Entry) error {
	if r.full != nil {
		return r.full
	}
	r.entries = append(r.entries, e)
	return nil
}

// desk is a handler and its client.
type desk struct {
	*testing.T
	engine  chat.Engine
	handler *Handler
	record  *record
	log     *logtest.Buffer
	now     time.Duration // monotonic
	secret  string
	from    string // RemoteAddr of requests
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	secret, err := AddKey(path, "ada")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{T: t, record: &record{}, log: &logtest.Buffer{}, secret: secret, from: "192.0.2.7:1000"}
	log := slog.New(slog.NewTextHandler(d.log, nil))
	d.engine = memory.New(chat.SystemClock(), log).Parts()
	protected, err := Protect(nil, []string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	d.handler = NewHandler(Config{
		KeysFile: path, Hub: d.engine.Bans, Bans: d.engine.Bans, Sessions: d.engine.Sessions, Users: d.engine.Directory,
		Protected: protected, Audit: d.record,
		Limits:    func() ([]Limit, error) { return []Limit{{Setting: "limits.rooms", Value: "3"}}, nil },
		Now:       d.engine.Log.Now,
		Monotonic: func() time.Duration { return d.now },
		Log:       log,
	})
	return d
}

// ask makes a request with a key, or with none.
func (d *desk) ask(secret, method, path, body string) (status int, answer string) {
	d.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = d.from
	if secret != "" {
		r.Header.Set("Authorization", "Bearer "+secret)
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	if w.Header().Get("Cache-Control") != "no-store" {
		d.Errorf("%s %s: others may keep the answer: %v", method, path, w.Header())
	}
	return w.Code, w.Body.String()
}

// refused makes a request that must be refused for the given reason.
func (d *desk) refused(status int, reason, method, path, body string) {
	d.Helper()
	if got, answer := d.ask(d.secret, method, path, body); got != status || !strings.Contains(answer, `"reason":"`+reason+`"`) {
		d.Errorf("%s %s %.80q: %d %s; want %d %s", method, path, body, got, answer, status, reason)
	}
}

// No request is answered without a key, and the answer says nothing else.
func TestKeyNeeded(t *testing.T) {
	d := newDesk(t)
	other, _ := NewKey("ada")
	for _, secret := range []string{"", other, d.secret + "x", "ada"} {
		for _, path := range []string{"/admin/bans", "/admin/limits", "/admin/", "/admin/nothing", "/admin/debug/pprof/heap"} {
			d.now += time.Hour
			if status, answer := d.ask(secret, "GET", path, ""); status != 401 || !strings.Contains(answer, "key_refused") {
				t.Errorf("%q, %s: %d %s", secret, path, status, answer)
			}
		}
	}
	if status, _ := d.ask(d.secret, "GET", "/admin/nothing", ""); status != 404 {
		t.Errorf("with the key: %d", status)
	}
	if status, _ := d.ask(d.secret, "PUT", "/admin/bans", ""); status != 405 {
		t.Errorf("PUT: %d", status)
	}
	for scheme, want := range map[string]int{"Bearer ": 200, "bearer ": 200, "Basic ": 401, "": 401} {
		r := httptest.NewRequest("GET", "/admin/bans", nil)
		r.Header.Set("Authorization", scheme+d.secret)
		w := httptest.NewRecorder()
		if d.handler.ServeHTTP(w, r); w.Code != want {
			t.Errorf("scheme %q: %d", scheme, w.Code)
		}
		if want == 401 && w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("scheme %q: %v", scheme, w.Header())
		}
	}
}

func TestProfiles(t *testing.T) {
	d := newDesk(t)
	for path, begin := range map[string]string{
		"heap":              "\x1f\x8b", // gzip
		"goroutine?debug=1": "goroutine profile:",
		"trace?seconds=0.1": "go 1.",
		"":                  "<html>",
	} {
		if status, answer := d.ask(d.secret, "GET", "/admin/debug/pprof/"+path, ""); status != 200 || !strings.HasPrefix(answer, begin) {
			t.Errorf("%s: %d %.40q", path, status, answer)
		}
	}
	if status, _ := d.ask(d.secret, "GET", "/admin/debug/pprof/nothing", ""); status != 404 {
		t.Errorf("an unknown profile: %d", status)
	}
}

// A client that tries keys is soon ignored, and does not fill the log, but an administrator with a
// key is let in, even from the same address.
func TestFailuresAreLimited(t *testing.T) {
	d := newDesk(t)
	counts := map[int]int{}
	for range 100 {
		status, _ := d.ask("hawser_admin_x", "GET", "/admin/bans", "")
		counts[status]++
	}
	if counts[401] != failuresPerMinute || counts[429] != 100-failuresPerMinute {
		t.Errorf("the answers are %v", counts)
	}
	if n := strings.Count(d.log.String(), "no valid key"); n != failuresPerMinute {
		t.Errorf("%d lines in the log:\n%s", n, d.log)
	}
	if status, answer := d.ask(d.secret, "GET", "/admin/bans", ""); status != 200 {
		t.Errorf("with the key: %d %s", status, answer)
	}
	d.from = "192.0.2.8:1000"
	if status, _ := d.ask("x", "GET", "/admin/bans", ""); status != 401 {
		t.Errorf("from another address: %d", status)
	}
	d.from, d.now = "192.0.2.7:1001", time.Minute/failuresPerMinute
	for _, want := range []int{401, 429} {
		if status, _ := d.ask("x", "GET", "/admin/bans", ""); status != want {
			t.Errorf("later: %d, want %d", status, want)
		}
	}
}

// A key is valid as long as its line is in the file.
func TestKeysComeAndGo(t *testing.T) {
	d := newDesk(t)
	bob, err := AddKey(d.handler.cfg.KeysFile, "bob")
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := d.ask(bob, "POST", "/admin/bans", `{"subject":"u_eve","reason":"spam"}`); status != 200 || d.record.entries[0].Who != "bob" {
		t.Errorf("%d %s", status, answer)
	}
	if err := os.WriteFile(d.handler.cfg.KeysFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _ := d.ask(bob, "GET", "/admin/bans", ""); status != 401 {
		t.Errorf("after its line is gone: %d", status)
	}
	if err := os.Remove(d.handler.cfg.KeysFile); err != nil {
		t.Fatal(err)
	}
	if status, answer := d.ask(bob, "GET", "/admin/bans", ""); status != 503 || !strings.Contains(answer, "keys_unreadable") || strings.Contains(answer, d.handler.cfg.KeysFile) {
		t.Errorf("without the file: %d %s", status, answer)
	}
	d.handler.cfg.KeysFile = ""
	if status, answer := d.ask(bob, "GET", "/admin/bans", ""); status != 403 || !strings.Contains(answer, "set admin_keys_file") {
		t.Errorf("without the setting: %d %s", status, answer)
	}
}

func TestRequestsRefused(t *testing.T) {
	d := newDesk(t)
	long := strings.Repeat("é", maxReason)
	for _, c := range []struct {
		status       int
		reason, body string
	}{
		{400, "not_json", ``},
		{400, "not_json", `[]`},
		{400, "not_json", `{"subject":"u_eve","reason":"x"} {}`},
		{400, "not_json", `{"subject":"u_eve","reason":"x","for":"10m"}`},
		{400, "not_json", `{"subject":"u_eve","reason":"` + strings.Repeat("x", maxBody) + `"}`},
		{400, "bad_subject", `{"reason":"x"}`},
		{400, "bad_subject", `{"subject":"eve","reason":"x"}`},
		{400, "bad_subject", `{"subject":"192.0.2.0/33","reason":"x"}`},
		{400, "bad_subject", `{"subject":"fe80::1%eth0","reason":"x"}`},
		{400, "bad_reason", `{"subject":"u_eve"}`},
		{400, "bad_reason", `{"subject":"u_eve","reason":" "}`},
		{400, "bad_reason", `{"subject":"u_eve","reason":"a\nb"}`},
		{400, "bad_reason", `{"subject":"u_eve","reason":"\u001b[2J"}`},
		{400, "bad_reason", `{"subject":"u_eve","reason":"` + long + `x"}`},
		{400, "bad_time", `{"subject":"u_eve","reason":"x","for_ms":999}`},
		{400, "bad_time", `{"subject":"u_eve","reason":"x","for_ms":-1}`},
		{400, "bad_time", `{"subject":"u_eve","reason":"x","for_ms":9223372036854775807}`},
		{403, "protected", `{"subject":"10.1.2.3","reason":"x"}`},
		{403, "protected", `{"subject":"8.0.0.0/6","reason":"x"}`},
		{403, "protected", `{"subject":"0.0.0.0/0","reason":"x"}`},
		{403, "protected", `{"subject":"::/0","reason":"x"}`},
		{403, "protected", `{"subject":"::ffff:10.1.2.3","reason":"x"}`},
		{403, "protected", `{"subject":"::ffff:0.0.0.0/96","reason":"x"}`},
	} {
		d.refused(c.status, c.reason, "POST", "/admin/bans", c.body)
	}
	d.refused(400, "bad_subject", "DELETE", "/admin/bans", "")
	d.refused(400, "bad_reason", "DELETE", "/admin/bans?subject=u_eve&reason=a%0ab", "")
	d.refused(404, "not_banned", "DELETE", "/admin/bans?subject=u_eve", "")
	d.refused(400, "bad_limit", "GET", "/admin/bans?limit=0", "")
	d.refused(400, "bad_subject", "POST", "/admin/kick", `{"user":"192.0.2.7"}`)
	d.refused(404, "unknown_user", "POST", "/admin/kick", `{"user":"u_eve"}`)
	d.refused(400, "bad_reason", "POST", "/admin/kick", `{"user":"u_eve","reason":"`+long+`x"}`)
	if bans, _ := d.engine.Bans.List("", 10); len(bans) > 0 {
		t.Errorf("somebody is banned: %v", bans)
	}
	for _, e := range d.record.entries {
		if e.Result == audit.Accepted && e.What != "unban" || e.Who != "ada" || e.From != "192.0.2.7" || len(e.Subject) > maxShown {
			t.Errorf("in the record: %+v", e)
		}
	}
	if status, answer := d.ask(d.secret, "POST", "/admin/bans", `{"subject":"u_eve","reason":"`+long+`"}`); status != 200 {
		t.Errorf("the longest reason: %d %s", status, answer)
	}
}

func (d *desk) ban(body string) string {
	d.Helper()
	status, answer := d.ask(d.secret, "POST", "/admin/bans", body)
	if status != 200 {
		d.Fatalf("%s: %d %s", body, status, answer)
	}
	return answer
}

func TestWarnings(t *testing.T) {
	d := newDesk(t)
	if err := d.engine.Directory.PutUser(t.Context(), chat.User{ID: "u_eve", Name: "Eve"}); err != nil {
		t.Fatal(err)
	}
	for subject, says := range map[string]string{
		"u_eve": "", "u_bob": "there is no user u_bob", "192.0.2.8": "", "192.0.2.0/24": "192.0.2.0/24 contains 192.0.2.7, which is your own address",
	} {
		if answer := d.ban(fmt.Sprintf(`{"subject":%q,"reason":"x"}`, subject)); strings.Contains(answer, "warnings") != (says != "") || !strings.Contains(answer, says) {
			t.Errorf("%s: %s", subject, answer)
		}
	}
	// Over a Unix socket there is no address.
	d.from = "@"
	if answer := d.ban(`{"subject":"192.0.2.0/24","reason":"x"}`); strings.Contains(answer, "warnings") {
		t.Error(answer)
	}
	if last := d.record.entries[len(d.record.entries)-1]; last.From != "unix" {
		t.Errorf("in the record: %+v", last)
	}
}

// A ban replaces an earlier one.
func TestBanReplaced(t *testing.T) {
	d := newDesk(t)
	if err := d.engine.Bans.Ban(t.Context(), chat.Ban{UserID: "u_eve", Reason: "flood", By: "x", Since: 1, Strike: 3}); err != nil {
		t.Fatal(err)
	}
	d.ban(`{"subject":"u_eve","reason":"x","for_ms":60000}`)
	if b, _ := d.engine.Bans.OfUser("u_eve"); b.By != "ada" || b.Reason != "x" || b.Since == 1 || b.Until != b.Since+60_000 {
		t.Errorf("%+v", b)
	}
}

// An act that cannot be recorded is not done, and the answer says so.
func TestNotRecorded(t *testing.T) {
	d := newDesk(t)
	d.ban(`{"subject":"192.0.2.9","reason":"x"}`)
	if err := d.engine.Directory.PutUser(t.Context(), chat.User{ID: "u_eve", Name: "Eve"}); err != nil {
		t.Fatal(err)
	}
	session := chat.Session{ID: "s", UserID: "u_eve", Began: 1, Seen: 1}
	if err := d.engine.Sessions.Begin(t.Context(), session); err != nil {
		t.Fatal(err)
	}
	d.record.full = errors.New("no space left on device")
	d.refused(503, "not_recorded", "POST", "/admin/bans", `{"subject":"u_eve","reason":"x"}`)
	d.refused(503, "not_recorded", "DELETE", "/admin/bans?subject=192.0.2.9", "")
	d.refused(503, "not_recorded", "POST", "/admin/kick", `{"user":"u_eve"}`)
	if _, banned := d.engine.Bans.OfUser("u_eve"); banned {
		t.Error("the user is banned")
	}
	if _, banned := d.engine.Bans.OfAddress(netip.MustParseAddr("192.0.2.9")); !banned {
		t.Error("the address is not banned any more")
	}
	if list, err := d.engine.Sessions.List(t.Context(), "u_eve"); err != nil || len(list) != 1 {
		t.Errorf("the sessions: %v, %v", list, err)
	}
	if status, _ := d.ask(d.secret, "GET", "/admin/bans", ""); status != 200 {
		t.Errorf("the list: %d", status)
	}
}

// failing is a hub whose engine is away.
type failing struct{ err error }

func (f failing) Ban(context.Context, chat.Ban) error         { return f.err }
func (f failing) Unban(context.Context, string) (bool, error) { return false, f.err }

func TestEngineAway(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		reason string
	}{
		{errors.New("Redis is away"), 503, "store_unavailable"},
		{fmt.Errorf("Redis: %w", chat.ErrOutcomeUnknown), 503, "outcome_unknown"},
		{chat.ErrTooManyBans, 409, "too_many_bans"},
	} {
		d := newDesk(t)
		d.handler.cfg.Hub = failing{c.err}
		d.refused(c.status, c.reason, "POST", "/admin/bans", `{"subject":"u_eve","reason":"x"}`)
		var got []audit.Result
		for _, e := range d.record.entries {
			got = append(got, e.Result)
		}
		if d := cmp.Diff([]audit.Result{audit.Accepted, audit.Failed}, got); d != "" {
			t.Error(d)
		}
		if detail := d.record.entries[1].Detail; detail != c.err.Error() {
			t.Errorf("the record says %q", detail)
		}
	}
}

// The list of all bans comes in pages, in order, each once.
func TestClientPages(t *testing.T) {
	d := newDesk(t)
	s := httptest.NewServer(d.handler)
	defer s.Close()
	c, err := NewClient(s.URL+"/", d.secret)
	if err != nil {
		t.Fatal(err)
	}
	if bans, err := c.Bans(t.Context(), 0); err != nil || len(bans) != 0 {
		t.Errorf("at first: %v, %v", bans, err)
	}
	var want []string
	for i := range 25 {
		want = append(want, fmt.Sprintf("u_%02d", i))
		if _, err := c.Ban(t.Context(), want[i], "x", 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range []int{0, 1, 5, 7, 25, 26} {
		bans, err := c.Bans(t.Context(), page)
		var got []string
		for _, b := range bans {
			got = append(got, b.Subject())
		}
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("in pages of %d: %v\n%s", page, err, d)
		}
	}
}

// A key is sent only to the server that was named.
func TestKeyStaysWithServer(t *testing.T) {
	var got []string
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got = append(got, r.Header.Get("Authorization")) }))
	defer thief.Close()
	s := httptest.NewServer(http.RedirectHandler(thief.URL+"/admin/limits", http.StatusTemporaryRedirect))
	defer s.Close()
	c, err := NewClient(s.URL, "hawser_admin_x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Limits(t.Context()); err == nil || !strings.Contains(err.Error(), "307") || got != nil {
		t.Errorf("%v; the other server has got %q", err, got)
	}
}

func TestClientErrors(t *testing.T) {
	for _, bad := range []string{"", "ftp://x", "http://", "http://u:p@host:1", "http://host/?x", "http://%", "http://host/#x"} {
		if _, err := NewClient(bad, "x"); err == nil || !strings.Contains(err.Error(), "is not an address") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for body, says := range map[string]string{"hello": "is it a hawser", `{"message":"x"}`: "is it a hawser", `{"type":"error","code":418,"reason":"x","message":"a teapot"}`: "a teapot"} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(418)
			io.WriteString(w, body)
		}))
		c, err := NewClient(s.URL, "x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Kick(t.Context(), "u_eve", ""); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", body, err)
		}
		s.Close()
		if _, err := c.Kick(t.Context(), "u_eve", ""); err == nil || !strings.Contains(err.Error(), "cannot reach the server at "+s.URL) {
			t.Errorf("a server that is gone: %v", err)
		}
	}
}
