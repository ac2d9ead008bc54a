package web

import (
	"net/http"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

// TestStart is about how the page starts: at which address, and without one of its
// files.
func TestStart(t *testing.T) { inEngines(t, testStart) }

func testStart(t *testing.T, b *browser.Browser) {
	s := newService(t, "--public-origins", "*")
	runTests(t, b, s, []pageTest{
		{"P02 a file is missing", testMissing},
		{"links and Back", testLinks},
		{"under a path", testUnderPath},
	})
}

func testMissing(t *testing.T, b *browser.Browser, s *service) {
	f := newFront(t, "/", s)
	for _, tt := range []struct {
		file string
		by   http.HandlerFunc
		want string
	}{
		{"app.js", status(429, "too many", "7"), "A part of this page could not be loaded: the server takes no more from your network address at the moment. Try again in 7 s."},
		{"style.css", status(503, "stopping", ""), "A part of this page could not be loaded: the server is busy, or about to stop."},
		{"app.js", status(404, "gone", ""), "A part of this page could not be loaded: the server has another version of it now."},
		{"app.js", abort, "A part of this page could not be loaded: the server cannot be reached."},
	} {
		f.refuse(tt.file, tt.by)
		w := openWindow(t, b, f.url, 800, 600)
		w.until(`document.getElementById('start').checkVisibility() && document.getElementById('start-text').textContent === ` + js(tt.want))
		f.refuse(tt.file, nil)
		w.click("#again")
		w.until(`document.getElementById('signin').checkVisibility() && !document.getElementById('start').checkVisibility()`)
		files := eval[[]string](w, `[...new Set(performance.getEntriesByType('resource').map((e) => e.name))]`)
		if len(files) > 3 {
			t.Errorf("the page loads %q, want at most 3 files", files)
		}
	}
}

// The address names the room, and the room that it names is shown, in an open tab,
// too.
func testLinks(t *testing.T, b *browser.Browser, s *service) {
	showsRoom := func(w *window, room string) {
		t.Helper()
		w.until(`document.getElementById('title').textContent === '# ` + room + `' && location.hash === '#` + room + `' && document.title.startsWith('# ` + room + ` ')`)
	}
	follow := func(w *window, hash string) { eval[any](w, `(location.hash = `+js(hash)+`, null)`) }
	w := openWindow(t, b, s.url+"#quay", 1200, 700)
	follow(w, "#pier") // before the user has a name
	w.until(`document.getElementById('room').value === 'pier'`)
	w.enter("Ada", "quay")
	showsRoom(w, "quay")
	follow(w, "#garden")
	showsRoom(w, "garden")
	w.say("Roses")
	w.shows("Roses")
	w.fill("#join-name", "third")
	w.click("#join")
	showsRoom(w, "third")
	w.back()
	showsRoom(w, "garden")
	w.shows("Roses")
	w.back()
	showsRoom(w, "quay")
	w.reload()
	w.online()
	showsRoom(w, "quay")

	for _, nowhere := range []string{"#no room", "#u_", "#%zz", "#"} {
		follow(w, nowhere)
		showsRoom(w, "quay")
	}
	w.click("#rooms li[data-id=garden] button")
	showsRoom(w, "garden")
	w.click("#leave") // and so it is nothing to go back to
	w.until(`location.hash !== '#garden' && !document.querySelector('#rooms li[data-id=garden]')`)

	tab := w.another(s.url+"#third", 1200, 700)
	tab.online()
	showsRoom(tab, "third")
	eval[any](tab, `document.querySelector('.skip').click()`)
	showsRoom(tab, "third")
	tab.until(`document.activeElement.id === 'text'`)
}

// A proxy may have the page under a path, and even forget its last slash.
func testUnderPath(t *testing.T, b *browser.Browser, s *service) {
	f := newFront(t, "/deep/chat", s)
	for i, path := range []string{"", "/"} {
		w := openWindow(t, b, f.url+path+"#quay", 800, 600)
		w.until(`location.pathname === '/deep/chat/'`)
		w.enter("Ada", "under")
		w.say("Hello")
		w.until(`document.querySelectorAll('.message[data-state=sent]').length === ` + []string{"1", "2"}[i])
		if got := eval[string](w, `Object.keys(localStorage).filter((k) => k.endsWith('.identity')).join()`); got != "hawser/deep/chat.identity" {
			t.Errorf("who one is, is kept as %q", got)
		}
	}
}
