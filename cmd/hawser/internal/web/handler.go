package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// The page is four files: a browser opens few connections for them, and few can be
// refused. bundle.js is the modules of the page put together, see bundle_test.go.
//
//go:embed page/index.html page/style.css page/icon.svg bundle.js
var embedded embed.FS

// files are the page's files by the path at which they are served. The media types are
// not looked up in the system's table, which may say anything: with nosniff a wrong one
// breaks the page.
var files = []struct{ url, name, contentType string }{
	{"/style.css", "page/style.css", "text/css; charset=utf-8"},
	{"/app.js", "bundle.js", "text/javascript; charset=utf-8"},
	{"/icon.svg", "page/icon.svg", "image/svg+xml"},
	{"/", "page/index.html", "text/html; charset=utf-8"},
}

// policy lets the page use its own files and its one inline script, and nothing else.
// No text can become markup or script: with require-trusted-types-for, the interfaces
// that would allow that throw.
const policy = "default-src 'none'; " +
	"script-src 'self' %s; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
	"require-trusted-types-for 'script'; trusted-types 'none'"

type file struct {
	contentType string
	policy      string
	version     string // of the content
	plain       body
	gzipped     body
}

// body is a file's content in one encoding.
type body struct {
	content []byte
	etag    string
}

// Handler serves the page at /, the files it is made of beside it, and 404 for every
// other path. The page refers to everything relative to its own address, so a proxy may
// serve it under any path that ends with a slash. It may be used by many goroutines.
func Handler() http.Handler {
	page, err := load(embedded)
	if err != nil {
		panic("web: internal error: " + err.Error())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serve(page, w, r)
	})
}

// load reads the files, and puts the versions of the others into the page itself.
func load(source fs.FS) (map[string]file, error) {
	page := map[string]file{}
	for _, f := range files {
		content, err := fs.ReadFile(source, f.name)
		if err != nil {
			return nil, err
		}
		if f.url == "/" {
			if content, err = refer(content, page); err != nil {
				return nil, err
			}
		}
		gzipped, err := compress(content)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		version := base64.RawURLEncoding.EncodeToString(sum[:16])
		page[f.url] = file{
			contentType: f.contentType,
			version:     version,
			plain:       body{content, strconv.Quote(version)},
			gzipped:     body{gzipped, strconv.Quote(version + "-gzip")},
		}
	}
	inline, err := hashInline(page["/"].plain.content)
	if err != nil {
		return nil, err
	}
	for url, f := range page {
		f.policy = fmt.Sprintf(policy, inline)
		page[url] = f
	}
	return page, nil
}

var reference = regexp.MustCompile(`(src|href)="([^"#]+)"`)

// refer adds to every reference in the page the version of its target: a file can then
// be cached forever, and is never mixed with those of another version.
func refer(html []byte, page map[string]file) ([]byte, error) {
	var unknown error
	html = reference.ReplaceAllFunc(html, func(m []byte) []byte {
		part := reference.FindSubmatch(m)
		f, ok := page["/"+string(part[2])]
		if !ok {
			unknown = fmt.Errorf("index.html refers to %q, which is not a file of the page", part[2])
		}
		return fmt.Appendf(nil, `%s="%s?v=%s"`, part[1], part[2], f.version)
	})
	return html, unknown
}

var inlineScript = regexp.MustCompile(`(?s)<script>(.*?)</script>`)

// hashInline is the source expression that allows the script in the page.
func hashInline(html []byte) (string, error) {
	scripts := inlineScript.FindAllSubmatch(html, -1)
	if len(scripts) != 1 {
		return "", fmt.Errorf("index.html has %d inline scripts, want 1", len(scripts))
	}
	sum := sha256.Sum256(scripts[0][1])
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'", nil
}

func compress(content []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	err = w.Close()
	return b.Bytes(), err
}

func serve(page map[string]file, w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	f, ok := page[r.URL.Path]
	version := r.URL.Query().Get("v")
	if !ok || version != "" && version != f.version {
		// The request comes from another version's page, which must not get this
		// version's script.
		h.Set("Cache-Control", "no-store")
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "405 method not allowed", http.StatusMethodNotAllowed)
		return
	}
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Security-Policy", f.policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// The page itself is requested each time, and answered 304 until a new binary has
	// another one.
	h.Set("Cache-Control", "no-cache")
	if version != "" {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Vary", "Accept-Encoding")
	content := f.plain
	if acceptsGzip(r) {
		content = f.gzipped
		h.Set("Content-Encoding", "gzip")
		h.Set("Content-Length", strconv.Itoa(len(content.content)))
	}
	h.Set("ETag", content.etag)
	http.ServeContent(w, r, path.Base(r.URL.Path), time.Time{}, bytes.NewReader(content.content))
}

// acceptsGzip reports whether the client accepts gzip (RFC 9110 12.5.3). Parts of a
// file are served uncompressed.
func acceptsGzip(r *http.Request) bool {
	if r.Header.Get("Range") != "" {
		return false
	}
	for _, field := range r.Header.Values("Accept-Encoding") {
		for coding := range strings.SplitSeq(field, ",") {
			name, weight, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(coding, " ", "")), ";")
			if name == "gzip" {
				q, err := strconv.ParseFloat(strings.TrimPrefix(weight, "q="), 64)
				return weight == "" || err == nil && q > 0
			}
		}
	}
	return false
}
