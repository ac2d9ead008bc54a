package web

import (
	"fmt"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

const (
	myID      = `JSON.parse(localStorage.getItem('hawser.identity')).user_id`
	myName    = `document.getElementById('my-name').textContent`
	sessionID = `JSON.parse(sessionStorage.getItem('hawser.session')).session_id`
)

// TestKeep is about what a browser keeps of a user: the identity, and unsent messages.
func TestKeep(t *testing.T) { inEngines(t, testKeep) }

func testKeep(t *testing.T, b *browser.Browser) {
	s := newService(t)
	runTests(t, b, s, []pageTest{
		{"P05 tabs and names", testSamePerson},
		{"P05 two tabs sign in", testSignInTwice},
		{"signing out", testSignOut},
		{"a token that is refused", testRefusedToken},
		{"unsent", testUnsent},
	})
}

// However a tab is opened, and whatever the name, the user is the same.
func testSamePerson(t *testing.T, b *browser.Browser, s *service) {
	bob := openWindow(t, b, s.url, 1200, 700)
	bob.enter("Bob", "same")
	ada := openWindow(t, b, s.url, 1200, 700)
	ada.enter("Ada", "same")
	id := eval[string](ada, myID)
	ada.say("Hello from Ada")
	bob.shows("Hello from Ada")

	tab := ada.another(s.url, 1200, 700)
	tab.online()
	if got := eval[string](tab, `document.getElementById('title').textContent`); got != "# same" {
		t.Errorf("a second tab shows %q", got)
	}
	tab.click("#profile-open")
	tab.fill("#profile-name", " ")
	tab.click("#profile-save")
	tab.until(`document.getElementById('profile-error').textContent === 'Choose a name.'`)
	tab.fill("#profile-name", "Grace")
	tab.click("#profile-save")
	tab.until(`!document.getElementById('profile').open && ` + myName + ` === 'Grace'`)
	ada.until(myName + ` === 'Grace'`)
	bob.until(`[...document.querySelectorAll('#members .label')].some((e) => e.textContent === 'Grace')`)
	ada.say("Hello from Grace")
	bob.shows("Hello from Grace")
	ada.shows("Hello from Grace") // acknowledged, too
	if n := eval[int](bob, `document.querySelectorAll('#members li').length`); n != 2 {
		t.Errorf("%d people are there, want 2", n)
	}

	ada.another("about:blank", 800, 600) // WebKit's last tab ends it
	for _, w := range []*window{tab, ada} {
		if w.close(false) {
			t.Error("a tab that has nothing unsent asks whether to leave")
		}
	}
	later := ada.another(s.url, 1200, 700)
	later.online()
	if got := eval[string](later, myID); got != id || eval[string](later, myName) != "Grace" {
		t.Errorf("later: user %s, %q; want %s, Grace", got, eval[string](later, myName), id)
	}
	later.shows("Hello from Ada")
}

// A person with the form open in two tabs becomes one user by filling in one.
func testSignInTwice(t *testing.T, b *browser.Browser, s *service) {
	one := openWindow(t, b, s.url+"#one", 800, 600)
	other := one.another(s.url+"#other", 800, 600)
	other.until(`!document.getElementById('signin').hidden`)
	one.enter("Ada", "one")
	other.online()
	if a, b := eval[string](one, myID), eval[string](other, myID); a != b {
		t.Errorf("users %s and %s", a, b)
	}
	if got := eval[string](other, `document.getElementById('title').textContent`); got != "# other" {
		t.Errorf("the other tab shows %q", got)
	}
}

// One of a user's tabs logs out the other, which can come back; then all are signed out.
func testSignOut(t *testing.T, b *browser.Browser, s *service) {
	one := openWindow(t, b, s.url, 800, 600)
	one.enter("Ada", "out")
	other := one.another(s.url, 800, 600)
	other.online()
	id := eval[string](one, myID)
	one.click("#profile-open")
	one.until(`document.querySelectorAll('#sessions li').length === 2 && document.querySelectorAll('#sessions button').length === 1`)
	one.click("#sessions button")
	other.until(`document.getElementById('name-error').textContent.startsWith('You were logged out here, from another tab or device.')`)
	other.until(`!document.querySelector('#app').checkVisibility()`)
	one.until(`document.querySelectorAll('#sessions li').length === 1`)
	one.click("#profile-cancel")
	other.click("#again-known")
	other.online()
	if got := eval[string](other, myID); got != id {
		t.Errorf("user %s comes back as %s", id, got)
	}
	one.click("#profile-open")
	one.click("#signout")
	one.until(`document.getElementById('signout-text').textContent.includes('nobody can be this user again')`)
	one.click("#signout-stay")
	one.until(`!document.getElementById('profile').open && document.querySelector('#connection[data-state=online]')`)
	one.click("#profile-open")
	one.click("#signout")
	one.click("#signout-confirm")
	for _, w := range []*window{one, other} {
		w.until(`!document.getElementById('signin').hidden`)
	}
	one.enter("Eve", "out")
	if eval[string](one, myID) == id {
		t.Error("somebody else is the same user")
	}
	other.online()
	other.click("#profile-open")
	other.click("#logout-all")
	other.click("#signout-confirm")
	for _, w := range []*window{one, other} {
		w.until(`!document.getElementById('signin').hidden && !localStorage.getItem('hawser.identity')`)
	}
}

// A refused token costs nothing until the person chooses to be another user.
func testRefusedToken(t *testing.T, b *browser.Browser, s *service) {
	w := openWindow(t, b, s.url, 800, 600)
	w.enter("Ada", "refused")
	id := eval[string](w, myID)
	eval[any](w, `(() => {
		const me = JSON.parse(localStorage.getItem('hawser.identity'));
		window.name = me.token; // survives a reload
		sessionStorage.removeItem('hawser.session'); // which would do without the token
		localStorage.setItem('hawser.identity', JSON.stringify({ ...me, token: 'e30.e30.e30' }));
		localStorage.setItem('hawser.outbox.r1', JSON.stringify({
			ref: 'r1', to: 'refused', content: 'not sent yet', at: Date.now(), n: 0, tab: 'gone', state: 'sending', error: '',
		}));
	})()`)
	w.reload()
	w.until(`document.getElementById('name-error').textContent.startsWith('This server does not know you')`)
	w.until(`document.getElementById('name-error').textContent.includes('1 message that was not sent is lost')`)
	if got := eval[string](w, myID); got != id {
		t.Errorf("the browser holds user %s, want %s", got, id)
	}
	w.until(`document.querySelector('#signin').checkVisibility() && !document.querySelector('#app').checkVisibility()`)
	eval[any](w, `localStorage.setItem('hawser.identity', JSON.stringify({
		...JSON.parse(localStorage.getItem('hawser.identity')), token: window.name,
	}))`)
	w.click("#again-known")
	w.online()
	w.shows("not sent yet")
	if got := eval[string](w, myID); got != id || eval[bool](w, `document.querySelector('#signin').checkVisibility()`) {
		t.Errorf("user %s, want %s; or the form is still there", got, id)
	}
}

// Unsent messages, and an unfinished one, are restored after the tab was closed; and
// closing it asks first.
func testUnsent(t *testing.T, b *browser.Browser, _ *service) {
	s := newService(t) // it is killed
	w := openWindow(t, b, s.url, 800, 600)
	w.enter("Ada", "unsent")
	w.say("first")
	w.shows("first")
	w.write("draft of a room")
	w.reload()
	w.online()
	w.until(`document.getElementById('text').value === 'draft of a room'`)
	eval[any](w, `(location.hash = '#elsewhere', null)`)
	w.until(`document.getElementById('title').textContent === '# elsewhere' && document.getElementById('text').value === ''`)
	eval[any](w, `(location.hash = '#unsent', null)`)
	w.until(`document.getElementById('title').textContent === '# unsent' && document.getElementById('text').value === 'draft of a room'`)
	w.fill("#text", "")

	s.kill()
	w.until(`document.querySelector('#connection[data-state=waiting]')`)
	const n = 3
	for i := range n {
		w.say(fmt.Sprintf("written without a server %d", i+1))
	}
	w.write("half a sen")
	w.another("about:blank", 800, 600)                                // WebKit's last tab ends it
	if asked := w.close(true); !asked && b.Engine != browser.WebKit { // whose driver answers by itself
		t.Error("a tab with unsent messages does not ask whether to leave")
	}
	s.start()
	later := w.another(s.url, 800, 600)
	later.online()
	later.until(`document.getElementById('text').value === 'half a sen'`)
	later.shows("written without a server 3")
	lines := later.transcript()
	if len(lines) != n+1 || lines[1].Text != "written without a server 1" || lines[n].Seq != n+1 {
		t.Errorf("it shows %v", lines)
	}
	if keys := eval[[]string](later, `Object.keys(localStorage).filter((k) => k.includes('outbox'))`); len(keys) > 0 {
		t.Errorf("the browser still holds %q", keys)
	}
}
