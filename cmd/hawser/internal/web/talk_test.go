package web

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

var screenshot = flag.String("screenshot", "", "write a picture of the page to this file, of each engine that runs")

// TestTwoWindows is two people in two windows on the real server: they talk, one of
// them reloads, the server is killed under them while they write and comes back, and
// in the end both have seen the same, all of it, and nothing twice.
func TestTwoWindows(t *testing.T) { inEngines(t, testTwoWindows) }

func testTwoWindows(t *testing.T, b *browser.Browser) {
	s := newService(t)
	ada := openWindow(t, b, s.url, 1280, 760)
	bob := openWindow(t, b, s.url, 1280, 760)
	ada.enter("Ada", "harbour")
	bob.enter("Bob", "harbour")
	ada.until(`document.querySelectorAll('#members li').length === 2`)

	ada.say("Good morning! The mooring lines are ready.")
	bob.shows("Good morning! The mooring lines are ready.")
	bob.say("Morning, Ada. Which berth?")
	ada.shows("Morning, Ada. Which berth?")
	ada.say("Berth 4, on the north side.")
	ada.say("The tide turns at twenty to eleven, so there is a little time.")
	bob.shows("The tide turns at twenty to eleven, so there is a little time.")
	bob.say("Perfect. I am on my way with the spare hawser.")
	ada.shows("Perfect. I am on my way with the spare hawser.")
	bob.shows("Perfect. I am on my way with the spare hawser.") // acknowledged, too
	takeScreenshot(t, ada)
	want := []line{
		{1, "Ada", "Good morning! The mooring lines are ready."},
		{2, "", "Morning, Ada. Which berth?"},
		{3, "Ada", "Berth 4, on the north side."},
		{4, "Ada", "The tide turns at twenty to eleven, so there is a little time."},
		{5, "", "Perfect. I am on my way with the spare hawser."},
	}
	if d := cmp.Diff(want, bob.transcript()); d != "" {
		t.Fatalf("Bob's window: %s", d)
	}

	hers, his := eval[string](ada, sessionID), eval[string](bob, sessionID)
	bob.reload()
	bob.online()
	if got := eval[string](bob, sessionID); got != his {
		t.Errorf("Bob's session is %s, and %s after reloading", his, got)
	}
	bob.shows("Perfect. I am on my way with the spare hawser.")
	if d := cmp.Diff(want, bob.transcript()); d != "" {
		t.Fatalf("Bob's window after reloading: %s", d)
	}

	const each = 40
	for _, w := range []*window{ada, bob} {
		writeMany(w, each)
	}
	ada.until(`document.querySelectorAll('.message[data-state=sent]').length >= 10`)
	s.kill()
	for _, w := range []*window{ada, bob} {
		w.until(`document.querySelector('#connection[data-state=waiting]')`)
		w.until(`document.querySelectorAll('.message.mine[data-state=sending]').length > 0`)
	}
	s.start()
	total := len(want) + 2*each
	for _, w := range []*window{ada, bob} {
		w.until(fmt.Sprintf(`document.querySelectorAll('.message[data-state=sent]').length >= %d`, total))
		w.until(`document.querySelectorAll('.message[data-state=sending]').length === 0`)
	}
	assertComplete(t, ada.transcript(), bob.transcript(), each, total)
	// Bob's key may be newer than what was on the disk.
	if got := eval[string](ada, sessionID); got != hers {
		t.Errorf("Ada's session is %s, and %s after the restart", hers, got)
	}
}

// writeMany makes a window write numbered messages, one every 10 ms.
func writeMany(w *window, n int) {
	eval[bool](w, fmt.Sprintf(`(() => {
		const name = document.getElementById('my-name').textContent;
		let i = 0;
		const timer = setInterval(() => {
			document.getElementById('text').value = name + ' ' + ++i;
			document.getElementById('send').click();
			if (i === %d) clearInterval(timer);
		}, 10);
		return true;
	})()`, n))
}

func assertComplete(t *testing.T, ada, bob []line, each, total int) {
	t.Helper()
	texts := func(lines []line) (all []string) {
		for i, l := range lines {
			if l.Seq != i+1 {
				t.Errorf("message %d of %d has seq %d", i+1, len(lines), l.Seq)
			}
			all = append(all, l.Text)
		}
		return all
	}
	seen := texts(ada)
	if d := cmp.Diff(seen, texts(bob)); d != "" {
		t.Errorf("the two windows differ: %s", d)
	}
	if len(seen) != total {
		t.Errorf("%d messages, want %d", len(seen), total)
	}
	count := map[string]int{}
	for _, text := range seen {
		count[text]++
	}
	for _, name := range []string{"Ada", "Bob"} {
		for i := 1; i <= each; i++ {
			if text := fmt.Sprintf("%s %d", name, i); count[text] != 1 {
				t.Errorf("%q is there %d times, want once", text, count[text])
			}
		}
	}
}

func takeScreenshot(t *testing.T, w *window) {
	t.Helper()
	if *screenshot == "" {
		return
	}
	var picture []byte
	w.within(func(ctx context.Context) (err error) {
		picture, err = w.tab.Screenshot(ctx)
		return err
	})
	if err := os.WriteFile(*screenshot, picture, 0o644); err != nil {
		t.Fatal(err)
	}
}
