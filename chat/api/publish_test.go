package api

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/memory"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// socket is a chat.Socket, and a chat.Fanout with itself as the one member.
type socket struct {
	mu    sync.Mutex
	heard []string
	more  sync.Cond
}

func (s *socket) Flushed(f func(int)) { f(0) }

func (s *socket) SendPrepared(m *wsproto.Prepared) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, string(m.Payload()))
	s.more.Broadcast()
	return nil
}
func (s *socket) Close(wsproto.CloseCode, string)          {}
func (s *socket) Pause(bool)                               {}
func (s *socket) Join(chat.Socket)                         {}
func (s *socket) Leave(chat.Socket)                        {}
func (s *socket) Send(m *wsproto.Prepared, _ chat.Urgency) { s.SendPrepared(m) }

// hear waits for a message that contains words.
func (s *socket) hear(words string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for _, m := range s.heard {
			if strings.Contains(m, words) {
				return m
			}
		}
		s.more.Wait()
	}
}

type tokenIsUser struct{}

func (tokenIsUser) Authenticate(token string) (chat.Identity, error) {
	return chat.Identity{UserID: token}, nil
}

// A publication of another program reaches the people in a room as a user's message, and
// is stored once for its ref.
func TestPublish(t *testing.T) {
	engine := memory.New(nil, slog.New(slog.DiscardHandler)).Parts()
	for _, u := range []chat.User{{ID: "u_ada", Name: "Ada"}, {ID: "u_bot", Name: "Harbour office"}} {
		if err := engine.Directory.PutUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	ada := &socket{}
	ada.more.L = &ada.mu
	hub := chat.New(chat.Config{Engine: engine, Auth: tokenIsUser{}, NewFanout: func() chat.Fanout { return ada }, Log: slog.New(slog.DiscardHandler)})
	defer hub.Shutdown(t.Context())
	c := hub.Open(ada, chat.ConnectionInfo{})
	c.Handle(frame.Text, []byte(`{"type":"auth","token":"u_ada"}`))
	c.Handle(frame.Text, []byte(`{"type":"join","receiver_id":"lobby","ref":"j"}`))
	ada.hear(`"ref":"j"`)

	p := &Publish{Hub: hub, Users: engine.Directory, Key: "secret", Log: slog.New(slog.DiscardHandler)}
	post := func(key, body string) (int, string) {
		r := httptest.NewRequest("POST", "/api/publish", strings.NewReader(body))
		if key != "" {
			r.Header.Set("Authorization", key)
		}
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	for range 2 {
		code, body := post("Bearer secret", `{"type":"group","sender_id":"u_bot","receiver_id":"lobby","content":"Berth 4 is free.","ref":"r1"}`)
		if code != 200 || !strings.Contains(body, `{"type":"ack","op":"group","receiver_id":"lobby"`) || !strings.Contains(body, `"seq":1,`) {
			t.Errorf("%d %s", code, body)
		}
	}
	if m := ada.hear("Berth 4"); !strings.Contains(m, `"sender_id":"u_bot"`) || !strings.Contains(m, `"sender_name":"Harbour office"`) {
		t.Errorf("ada heard %s", m)
	}
	if code, body := post("Bearer secret", `{"type":"message","sender_id":"u_bot","receiver_id":"u_ada","content":"Psst."}`); code != 200 {
		t.Errorf("%d %s", code, body)
	}
	ada.hear("Psst.")
	for _, c := range []struct {
		key, body string
		code      int
		reason    string
	}{
		{"", `{}`, 401, "key_refused"},
		{"Bearer wrong", `{}`, 401, "key_refused"},
		{"secret", `{}`, 401, "key_refused"},
		{"Basic secret", `{}`, 401, "key_refused"},
		{"bearer secret", `{"type":"group","sender_id":"u_no","receiver_id":"lobby","content":"x"}`, 404, "unknown_user"},
		{"Bearer secret", `nonsense`, 400, "not_json"},
		{"Bearer secret", `{"type":"join","sender_id":"u_bot","receiver_id":"lobby"}`, 400, "unknown_type"},
		{"Bearer secret", `{"type":"group","receiver_id":"lobby","content":"x","ref":"r"}`, 400, "missing_field"},
		{"Bearer secret", `{"type":"group","sender_id":"u_no","receiver_id":"lobby","content":"x","ref":"r"}`, 404, "unknown_user"},
		{"Bearer secret", `{"type":"message","sender_id":"u_bot","receiver_id":"u_no","content":"x","ref":"r"}`, 404, "unknown_user"},
		{"Bearer secret", `{"type":"group","sender_id":"u_bot","receiver_id":"no room","content":"x"}`, 400, "bad_room"},
		{"Bearer secret", `{"x":"` + strings.Repeat("x", defaultBody) + `"}`, 413, "body_too_long"},
	} {
		code, body := post(c.key, c.body)
		var got struct{ Reason string }
		if json.Unmarshal([]byte(body), &got) != nil || code != c.code || got.Reason != c.reason {
			t.Errorf("%q %.60s: %d %s, want %d %s", c.key, c.body, code, body, c.code, c.reason)
		}
		if strings.Contains(c.body, `"ref":"r"`) && !strings.Contains(body, `"ref":"r"`) {
			t.Errorf("%s is answered without its ref: %s", c.body, body)
		}
	}
	if code, body := post("Bearer secret", "{\"type\":\"group\",\"sender_id\":\"u_bot\",\"receiver_id\":\"lobby\",\"content\":\"\xff\"}"); code != 400 || !strings.Contains(body, "not UTF-8") {
		t.Errorf("half a character: %d %s", code, body)
	}
	p.Key = ""
	if code, _ := post("Bearer ", `{}`); code != 401 {
		t.Errorf("without a key configured: %d", code)
	}
}

// doer answers every operation with a failure, or not at all.
type doer struct{ fail *chat.Failure }

func (d doer) Parse(text []byte) (*chat.Operation, *chat.Failure) { return new(chat.Hub).Parse(text) }

func (d doer) Do(_ context.Context, a chat.Actor, op *chat.Operation) {
	if d.fail != nil {
		a.Answer(op, nil, d.fail)
	}
}

// A refusal says when to try again, and the handler does not wait for a program that
// hangs up.
func TestPublishRefused(t *testing.T) {
	engine := memory.New(nil, slog.New(slog.DiscardHandler)).Parts()
	if err := engine.Directory.PutUser(t.Context(), chat.User{ID: "u_bot", Name: "Bot"}); err != nil {
		t.Fatal(err)
	}
	post := func(ctx context.Context, d doer) *httptest.ResponseRecorder {
		p := &Publish{Hub: d, Users: engine.Directory, Key: "secret", Log: slog.New(slog.DiscardHandler)}
		r := httptest.NewRequest("POST", "/api/publish", strings.NewReader(`{"type":"group","sender_id":"u_bot","receiver_id":"lobby","content":"x","ref":"r"}`)).WithContext(ctx)
		r.Header.Set("Authorization", "Bearer secret")
		w := httptest.NewRecorder()
		p.ServeHTTP(w, r)
		return w
	}
	w := post(t.Context(), doer{&chat.Failure{Code: 429, Reason: "quota_exceeded", Message: "x", RetryAfter: 1500 * time.Millisecond}})
	if w.Code != 429 || w.Header().Get("Retry-After") != "2" || !strings.Contains(w.Body.String(), `"ref":"r"`) {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began := time.Now()
		if w := post(ctx, doer{}); w.Code != 503 || !strings.Contains(w.Body.String(), `"reason":"outcome_unknown"`) || time.Since(began) != time.Second {
			t.Errorf("hung up after %v: %d %s", time.Since(began), w.Code, w.Body)
		}
	})
}
