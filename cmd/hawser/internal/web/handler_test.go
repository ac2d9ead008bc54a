package web

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"regexp"
	"strconv"
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

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestFiles(t *testing.T) {
	for _, tt := range []struct{ path, contentType, begins string }{
		{"/", "text/html; charset=utf-8", "<!doctype html>"},
		{"/style.css", "text/css; charset=utf-8", "/*"},
		{"/app.js", "text/javascript; charset=utf-8", "// Made from"},
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
				"Content-Security-Policy":      {res.Header.Get("Content-Security-Policy")}, // see TestPolicy
				"Content-Type":                 {tt.contentType},
				"Cross-Origin-Opener-Policy":   {"same-origin"},
				"Cross-Origin-Resource-Policy": {"same-origin"},
				"Etag":                         {res.Header.Get("ETag")},
				"Referrer-Policy":              {"no-referrer"},
				"Vary":                         {"Accept-Encoding"},
				"X-Content-Type-Options":       {"nosniff"},
			}
			if d := cmp.Diff(want, res.Header); d != "" {
				t.Error(d)
			}
			if !regexp.MustCompile(`^"[A-Za-z0-9_-]{22}"$`).MatchString(res.Header.Get("ETag")) {
				t.Errorf("ETag %s", res.Header.Get("ETag"))
			}
			if got := text(t, res); !strings.HasPrefix(got, tt.begins) {
				t.Errorf("body begins with %.20q, want %q", got, tt.begins)
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
		"/chat/client.js", "/bundle.js", "/../handler.go", "/chat/../app.js", "/%61pp.js%00",
		"/app.js?v=another", "/?v=another",
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

// The page asks for three files that exist, each by a relative address that always
// stands for this version of it; and nothing in the page needs a laxer policy.
func TestReferences(t *testing.T) {
	reference := regexp.MustCompile(`(?:src|href)="([^"]+)"`)
	html := text(t, get(t, "GET", "/"))
	found := map[string]bool{}
	for _, m := range reference.FindAllStringSubmatch(html, -1) {
		if strings.HasPrefix(m[1], "#") {
			continue
		}
		found[m[1]] = true
		if strings.HasPrefix(m[1], "/") || !strings.Contains(m[1], "?v=") {
			t.Errorf("the page refers to %s", m[1])
		}
		res := get(t, "GET", "/"+m[1])
		if res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" {
			t.Errorf("%s: %s, Cache-Control %q", m[1], res.Status, res.Header.Get("Cache-Control"))
		}
	}
	if len(found) != 3 {
		t.Errorf("the page is made of %v, want 3 files", found)
	}
	inline := regexp.MustCompile(`<style|\sstyle=|\son[a-z]+=|https?://`)
	if m := inline.FindString(html); m != "" {
		t.Errorf("%q in index.html", m)
	}
	// In the script addresses are relative, too.
	if m := regexp.MustCompile("['\"`]/(?:api|ws|app|style|icon)[^ ]*").FindString(text(t, get(t, "GET", "/app.js"))); m != "" {
		t.Errorf("%s in the script", m)
	}
}

// The page's inline script is allowed by its hash, and no other is.
func TestPolicy(t *testing.T) {
	res := get(t, "GET", "/")
	_, rest, _ := strings.Cut(text(t, res), "<script>")
	script, _, ok := strings.Cut(rest, "</script>")
	sum := sha256.Sum256([]byte(script))
	want := "script-src 'self' 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "';"
	policy := res.Header.Get("Content-Security-Policy")
	if !ok || !strings.Contains(policy, want) || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
		t.Errorf("policy %q, want %q in it", policy, want)
	}
	for _, directive := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
		if !strings.Contains(policy, directive+";") {
			t.Errorf("no %q in %q", directive, policy)
		}
	}
}

func TestCompressed(t *testing.T) {
	for _, tt := range []struct {
		header []string
		gzip   bool
	}{
		{nil, false},
		{[]string{"Accept-Encoding", "gzip, deflate, br, zstd"}, true},
		{[]string{"Accept-Encoding", "br;q=1.0, GZIP;q=0.5"}, true},
		{[]string{"Accept-Encoding", "gzip;q=0"}, false},
		{[]string{"Accept-Encoding", "gzip;q=0.000, *"}, false},
		{[]string{"Accept-Encoding", "xgzip"}, false},
		{[]string{"Accept-Encoding", "gzip", "Range", "bytes=0-3"}, false},
	} {
		res := get(t, "GET", "/app.js", tt.header...)
		plain := get(t, "GET", "/app.js")
		got := text(t, res)
		if length := res.Header.Get("Content-Length"); length != strconv.Itoa(len(got)) {
			t.Errorf("%q: Content-Length %s, %d bytes", tt.header, length, len(got))
		}
		if zipped := res.Header.Get("Content-Encoding") == "gzip"; zipped != tt.gzip {
			t.Errorf("%q: gzip %t", tt.header, zipped)
		}
		if tt.gzip {
			r, err := gzip.NewReader(strings.NewReader(got))
			if err != nil {
				t.Fatal(err)
			}
			unzipped, err := io.ReadAll(r)
			if err != nil || string(unzipped) != text(t, plain) || len(got) > len(unzipped)/2 {
				t.Errorf("%q: %d bytes of %d, error %v", tt.header, len(got), len(unzipped), err)
			}
			if res.Header.Get("ETag") == plain.Header.Get("ETag") {
				t.Error("two encodings have one ETag")
			}
			etag := res.Header.Get("ETag")
			again := get(t, "GET", "/app.js", append(tt.header, "If-None-Match", etag)...)
			if again.StatusCode != http.StatusNotModified || again.Header.Get("Content-Encoding") != "" {
				t.Errorf("the current ETag: %s, %v", again.Status, again.Header)
			}
		}
	}
}

// Every identifier that a module looks up is in the page.
func TestElementIDs(t *testing.T) {
	html := text(t, get(t, "GET", "/"))
	lookup := regexp.MustCompile(`(?:getElementById|byID)\('([a-z-]+)'\)`)
	n := 0
	err := fs.WalkDir(os.DirFS("page"), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".js" {
			return err
		}
		source, err := os.ReadFile(path.Join("page", name))
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

func TestLoadRefused(t *testing.T) {
	page := func(html string) fstest.MapFS {
		return fstest.MapFS{"page/index.html": {Data: []byte(html)}, "page/style.css": {}, "page/icon.svg": {}, "bundle.js": {}}
	}
	for _, tt := range []struct{ html, want string }{
		{`<script></script><img src="photo.webp">`, `index.html refers to "photo.webp", which is not a file of the page`},
		{`<img src="icon.svg">`, "index.html has 0 inline scripts, want 1"},
		{`<script></script><script></script>`, "index.html has 2 inline scripts, want 1"},
	} {
		if _, err := load(page(tt.html)); err == nil || err.Error() != tt.want {
			t.Errorf("%s: error %v, want %s", tt.html, err, tt.want)
		}
	}
}
