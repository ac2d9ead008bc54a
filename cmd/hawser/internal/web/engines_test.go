package web

import (
	"fmt"
	"os"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

// browsers are those of the tests, each started when the first test asks for it.
var browsers browser.Set

func TestMain(m *testing.M) {
	code := m.Run()
	if err := browsers.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// inEngines runs a test in Chromium, Firefox and WebKit, one after the other: together
// they would not fit on two processors.
func inEngines(t *testing.T, test func(*testing.T, *browser.Browser)) {
	for _, engine := range browser.Engines {
		t.Run(string(engine), func(t *testing.T) {
			b, err := browsers.Get(engine)
			if err != nil {
				t.Fatal(err)
			}
			test(t, b)
		})
	}
}
