package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Tab is one tab, or window. Its methods are called one at a time.
type Tab struct {
	browser *Browser
	driver  tab
}

// Navigate opens a URL and returns when it has loaded.
func (t *Tab) Navigate(ctx context.Context, url string) error {
	return t.browser.explain(t.driver.navigate(ctx, url))
}

// Reload returns when the page has loaded again.
func (t *Tab) Reload(ctx context.Context) error {
	return t.browser.explain(t.driver.reload(ctx))
}

// Back goes one step back in the tab's history, as the browser's button does. The page
// may still be loading when it returns.
func (t *Tab) Back(ctx context.Context) error {
	return t.browser.explain(t.driver.back(ctx))
}

// Eval stores the value of a JavaScript expression in result, by way of JSON. A promise
// is waited for. undefined becomes null. An error is a *PageError if the page threw it.
func (t *Tab) Eval(ctx context.Context, expression string, result any) error {
	text, err := t.driver.evaluate(ctx, fmt.Sprintf("(async () => JSON.stringify(await (%s)) ?? 'null')()", expression))
	if err != nil {
		return t.browser.explain(fmt.Errorf("%s: %w", expression, err))
	}
	return decode(json.RawMessage(text), result)
}

// watchFor looks at a condition now, after each change of the document, and now and
// then for what no event tells, such as the focus. %[1]s is the condition, %[2]d how
// long to wait in milliseconds. What the condition throws means "not yet".
const watchFor = `new Promise((done) => {
	let problem = '';
	const observer = new MutationObserver(look);
	const timer = setInterval(look, 50);
	const end = setTimeout(() => finish(problem || 'it is false'), %[2]d);
	function finish(answer) {
		observer.disconnect();
		clearInterval(timer);
		clearTimeout(end);
		removeEventListener('scroll', look, true);
		done(answer);
	}
	function look() {
		try {
			problem = '';
			if (%[1]s) {
				finish('');
			}
		} catch (error) {
			problem = String(error);
		}
	}
	observer.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
	addEventListener('scroll', look, true);
	look();
})`

// Until waits for a JavaScript expression to become true, also across reloads.
func (t *Tab) Until(ctx context.Context, condition string) error {
	for {
		var problem string
		err := t.Eval(ctx, fmt.Sprintf(watchFor, condition, share(ctx).Milliseconds()), &problem)
		switch {
		case err == nil && problem == "":
			return nil
		case err == nil:
			return fmt.Errorf("%s: waited for %s: %s", t.browser.Engine, condition, problem)
		case ctx.Err() != nil || errors.Is(err, errEnded) || errors.As(err, new(*PageError)):
			return err
		}
		// The page has been replaced meanwhile, and the next one may not be there yet.
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// share is how long a page waits for something: it gives up, and says why, a little
// before the browser is given up.
func share(ctx context.Context) time.Duration {
	wait := time.Minute
	if deadline, ok := ctx.Deadline(); ok {
		wait = time.Until(deadline)
	}
	return max(wait-wait/10, 0)
}

// Insert writes text at the caret in one piece, as pasting does.
func (t *Tab) Insert(ctx context.Context, text string) error {
	return t.browser.explain(t.driver.insert(ctx, text))
}

// Type types text on the keyboard. "\n" is the key Enter.
func (t *Tab) Type(ctx context.Context, text string) error {
	for _, r := range text {
		name := string(r)
		if r == '\n' {
			name = "Enter"
		}
		if err := t.Press(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// Press presses a key: a character, or one of the names of keys.go, after others that
// are held meanwhile, as in "Shift+Enter".
func (t *Tab) Press(ctx context.Context, chord string) error {
	keys, err := parseChord(chord)
	if err != nil {
		return err
	}
	return t.browser.explain(t.driver.press(ctx, keys))
}

// Compose begins a composition, as an input method does, that stands unfinished in the
// field with the focus. WebKit composes a single character by its number in
// hexadecimal, and shows that.
func (t *Tab) Compose(ctx context.Context, text string) error {
	return t.browser.explain(t.driver.compose(ctx, text))
}

// Commit ends the composition by the key Enter, which is the input method's.
func (t *Tab) Commit(ctx context.Context) error {
	return t.browser.explain(t.driver.commit(ctx))
}

// place waits until the element of the selector %[1]s can be clicked, and returns its
// middle: it is visible, stands still, and nothing covers it. %[2]d is how long to wait
// in milliseconds.
const place = `new Promise((done) => {
	const selector = %[1]s;
	const end = performance.now() + %[2]d;
	let last = '';
	(function look() {
		const element = document.querySelector(selector);
		if (element) {
			element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
			const { left, top, width, height } = element.getBoundingClientRect();
			const middle = [Math.floor(left + width / 2), Math.floor(top + height / 2)];
			const hit = document.elementFromPoint(...middle);
			if (width && height && element.contains(hit) && last === String(middle)) {
				done(middle);
				return;
			}
			last = String(middle);
		}
		if (performance.now() > end) {
			done(null);
			return;
		}
		setTimeout(look, 16);
	})();
})`

// Click clicks on the middle of the first element of a selector, once it is visible and
// stands still.
func (t *Tab) Click(ctx context.Context, selector string) error {
	var at []int
	if err := t.Eval(ctx, fmt.Sprintf(place, quote(selector), share(ctx).Milliseconds()), &at); err != nil {
		return err
	}
	if len(at) != 2 {
		return fmt.Errorf("%s: %s cannot be clicked: it is missing, invisible, covered or moving", t.browser.Engine, selector)
	}
	return t.browser.explain(t.driver.click(ctx, at[0], at[1]))
}

// Fill replaces the text of a field, which gets the focus.
func (t *Tab) Fill(ctx context.Context, selector, text string) error {
	focus := fmt.Sprintf("(field => { field.focus(); field.select(); return true; })(document.querySelector(%s))", quote(selector))
	if err := t.Eval(ctx, focus, nil); err != nil {
		return err
	}
	if text == "" {
		return t.Press(ctx, "Delete")
	}
	return t.Insert(ctx, text)
}

// Resize gives the viewport another size, in CSS pixels.
func (t *Tab) Resize(ctx context.Context, width, height int) error {
	return t.browser.explain(t.driver.resize(ctx, width, height))
}

// Offline takes the tab off the network, as far as the engine can, or back. The error
// is errors.ErrUnsupported where it cannot, as in WebKit.
func (t *Tab) Offline(ctx context.Context, offline bool) error {
	return t.browser.explain(t.driver.offline(ctx, offline))
}

// Screenshot returns a picture of the viewport as PNG.
func (t *Tab) Screenshot(ctx context.Context) ([]byte, error) {
	picture, err := t.driver.screenshot(ctx)
	return picture, t.browser.explain(err)
}

// Close closes the tab as its user does: the page may ask whether to leave. asked tells
// whether it did; the answer is leave, and without leave the tab remains open.
func (t *Tab) Close(ctx context.Context, leave bool) (asked bool, err error) {
	asked, err = t.driver.close(ctx, leave)
	return asked, t.browser.explain(err)
}
