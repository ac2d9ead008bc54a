package web

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

// TestPage is about the page apart from talking, on the real server.
func TestPage(t *testing.T) { inEngines(t, testPage) }

func testPage(t *testing.T, b *browser.Browser) {
	s := newService(t)
	runTests(t, b, s, []pageTest{
		{"signing in", testSignIn},
		{"a reload keeps who one is", testIdentity},
		{"text is text", testMarkup},
		{"limit counts code points", testLimit},
		{"scrolling up", testScrollingUp},
		{"new messages do not move the reader", testReading},
		{"rooms and unread counts", testRooms},
		{"private messages", testPrivate},
		{"a narrow window", testNarrow},
		{"everything has a name", testNames},
		{"composition", testComposition},
		{"a server that knows nobody any more", testForgotten},
	})
}

func testSignIn(t *testing.T, b *browser.Browser, s *service) {
	w := openWindow(t, b, s.url+"#quay", 800, 600)
	w.until(`document.activeElement.id === 'name'`)
	w.click("#enter")
	w.until(`document.getElementById('name-error').textContent === 'Choose a name.'`)
	w.fill("#name", strings.Repeat("x", 33))
	w.click("#enter")
	w.until(`document.getElementById('name-error').textContent.includes('32')`)
	w.fill("#name", "admin")
	w.click("#enter")
	w.until(`document.getElementById('name-error').textContent.startsWith('The name "admin" is reserved')`) // what the server says
	w.fill("#room", "a room")
	w.click("#enter")
	w.until(`document.getElementById('room-error').textContent.includes('without spaces')`)
	w.enter("Ada", "#quay")
	if got := eval[string](w, `document.getElementById('title').textContent`); got != "# quay" {
		t.Errorf("title %q", got)
	}
	if got := eval[string](w, `document.activeElement.id`); got != "text" {
		t.Errorf("the focus is on %q", got)
	}
}

func testIdentity(t *testing.T, b *browser.Browser, s *service) {
	w := openWindow(t, b, s.url, 800, 600)
	w.enter("Grace", "lobby")
	who := `JSON.parse(localStorage.getItem('hawser.identity')).user_id`
	before := eval[string](w, who)
	w.reload()
	w.online()
	if after := eval[string](w, who); after != before {
		t.Errorf("user %s before, %s after a reload", before, after)
	}
	other := w.another(s.url, 800, 600)
	other.online()
	if got := eval[string](other, who); got != before {
		t.Errorf("user %s in one tab, %s in another", before, got)
	}
	stranger := openWindow(t, b, s.url, 800, 600)
	stranger.until(`!document.getElementById('signin').hidden && document.getElementById('name').value === ''`)
}

func testMarkup(t *testing.T, b *browser.Browser, s *service) {
	w := openWindow(t, b, s.url, 800, 600)
	w.enter("<b>Eve</b>", "markup")
	const text = `<img src=x onerror="document.title='broken'"><script>alert(1)</script>&amp; **bold**`
	w.say(text)
	w.shows(text)
	if n := eval[int](w, `document.querySelectorAll('#app img:not(.logo), #app script, #app b').length`); n != 0 {
		t.Errorf("%d elements were made of text", n)
	}
	blocked := eval[string](w, `(() => {
		try {
			document.getElementById('title').innerHTML = '<i>';
			return 'not blocked';
		} catch (error) {
			return error.name;
		}
	})()`)
	if blocked != "TypeError" {
		t.Errorf("assigning markup is %s", blocked)
	}
	w.say("two\nlines")
	w.shows("two\nlines")
}

func testLimit(t *testing.T, b *browser.Browser, s *service) {
	w := openWindow(t, b, s.url, 800, 600)
	w.enter("Ada", "limit")
	counter := `document.getElementById('counter').textContent`
	w.write(strings.Repeat("😀", 400))
	if got := eval[string](w, counter); got != "" {
		t.Errorf("counter %q far from the limit", got)
	}
	w.write(strings.Repeat("😀", 101))
	w.until(counter + ` === '-1'`)
	w.press("Enter")
	w.until(`document.getElementById('composer-error').textContent === 'This is 1 character too long.'`)
	w.press("Backspace")
	w.until(counter + ` === '0'`)
	w.press("Enter")
	w.shows(strings.Repeat("😀", 500))
	if got := eval[string](w, `document.getElementById('text').value`); got != "" {
		t.Errorf("after sending %q is left", got)
	}
}

func testScrollingUp(t *testing.T, b *browser.Browser, s *service) {
	w := openWindow(t, b, s.url, 800, 600)
	w.enter("Ada", "long")
	const n = 180
	writeMany(w, n)
	w.until(fmt.Sprintf(`document.querySelectorAll('.message[data-state=sent]').length === %d`, n))
	w.reload()
	w.online()
	w.until(`document.querySelectorAll('.message').length === 50`)

	// Each page of older messages is inserted above the visible part, which
	// stays.
	for shown := 100; ; shown = min(shown+50, n) {
		place := eval[string](w, `(() => {
			const log = document.getElementById('log');
			log.scrollTop = 200;
			const row = [...document.querySelectorAll('.message')].find((r) => r.getBoundingClientRect().top > 100);
			window.placeOf = () => row.dataset.seq + ' at ' + Math.round(row.getBoundingClientRect().top);
			return placeOf();
		})()`)
		w.until(fmt.Sprintf(`document.querySelectorAll('.message').length === %d`, shown))
		if got := eval[string](w, `placeOf()`); got != place {
			t.Errorf("with %d messages, %s has become %s", shown, place, got)
		}
		if shown == n {
			break
		}
	}
	for i, l := range w.transcript() {
		if l.Seq != i+1 {
			t.Fatalf("message %d has seq %d", i+1, l.Seq)
		}
	}
	w.until(`document.getElementById('log-status').textContent === 'This is where the conversation begins.'`)
}

func testReading(t *testing.T, b *browser.Browser, s *service) {
	ada := openWindow(t, b, s.url, 800, 600)
	ada.enter("Ada", "reading")
	writeMany(ada, 40)
	ada.until(`document.querySelectorAll('.message[data-state=sent]').length === 40`)
	bob := openWindow(t, b, s.url, 800, 600)
	bob.enter("Bob", "reading")

	ada.focus("#log")
	eval[bool](ada, `(document.getElementById('log').scrollTop = 300, true)`)
	ada.until(`!document.getElementById('jump').hidden`)
	bob.say("Are you reading?")
	ada.until(`document.getElementById('jump').textContent === '↓ 1 new'`)
	ada.until(`document.title.startsWith('(1)')`)
	if top := eval[int](ada, `document.getElementById('log').scrollTop`); top != 300 {
		t.Errorf("scrolled to %d, want 300", top)
	}
	ada.click("#jump")
	ada.until(`document.getElementById('jump').hidden && !document.title.startsWith('(')`)
	bob.say("At the end one stays at the end.")
	ada.shows("At the end one stays at the end.")
	ada.until(`(({ scrollTop, scrollHeight, clientHeight }) => scrollHeight - clientHeight - scrollTop < 2)(document.getElementById('log'))`)
}

func testRooms(t *testing.T, b *browser.Browser, s *service) {
	ada := openWindow(t, b, s.url, 1200, 700)
	ada.enter("Ada", "first")
	bob := openWindow(t, b, s.url, 1200, 700)
	bob.enter("Bob", "first")

	ada.fill("#join-name", "no good")
	ada.click("#join")
	ada.until(`document.getElementById('join-error').textContent.includes('without spaces')`)
	ada.fill("#join-name", "#second")
	ada.click("#join")
	ada.until(`document.getElementById('title').textContent === '# second'`)
	ada.until(`document.querySelectorAll('#rooms li').length === 2`)

	bob.say("one")
	bob.say("two")
	ada.until(`document.querySelector('#rooms li[data-id=first] .badge:not([hidden])')?.textContent === '2 unread'`)
	ada.click(`#rooms li[data-id=first] button`)
	ada.shows("two")
	ada.until(`document.querySelector('#rooms li[data-id=first] .badge').hidden`)

	// A person who comes later finds the room in the list, and leaves it again.
	eve := openWindow(t, b, s.url, 1200, 700)
	eve.enter("Eve", "third")
	eve.click(`#other-rooms li[data-id=first] button`)
	eve.shows("one")
	ada.until(`document.querySelectorAll('#members li').length === 3`)
	eve.click("#leave")
	eve.until(`document.getElementById('title').textContent === '# third'`)
	ada.until(`document.querySelectorAll('#members li').length === 2`)
}

func testPrivate(t *testing.T, b *browser.Browser, s *service) {
	ada := openWindow(t, b, s.url, 1200, 700)
	ada.enter("Ada", "plaza")
	bob := openWindow(t, b, s.url, 1200, 700)
	bob.enter("Bob", "plaza")
	eve := openWindow(t, b, s.url, 1200, 700)
	eve.enter("Eve", "plaza")
	bob.say("Hello, all!")
	ada.shows("Hello, all!")

	ada.click(`.message .name`) // by clicking a name
	ada.until(`document.getElementById('title').textContent === 'Bob'`)
	ada.until(`document.getElementById('subtitle').textContent === 'Private · online'`)
	ada.say("Between us.")
	bob.until(`document.querySelector('#people li .badge:not([hidden])')?.textContent === '1 unread'`)
	bob.click(`#people li button`)
	bob.shows("Between us.")
	bob.say("Of course.")
	ada.shows("Of course.")
	want := []line{{1, "", "Between us."}, {2, "Bob", "Of course."}}
	if d := cmp.Diff(want, ada.transcript()); d != "" {
		t.Error(d)
	}
	bob.shows("Of course.") // acknowledged, too: it does not ask whether to leave
	bob.reload()
	bob.online()
	bob.shows("Of course.")

	// A message to all comes after it, and is the only one that Eve has seen.
	ada.click(`#rooms li[data-id=plaza] button`)
	ada.say("Good night, all!")
	eve.shows("Good night, all!")
	if n := eval[int](eve, `document.querySelectorAll('#people li').length`); n != 0 {
		t.Errorf("Eve has %d private conversations", n)
	}
	if got := eve.transcript(); len(got) != 2 {
		t.Errorf("Eve has seen %v", got)
	}
}

func testNarrow(t *testing.T, b *browser.Browser, s *service) {
	w := openWindow(t, b, s.url, 360, 640)
	fits := func(where string) {
		t.Helper()
		if n := eval[int](w, `document.documentElement.scrollWidth`); n > 360 {
			t.Errorf("%s is %d pixels wide", where, n)
		}
	}
	fits("the sign-in")
	w.enter(strings.Repeat("W", 32), strings.Repeat("w", 64))
	w.say(strings.Repeat("w", 300))
	w.until(`document.querySelector('.message[data-state=sent]')`)
	fits("the conversation")

	for _, panel := range []struct{ toggle, panel string }{{"menu", "sidebar"}, {"members-toggle", "members-panel"}} {
		visible := fmt.Sprintf(`getComputedStyle(document.getElementById('%s')).visibility === 'visible'`, panel.panel)
		if eval[bool](w, visible) {
			t.Errorf("%s is in the way", panel.panel)
		}
		w.click("#" + panel.toggle)
		w.until(fmt.Sprintf(`document.getElementById('%s').contains(document.activeElement)`, panel.panel))
		if !eval[bool](w, visible+` && document.getElementById('conversation').inert`) {
			t.Errorf("%s is not open, or not alone", panel.panel)
		}
		fits(panel.panel)
		w.press("Escape")
		w.until(fmt.Sprintf(`document.activeElement.id === '%s' && !document.getElementById('conversation').inert`, panel.toggle))
	}
}

// testNames finds what a screen reader would have to leave without a name.
func testNames(t *testing.T, b *browser.Browser, s *service) {
	w := openWindow(t, b, s.url, 1200, 700)
	const nameless = `[...document.querySelectorAll('button, input, textarea, nav, aside, section, [role=log]')]
		.filter((e) => e.checkVisibility())
		.filter((e) => !e.textContent.trim() && !e.ariaLabel && !e.labels?.length
			&& !document.getElementById(e.getAttribute('aria-labelledby'))?.textContent)
		.map((e) => e.outerHTML)`
	if got := eval[[]string](w, nameless); len(got) > 0 {
		t.Errorf("without a name in the sign-in: %q", got)
	}
	w.enter("Ada", "named")
	w.say("Hello")
	w.shows("Hello")
	if got := eval[[]string](w, nameless); len(got) > 0 {
		t.Errorf("without a name in the chat: %q", got)
	}
	if n := eval[int](w, `[...document.querySelectorAll('main')].filter((e) => e.checkVisibility()).length`); n != 1 {
		t.Errorf("%d main landmarks", n)
	}
}

func testForgotten(t *testing.T, b *browser.Browser, _ *service) {
	s := newService(t) // it loses its data
	w := openWindow(t, b, s.url, 800, 600)
	w.enter("Ada", "lobby")
	s.kill()
	if err := os.RemoveAll(s.data); err != nil {
		t.Fatal(err)
	}
	s.start()
	w.until(`document.getElementById('name-error').textContent.startsWith('This server does not know you')`)
	w.enter("Ada", "lobby")
	w.say("Here again.")
	w.shows("Here again.")
}
