package web

import (
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
	defer srv.Close()

	inEngines(t, func(t *testing.T, b *browser.Browser) {
		w := openWindow(t, b, srv.URL+"/test/blank", 800, 600)
		for _, name := range []string{"connection", "conversation", "client", "identity", "view", "box"} {
			t.Run(name, func(t *testing.T) { testModule(t, w, name) })
		}
	})
}

func testModule(t *testing.T, w *window, name string) {
	results := eval[map[string]string](w, fmt.Sprintf(`Promise.all([import('/test/%s_test.js'), import('/test/check.js')])
		.then(([tests, check]) => check.run(tests.default))`, name))
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
