package web

import (
	"strings"
	"syscall"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

const bannerText = `(document.getElementById('banner').checkVisibility() ? document.getElementById('banner-text').textContent : '')`

// TestTrouble is about what the page says when a connection fails.
func TestTrouble(t *testing.T) { inEngines(t, testTrouble) }

func testTrouble(t *testing.T, b *browser.Browser) {
	s := newService(t, "--public-origins", "*")
	f := newFront(t, "/", s)
	w := openWindow(t, b, f.url, 800, 600)
	w.enter("Ada", "trouble")
	shows := func(text string) {
		t.Helper()
		w.until(bannerText + `.startsWith(` + js(text) + `)`)
	}

	// P07: the server stands still. connection_test.js has the times.
	signal := func(sig syscall.Signal) {
		t.Helper()
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	shows("The server does not answer.")
	w.say("written into silence")
	signal(syscall.SIGCONT)
	w.until(bannerText + ` === '' && document.querySelector('#connection[data-state=online]')`)
	w.shows("written into silence")

	// P07: the server refuses to let the user in again, and says why.
	f.refuse("ws", status(429, "too many connections from this address", "1"))
	s.kill()
	s.start()
	shows("The server refuses connections at the moment: too many connections from this address.")
	f.refuse("ws", status(503, "the server is shutting down", ""))
	shows("The server refuses connections at the moment: the server is shutting down.")
	f.refuse("ws", status(400, "no Upgrade header reached this server", ""))
	w.click("#reconnect")
	shows("The server is there, but WebSocket connections to it do not come about.")
	f.refuse("ws", abort)
	w.click("#reconnect")
	shows("The server cannot be reached.")
	if got := eval[string](w, bannerText); !strings.HasSuffix(got, "What you write is kept, and sent later.") {
		t.Errorf("the banner says %q", got)
	}
	f.refuse("ws", nil)
	w.retry()
	w.until(bannerText + ` === '' && document.querySelector('#connection[data-state=online]')`)
	if lines := w.transcript(); len(lines) != 1 {
		t.Errorf("it shows %v", lines)
	}
}
