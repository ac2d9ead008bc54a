package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// The service is whole under the path of a proxy, one that takes the path off and one
// that leaves it.
func TestBasePath(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags []string
		strip bool
	}{
		{"the proxy takes it off", nil, true},
		{"the proxy leaves it", []string{"--base-path", "/chat"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := launch(t, t.TempDir(), "127.0.0.1:0", append(c.flags, "--public-origins", "*")...)
			target, err := url.Parse(s.url)
			if err != nil {
				t.Fatal(err)
			}
			var proxy http.Handler = httputil.NewSingleHostReverseProxy(target)
			if c.strip {
				proxy = http.StripPrefix("/chat", proxy)
			}
			mux := http.NewServeMux()
			mux.Handle("/chat/", proxy)
			front := httptest.NewServer(mux)
			defer front.Close()

			for path, want := range map[string]string{
				"/chat/":        "<!doctype html>",
				"/chat/app.js":  "// Made from",
				"/chat/healthz": "ok",
				"/chat":         "<!doctype html>", // by a redirect, the proxy's here
			} {
				if status, body := get(t, front.URL+path); status != 200 || !strings.HasPrefix(body, want) {
					t.Errorf("GET %s: %d %.40q", path, status, body)
				}
			}
			resp, err := http.Post(front.URL+"/chat/api/guest", "application/json", strings.NewReader(`{"name":"Ada"}`))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 {
				t.Errorf("POST /chat/api/guest: %d %s", resp.StatusCode, body)
			}
			token, id := s.guest("Bob")
			ws := "ws" + strings.TrimPrefix(front.URL, "http")
			cl, ok, err := enter(ws+"/chat/ws", token)
			if err != nil || ok.text("user_id") != id {
				t.Fatalf("/chat/ws: %v, %v", ok, err)
			}
			cl.nc.Close()
		})
	}
}

// What is found under the path is found without it, too: probes need not know it. An
// endpoint that is called like the path stays one.
func TestBasePathAndNone(t *testing.T) {
	s := launch(t, t.TempDir(), "127.0.0.1:0", "--base-path", "/chat")
	for path, want := range map[string]int{
		"/": 200, "/app.js": 200, "/healthz": 200, "/chat/healthz": 200,
		"/chatter/app.js": 404, "/chat/chat/app.js": 404, "/chat/nothing": 404,
	} {
		if status, body := get(t, s.url+path); status != want {
			t.Errorf("GET %s: %d %.40q, want %d", path, status, body, want)
		}
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Get(s.url + "/chat")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 308 || resp.Header.Get("Location") != "/chat/" {
		t.Errorf("GET /chat: %d, Location %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	token, _ := s.guest("Ada")
	for _, path := range []string{"/ws", "/chat", "/chat/", "/chat/ws", "/chat/ws/", "/chat/chat"} {
		cl, _, err := enter(s.ws(path), token)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		cl.nc.Close()
	}
}

func TestNoBasePath(t *testing.T) {
	h := http.NewServeMux()
	if underBase("", h) != http.Handler(h) {
		t.Error("without a path there is something in between")
	}
}
