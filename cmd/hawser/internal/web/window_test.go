package web

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// patience bounds the waiting for something that must happen.
const patience = 30 * time.Second

// window is one browser tab, which is one person.
type window struct {
	t   *testing.T
	ctx context.Context
}

// openWindow opens the page in a new tab of the browser.
func openWindow(t *testing.T, browser context.Context, url string, width, height int64) *window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	w := &window{t, ctx}
	w.do(chromedp.EmulateViewport(width, height), chromedp.Navigate(url))
	return w
}

// enter chooses a name and a room.
func (w *window) enter(name, room string) {
	w.t.Helper()
	w.until(`!document.getElementById('signin').hidden`)
	w.do(chromedp.SetValue("#name", name), chromedp.SetValue("#room", room), chromedp.Click("#enter"))
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
	w.press("Enter", "\r", 13)
}

// write puts text where one writes.
func (w *window) write(text string) {
	w.t.Helper()
	w.do(chromedp.Focus("#text"))
	if _, err := chromedp.Call(w.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		w.t.Fatal(err)
	}
}

// press presses a key as a keyboard does. text is what it types, if anything.
func (w *window) press(key, text string, code int64) {
	w.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeKeyDown, input.DispatchKeyEventTypeKeyUp} {
		event := input.DispatchKeyEventParams{Type: kind, Key: key, Code: key, WindowsVirtualKeyCode: code}
		if kind == input.DispatchKeyEventTypeKeyDown {
			event.Text = text
		}
		if _, err := chromedp.Call(w.ctx, input.DispatchKeyEvent, event); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, steps...); err != nil {
		w.t.Fatal(err)
	}
}

// eval returns the value of an expression in the page.
func eval[T any](w *window, expression string) T {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// until waits for an expression to become true; it is looked at again after each
// change of the page.
func (w *window) until(condition string) {
	w.t.Helper()
	script := fmt.Sprintf(`new Promise((done) => {
		const observer = new MutationObserver(look);
		function look() {
			if (%s) {
				observer.disconnect();
				done(true);
			}
		}
		observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
		addEventListener('scroll', look, true);
		look();
	})`, condition)
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	_, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
	for err != nil && ctx.Err() == nil { // the page was reloaded meanwhile
		_, err = chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
	}
	if err != nil {
		text, _ := chromedp.Run(w.ctx, chromedp.Evaluate[string](`document.body.innerText`))
		w.t.Fatalf("waiting for %s: %v; the page shows:\n%s", condition, err, text)
	}
}

// shows waits for the text of a message that has arrived.
func (w *window) shows(text string) {
	w.t.Helper()
	w.until(`[...document.querySelectorAll('.message[data-state=sent] .body')].some((e) => e.textContent === ` +
		strconv.Quote(text) + `)`)
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
