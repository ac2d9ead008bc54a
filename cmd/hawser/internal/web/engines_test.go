package web

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

// browsers are those of the tests, each started when the first test asks for it.
var browsers browser.Set

// sideBySide is how many tests run at once, on two processors, too: most of the time a
// test waits for its browser, and the browser for a frame or a timer. A window is a few
// processes, and a test has up to four.
const sideBySide = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		flag.Set("test.parallel", sideBySide)
	}
	code := m.Run()
	if err := browsers.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// inEngines runs a test in Chromium, Firefox and WebKit, side by side and beside other
// tests.
func inEngines(t *testing.T, test func(*testing.T, *browser.Browser)) {
	t.Parallel()
	for _, engine := range browser.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			b, err := browsers.Get(engine)
			if err != nil {
				t.Fatal(err)
			}
			test(t, b)
		})
	}
}

// pageTest is a test of the page on a service. Those that share one run at the same
// time: each has rooms of its own, and leaves the service alone.
type pageTest struct {
	name string
	test func(*testing.T, *browser.Browser, *service)
}

func runTests(t *testing.T, b *browser.Browser, s *service, tests []pageTest) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(t, b, s)
		})
	}
}
