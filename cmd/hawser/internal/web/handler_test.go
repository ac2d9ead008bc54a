package web

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func get(t *testing.T, method, target string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(b.String(), "\r\n\r\n")
	return text
}

func TestFiles(t *testing.T) {
	for _, tt := range []struct{ path, contentType, begins string }{
		{"/", "text/html; charset=utf-8", "<!doctype html>"},
		{"/style.css", "text/css; charset=utf-8", "/*"},
		{"/app.js", "text/javascript; charset=utf-8", "//"},
		{"/chat/client.js", "text/javascript; charset=utf-8", "//"},
		{"/view/chat.js", "text/javascript; charset=utf-8", "//"},
		{"/icon.svg", "image/svg+xml", "<svg"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			res := get(t, "GET", tt.path)
			if res.StatusCode != http.StatusOK {
				t.Fatal(res.Status)
			}
			want := http.Header{
				"Accept-Ranges":                {"bytes"},
				"Cache-Control":                {"no-cache"},
				"Content-Length":               {res.Header.Get("Content-Length")},
				"Content-Security-Policy":      {policy},
				"Content-Type":                 {tt.contentType},
				"Cross-Origin-Opener-Policy":   {"same-origin"},
				"Cross-Origin-Resource-Policy": {"same-origin"},
				"Etag":                         {res.Header.Get("ETag")},
				"Referrer-Policy":              {"no-referrer"},
				"X-Content-Type-Options":       {"nosniff"},
			}
			if d := cmp.Diff(want, res.Header); d != "" {
				t.Error(d)
			}
			if !regexp.MustCompile(`^"[A-Za-z0-9_-]{22}"$`).MatchString(res.Header.Get("ETag")) {
				t.Errorf("ETag %s", res.Header.Get("ETag"))
			}
			if text := body(t, res); !strings.HasPrefix(text, tt.begins) {
				t.Errorf("body begins with %.20q, want %q", text, tt.begins)
			}
		})
	}
}

func TestHead(t *testing.T) {
	full, head := get(t, "GET", "/app.js"), get(t, "HEAD", "/app.js")
	if d := cmp.Diff(full.Header, head.Header); d != "" {
		t.Errorf("HEAD and GET differ: %s", d)
	}
	if head.StatusCode != http.StatusOK || head.Header.Get("Content-Length") == "" {
		t.Errorf("%s, Content-Length %q", head.Status, head.Header.Get("Content-Length"))
	}
	if n, _ := head.Body.Read(make([]byte, 1)); n != 0 {
		t.Error("HEAD is answered with a body")
	}
}

func TestNotModified(t *testing.T) {
	etag := get(t, "GET", "/").Header.Get("ETag")
	if res := get(t, "GET", "/", "If-None-Match", etag); res.StatusCode != http.StatusNotModified {
		t.Errorf("the current ETag: %s, want 304", res.Status)
	}
	if res := get(t, "GET", "/", "If-None-Match", `"old"`); res.StatusCode != http.StatusOK {
		t.Errorf("an old ETag: %s, want 200", res.Status)
	}
	if other := get(t, "GET", "/app.js").Header.Get("ETag"); other == etag {
		t.Errorf("two files have the ETag %s", etag)
	}
}

func TestNotFound(t *testing.T) {
	for _, target := range []string{
		"/index.html", "/nothing", "/chat", "/chat/", "/page/app.js", "/app.js/", "//app.js",
		"/../handler.go", "/chat/../app.js", "/%61pp.js%00",
	} {
		res := get(t, "GET", target)
		if res.StatusCode != http.StatusNotFound || res.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %s, %v", target, res.Status, res.Header)
		}
	}
}

func TestMethodNotAllowed(t *testing.T) {
	res := get(t, "POST", "/")
	if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
		t.Errorf("%s, Allow %q", res.Status, res.Header.Get("Allow"))
	}
}

// What the page asks for is there, and nothing in it needs a laxer policy.
func TestReferences(t *testing.T) {
	reference := regexp.MustCompile(`(?:src|href)="(/[^"]*)"`)
	html := body(t, get(t, "GET", "/"))
	found := reference.FindAllStringSubmatch(html, -1)
	if len(found) == 0 {
		t.Fatal("the page refers to nothing")
	}
	for _, m := range found {
		if res := get(t, "GET", m[1]); res.StatusCode != http.StatusOK {
			t.Errorf("%s: %s", m[1], res.Status)
		}
	}
	inline := regexp.MustCompile(`<script>|<style|\sstyle=|\son[a-z]+=|https?://`)
	if m := inline.FindString(html); m != "" {
		t.Errorf("%q in index.html", m)
	}
}

// Every identifier that a module looks up is in the page.
func TestElementIDs(t *testing.T) {
	html := body(t, get(t, "GET", "/"))
	lookup := regexp.MustCompile(`(?:getElementById|byID)\('([a-z-]+)'\)`)
	n := 0
	err := fs.WalkDir(page, "page/view", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		source, err := fs.ReadFile(page, name)
		for _, m := range lookup.FindAllStringSubmatch(string(source), -1) {
			n++
			if !strings.Contains(html, ` id="`+m[1]+`"`) {
				t.Errorf("%s: no element %q", name, m[1])
			}
		}
		return err
	})
	if err != nil || n == 0 {
		t.Errorf("%d look-ups found, error %v", n, err)
	}
}

func TestUnknownMediaType(t *testing.T) {
	_, err := load(fstest.MapFS{"page/photo.webp": {}})
	if err == nil || err.Error() != "no media type for page/photo.webp" {
		t.Errorf("error %v", err)
	}
}
