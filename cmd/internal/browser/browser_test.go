//go:build unix

package browser

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// testPage forbids what a page of ours forbids, and writes down what happens to it.
const testPage = `<!doctype html><meta charset="utf-8"><title>page</title>
<textarea id="text"></textarea><button id="button">Button</button>
<script>
	window.happened = [];
	for (const kind of ['keydown', 'compositionstart', 'compositionend', 'input', 'click', 'online', 'offline']) {
		addEventListener(kind, (e) => happened.push(e.key ? kind + ' ' + e.key : kind), true);
	}
	addEventListener('beforeunload', (e) => document.getElementById('text').value && e.preventDefault());
	document.getElementById('text').focus();
</script>`

// session is one test's browser, with a page.
type session struct {
	*testing.T
	ctx    context.Context
	b      *Browser
	person *Profile
	tab    *Tab
	url    string
}

func (s *session) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// is compares the value of an expression.
func is[V any](s *session, tab *Tab, expression string, want V) {
	s.Helper()
	var got V
	s.must(tab.Eval(s.ctx, expression, &got))
	if d := cmp.Diff(want, got); d != "" {
		s.Errorf("%s: %s", expression, d)
	}
}

// TestEngines is what each engine does with the page.
func TestEngines(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Content-Security-Policy", "script-src 'unsafe-inline'; require-trusted-types-for 'script'")
		fmt.Fprint(w, testPage)
	}))
	t.Cleanup(srv.Close) // after the engines, which run later
	for _, engine := range Engines {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel()
			b, err := Start(engine)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := b.Close(); err != nil {
					t.Error(err)
				}
				if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
					t.Errorf("its files are left behind: %v", err)
				}
			}()
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			s := &session{T: t, ctx: ctx, b: b, url: srv.URL}
			s.person, err = b.Profile(ctx)
			s.must(err)
			s.tab, err = s.person.Open(ctx, 360, 500)
			s.must(err)
			s.must(s.tab.Navigate(ctx, srv.URL+"/one"))
			s.evaluation()
			s.input()
			s.composition()
			s.network()
			s.navigation()
			s.profiles()
			s.closing()
			s.crash()
		})
	}
}

func (s *session) evaluation() {
	is(s, s.tab, `[innerWidth, innerHeight, document.visibilityState]`, []any{360.0, 500.0, "visible"})
	is(s, s.tab, `new Promise((done) => setTimeout(done, 1, { a: 'é😀' }))`, map[string]string{"a": "é😀"})
	is[any](s, s.tab, `undefined`, nil)
	var fault *PageError
	for _, wrong := range []string{`missing.at.all`, `Promise.reject(new TypeError('no'))`, `(`} {
		if err := s.tab.Eval(s.ctx, wrong, nil); !errors.As(err, &fault) {
			s.Errorf("%s: %v, want what the page says", wrong, err)
		}
	}
	s.must(s.tab.Resize(s.ctx, 800, 600))
	s.must(s.tab.Until(s.ctx, `innerWidth === 800 && innerHeight === 600`))
	picture, err := s.tab.Screenshot(s.ctx)
	s.must(err)
	if !strings.HasPrefix(string(picture), "\x89PNG") {
		s.Errorf("the screenshot is %d bytes of something", len(picture))
	}
	short, cancel := context.WithTimeout(s.ctx, 100*time.Millisecond)
	defer cancel()
	if err := s.tab.Until(short, `false`); err == nil {
		s.Error("false has become true")
	}
}

func (s *session) input() {
	s.must(s.tab.Click(s.ctx, "#text"))
	s.must(s.tab.Type(s.ctx, "aß日😀"))
	s.must(s.tab.Press(s.ctx, "Shift+Enter"))
	s.must(s.tab.Insert(s.ctx, "x\ny😀"))
	s.must(s.tab.Press(s.ctx, "Backspace"))
	is(s, s.tab, `text.value`, "aß日😀\nx\ny")
	s.must(s.tab.Click(s.ctx, "#button"))
	is(s, s.tab, `[document.activeElement.id, happened.at(-1), happened.includes('keydown a')]`, []any{"button", "click", true})
	s.must(s.tab.Fill(s.ctx, "#text", "filled"))
	is(s, s.tab, `text.value`, "filled")
	s.must(s.tab.Fill(s.ctx, "#text", ""))
	is(s, s.tab, `text.value`, "")
	for _, wrong := range []string{"Return", "a+b", ""} {
		if s.tab.Press(s.ctx, wrong) == nil {
			s.Errorf("%q is a key", wrong)
		}
	}
}

func (s *session) composition() {
	s.must(s.tab.Eval(s.ctx, `happened.length = 0`, nil))
	err := s.tab.Compose(s.ctx, "é")
	if s.b.Engine == Firefox {
		if !errors.Is(err, errors.ErrUnsupported) {
			s.Errorf("composing: %v", err)
		}
		return
	}
	s.must(err)
	is(s, s.tab, `[text.value !== '', happened.includes('compositionstart'), happened.includes('compositionend')]`, []bool{true, true, false})
	s.must(s.tab.Commit(s.ctx))
	is(s, s.tab, `[text.value, happened.includes('compositionend')]`, []any{"é", true})
	s.must(s.tab.Fill(s.ctx, "#text", ""))
}

func (s *session) network() {
	const state = `[navigator.onLine, await fetch('/').then(() => true, () => false), happened.at(-1)]`
	err := s.tab.Offline(s.ctx, true)
	if s.b.Engine == WebKit {
		if !errors.Is(err, errors.ErrUnsupported) {
			s.Errorf("going offline: %v", err)
		}
		return
	}
	s.must(err)
	is(s, s.tab, state, []any{false, false, "offline"})
	s.must(s.tab.Offline(s.ctx, false))
	is(s, s.tab, state, []any{true, true, "online"})
}

func (s *session) navigation() {
	s.must(s.tab.Eval(s.ctx, `window.mark = 1`, nil))
	s.must(s.tab.Navigate(s.ctx, s.url+"/one#hash"))
	is(s, s.tab, `window.mark`, 1)
	s.must(s.tab.Navigate(s.ctx, s.url+"/two"))
	is[any](s, s.tab, `window.mark`, nil)
	s.must(s.tab.Back(s.ctx))
	s.must(s.tab.Until(s.ctx, `location.pathname === '/one'`))
	// A reload meanwhile does not end the waiting.
	s.must(s.tab.Eval(s.ctx, `setTimeout(() => location.reload(), 50)`, nil))
	s.must(s.tab.Until(s.ctx, `performance.getEntriesByType('navigation')[0].type === 'reload'`))
	s.must(s.tab.Eval(s.ctx, `window.mark = 1`, nil))
	s.must(s.tab.Reload(s.ctx))
	is[any](s, s.tab, `window.mark`, nil)
}

func (s *session) profiles() {
	s.must(s.tab.Eval(s.ctx, `localStorage.owner = 'Ada'`, nil))
	same, err := s.person.Open(s.ctx, 600, 500)
	s.must(err)
	s.must(same.Navigate(s.ctx, s.url))
	is(s, same, `localStorage.owner`, "Ada")
	other, err := s.b.Profile(s.ctx)
	s.must(err)
	stranger, err := other.Open(s.ctx, 600, 500)
	s.must(err)
	s.must(stranger.Navigate(s.ctx, s.url))
	is[any](s, stranger, `localStorage.owner`, nil)
	s.must(other.Close(s.ctx))
	for i := range 10 { // a profile's end meets the beginning of a page
		busy, err := s.b.Profile(s.ctx)
		s.must(err)
		var tabs [2]*Tab
		for j := range tabs {
			tabs[j], err = busy.Open(s.ctx, 600, 500)
			s.must(err)
			s.must(tabs[j].Navigate(s.ctx, s.url))
		}
		s.must(tabs[0].Eval(s.ctx, `(setTimeout(() => location.reload()), null)`, nil))
		s.must(tabs[1].Eval(s.ctx, fmt.Sprintf(`new Promise((done) => setTimeout(() => { location.reload(); done(); }, %d))`, 10*i), nil))
		s.must(busy.Close(s.ctx))
	}
	if asked, err := same.Close(s.ctx, false); asked || err != nil {
		s.Errorf("closing asked: %t, %v", asked, err)
	}
	is(s, s.tab, `localStorage.owner`, "Ada")
}

func (s *session) closing() {
	if s.b.Engine == WebKit {
		return // its driver answers for the page
	}
	s.must(s.tab.Click(s.ctx, "#text"))
	s.must(s.tab.Type(s.ctx, "unsent"))
	if asked, err := s.tab.Close(s.ctx, false); !asked || err != nil {
		s.Fatalf("closing asked: %t, %v", asked, err)
	}
	is(s, s.tab, `text.value`, "unsent")
	if asked, err := s.tab.Close(s.ctx, true); !asked || err != nil {
		s.Errorf("closing asked: %t, %v", asked, err)
	}
	if s.tab.Eval(s.ctx, `1`, nil) == nil {
		s.Error("the tab is still there")
	}
}

// crash is the browser's: what waits for it ends, and says so.
func (s *session) crash() {
	tab, err := s.person.Open(s.ctx, 600, 500)
	s.must(err)
	s.must(tab.Navigate(s.ctx, s.url))
	waited := make(chan error, 1)
	go func() { waited <- tab.Until(s.ctx, `false`) }()
	switch d := s.b.driver.(type) {
	case *chromium:
		s.must(d.process.cmd.Process.Kill())
	case *firefox:
		s.must(d.process.cmd.Process.Kill())
	case *webkit: // its driver
		s.must(d.profiles[0].processes[1].cmd.Process.Kill())
	}
	if err := <-waited; !errors.Is(err, errEnded) || !strings.Contains(err.Error(), string(s.b.Engine)) {
		s.Errorf("waiting ended with %v", err)
	}
}
