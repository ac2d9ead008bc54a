package web

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

// patience bounds the wait for something that must happen, even on a busy machine.
const patience = 2 * time.Minute

// window is one browser tab. Each one that openWindow opens is another person's, with
// storage of its own; another opens one more for the same person.
type window struct {
	t      *testing.T
	person *browser.Profile
	tab    *browser.Tab
}

// openWindow opens the page as a new person.
func openWindow(t *testing.T, b *browser.Browser, url string, width, height int) *window {
	t.Helper()
	w := &window{t: t}
	w.within(func(ctx context.Context) (err error) {
		w.person, err = b.Profile(ctx)
		return err
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := w.person.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return w.another(url, width, height)
}

// another opens the page in one more tab of the same person.
func (w *window) another(url string, width, height int) *window {
	w.t.Helper()
	other := &window{t: w.t, person: w.person}
	w.within(func(ctx context.Context) (err error) {
		other.tab, err = w.person.Open(ctx, width, height)
		return err
	})
	other.navigate(url)
	return other
}

// within does something with the browser that must succeed in time.
func (w *window) within(do func(context.Context) error) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := do(ctx); err != nil {
		w.t.Fatal(err)
	}
}

func (w *window) navigate(url string) {
	w.t.Helper()
	w.within(func(ctx context.Context) error { return w.tab.Navigate(ctx, url) })
}

func (w *window) reload() {
	w.t.Helper()
	w.within(w.tab.Reload)
}

// back goes one step back in the history; until says when the page has followed.
func (w *window) back() {
	w.t.Helper()
	w.within(w.tab.Back)
}

// click clicks on the first element of a selector.
func (w *window) click(selector string) {
	w.t.Helper()
	w.within(func(ctx context.Context) error { return w.tab.Click(ctx, selector) })
}

// retry presses the button of the banner as soon as the server lets the page in again. No
// real click: the page comes back by itself, too, and takes the button away when it does.
func (w *window) retry() {
	w.t.Helper()
	eval[any](w, `document.getElementById('reconnect').click()`)
}

// fill replaces the text of a field.
func (w *window) fill(selector, text string) {
	w.t.Helper()
	w.within(func(ctx context.Context) error { return w.tab.Fill(ctx, selector, text) })
}

func (w *window) focus(selector string) {
	w.t.Helper()
	eval[any](w, `document.querySelector(`+js(selector)+`).focus()`)
}

// enter chooses a name and a room.
func (w *window) enter(name, room string) {
	w.t.Helper()
	w.until(`!document.getElementById('signin').hidden`)
	w.fill("#name", name)
	w.fill("#room", room)
	w.click("#enter")
	w.online()
}

// online waits for the connection, and for the messages of the room.
func (w *window) online() {
	w.t.Helper()
	w.until(`document.querySelector('#connection[data-state=online]')`)
	w.until(`document.getElementById('log-status').textContent !== 'Loading messages…'`)
}

// say writes a message and presses Enter.
func (w *window) say(text string) {
	w.t.Helper()
	w.write(text)
	w.press("Enter")
}

// write puts text into the message field, in one piece.
func (w *window) write(text string) {
	w.t.Helper()
	w.focus("#text")
	w.within(func(ctx context.Context) error { return w.tab.Insert(ctx, text) })
}

// press presses a key, or several, as in "Shift+Enter".
func (w *window) press(chord string) {
	w.t.Helper()
	w.within(func(ctx context.Context) error { return w.tab.Press(ctx, chord) })
}

// close closes the tab as its user does, and reports whether the page asked whether to
// leave. The answer to that is leave.
func (w *window) close(leave bool) (asked bool) {
	w.t.Helper()
	w.within(func(ctx context.Context) (err error) {
		asked, err = w.tab.Close(ctx, leave)
		return err
	})
	return asked
}

// eval returns the value of an expression in the page, a promise's once it is settled.
func eval[T any](w *window, expression string) (v T) {
	w.t.Helper()
	w.within(func(ctx context.Context) error { return w.tab.Eval(ctx, expression, &v) })
	return v
}

// until waits for an expression to become true; it is looked at again after each
// change of the page.
func (w *window) until(condition string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.tab.Until(ctx, condition); err != nil {
		w.t.Fatalf("%v; the page shows:\n%s", err, eval[string](w, `document.body.innerText`))
	}
}

// shows waits for the text of a message that has arrived.
func (w *window) shows(text string) {
	w.t.Helper()
	w.until(`[...document.querySelectorAll('.message[data-state=sent] .body')].some((e) => e.textContent === ` + js(text) + `)`)
}

// line is one message as it stands in the page.
type line struct {
	Seq  int    `json:"seq"`
	From string `json:"from"` // empty in the window of the sender
	Text string `json:"text"`
}

// transcript is what the window shows.
func (w *window) transcript() []line {
	w.t.Helper()
	return eval[[]line](w, `[...document.querySelectorAll('#messages .message')].map((e) => ({
		seq: Number(e.dataset.seq ?? 0),
		from: e.querySelector('.name')?.textContent ?? '',
		text: e.querySelector('.body').textContent,
	}))`)
}

// js is a string as JavaScript writes it.
func js(s string) string {
	p, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(p)
}
