package web

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

// browsers are the tests' browsers, each started when the first test asks for it.
var browsers browser.Set

// turns allows one test at a time for each engine. In Firefox a window that another test
// opens takes the focus from the open ones.
var turns = map[browser.Engine]*sync.Mutex{}

func TestMain(m *testing.M) {
	for _, engine := range browser.Engines {
		turns[engine] = &sync.Mutex{}
	}
	flag.Parse()
	flag.Set("test.parallel", "1000") // turns bounds it
	code := m.Run()
	if err := browsers.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if built.dir != "" {
		os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// inEngines runs a test in Chromium, Firefox and WebKit, side by side: most of the time a
// test waits for its browser, and the browser for a frame or a timer.
func inEngines(t *testing.T, test func(*testing.T, *browser.Browser)) {
	t.Parallel()
	for _, engine := range browser.Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			turns[engine].Lock()
			t.Cleanup(turns[engine].Unlock) // after the windows are closed
			b, err := browsers.Get(engine)
			if err != nil {
				t.Fatal(err)
			}
			test(t, b)
		})
	}
}

// takeTurns is for a test of two engines together. It blocks neither while it waits for the
// other.
func takeTurns(t *testing.T, one, other browser.Engine) {
	for {
		turns[one].Lock()
		if turns[other].TryLock() {
			break
		}
		turns[one].Unlock()
		one, other = other, one
	}
	t.Cleanup(turns[one].Unlock)
	t.Cleanup(turns[other].Unlock)
}

// pageTest is a test of the page on a service that it shares with others: each has rooms
// of its own, and leaves the service alone.
type pageTest struct {
	name string
	test func(*testing.T, *browser.Browser, *service)
}

func runTests(t *testing.T, b *browser.Browser, s *service, tests []pageTest) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, b, s) })
	}
}
