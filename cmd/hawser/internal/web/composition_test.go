package web

import (
	"context"
	"errors"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

// P04 The Enter that ends a composition belongs to the input method, in the order of
// events that each engine has. The next one sends.
func testComposition(t *testing.T, b *browser.Browser, s *service) {
	const text = "語" // one character: WebKit's input method makes it from its number
	w := openWindow(t, b, s.url, 800, 600)
	w.enter("Ada", "composition")
	w.focus("#text")
	w.within(func(ctx context.Context) error {
		err := w.tab.Compose(ctx, text)
		if err == nil {
			return w.tab.Commit(ctx)
		}
		if errors.Is(err, errors.ErrUnsupported) { // Firefox has no input method to drive
			return w.tab.Eval(ctx, composeByHand, new(any))
		}
		return err
	})
	w.until(`document.getElementById('text').value === ` + js(text))
	if n := eval[int](w, `document.querySelectorAll('.message').length`); n != 0 {
		t.Errorf("%d messages were sent before their time", n)
	}
	w.press("Enter")
	w.shows(text)
	if got := w.transcript(); len(got) != 1 {
		t.Errorf("sent %v, want one message", got)
	}
}

// composeByHand sends the events that Firefox sends.
const composeByHand = `(() => {
	const field = document.getElementById('text');
	field.dispatchEvent(new CompositionEvent('compositionstart', { bubbles: true }));
	field.value = '語';
	field.dispatchEvent(new InputEvent('input', { bubbles: true, isComposing: true }));
	field.dispatchEvent(new KeyboardEvent('keydown',
		{ key: 'Enter', keyCode: 229, isComposing: true, bubbles: true, cancelable: true }));
	field.dispatchEvent(new CompositionEvent('compositionend', { bubbles: true, data: '語' }));
})()`
