package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

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
	defer srv.Close()

	ctx := browser.Start(t)
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(srv.URL+"/test/blank")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"connection", "conversation", "client", "identity", "view", "timeline", "box"} {
		t.Run(name, func(t *testing.T) {
			script := fmt.Sprintf(`Promise.all([import('/test/%s_test.js'), import('/test/check.js')])
				.then(([tests, check]) => check.run(tests.default))`, name)
			results, err := chromedp.Run(ctx, chromedp.Evaluate[map[string]string](script, chromedp.EvalAwaitPromise))
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
		})
	}
}
