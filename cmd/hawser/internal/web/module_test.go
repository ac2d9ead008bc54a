package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

// TestModules runs the tests in testdata against the modules, each by itself.
func TestModules(t *testing.T) {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir("page")))
	mux.Handle("/test/", http.StripPrefix("/test/", http.FileServer(http.Dir("testdata"))))
	mux.HandleFunc("/test/blank", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<!doctype html>")
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close) // after the engines, which run later

	inEngines(t, func(t *testing.T, b *browser.Browser) {
		w := openWindow(t, b, srv.URL+"/test/blank", 1280, 720)
		names := []string{"connection", "conversation", "client", "resume", "delivery", "directory", "status", "identity", "view", "box", "place"}
		if b.Engine == browser.Chromium {
			names = append(names, "timeline", "random") // which measures times, and needs no engine
		}
		for _, name := range names {
			t.Run(name, func(t *testing.T) { testModule(t, w, name) })
		}
	})
}

func testModule(t *testing.T, w *window, name string) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	var results map[string]string
	err := w.tab.Eval(ctx, fmt.Sprintf(`Promise.all([import('/test/%s_test.js'), import('/test/check.js')])
		.then(([tests, check]) => check.run(tests.default))`, name), &results)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) == 0 {
		t.Fatal("no tests were run")
	}
	for test, failure := range results {
		t.Run(test, func(t *testing.T) {
			if failure != "" {
				t.Error(failure)
			}
		})
	}
}
