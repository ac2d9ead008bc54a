//go:build unix

package web

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hawser-ws/hawser/chat/redis/redistest"
	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

// TestTwoNodes is two people in two browsers, on two nodes that share a Redis. The node of one
// of them is killed while both write. She goes on at the other node with the same session, and
// in the end both have seen everything, once and in one order.
func TestTwoNodes(t *testing.T) {
	t.Parallel()
	takeTurns(t, browser.Chromium, browser.Firefox)
	var b [2]*browser.Browser
	for i, engine := range []browser.Engine{browser.Chromium, browser.Firefox} {
		var err error
		if b[i], err = browsers.Get(engine); err != nil {
			t.Fatal(err)
		}
	}
	one, two := newNodes(t)
	front := newFront(t, "/", one, two)
	ada := openWindow(t, b[0], front.url, 1280, 760)
	bob := openWindow(t, b[1], newFront(t, "/", two, one).url, 1280, 760)
	ada.enter("Ada", "harbour")
	bob.enter("Bob", "harbour")
	ada.until(`document.querySelectorAll('#members li').length === 2`)
	ada.say("Are you on the other node?")
	bob.shows("Are you on the other node?")
	session := eval[string](ada, sessionID)
	eval[any](ada, `(() => {
		const { send } = WebSocket.prototype;
		window.asked = [];
		WebSocket.prototype.send = function (data) {
			asked.push(JSON.parse(data).type);
			send.call(this, data);
		};
	})()`)

	const each = 40
	writeMany(ada, each)
	ada.until(`document.querySelectorAll('.message[data-state=sent]').length >= 10`)
	front.refuse("ws", status(503, "not yet", ""))
	one.kill()
	ada.until(`document.querySelector('#connection[data-state=waiting]')`)
	writeMany(bob, each) // which Ada misses
	bob.shows(fmt.Sprintf("Bob %d", each))
	front.refuse("ws", nil)
	ada.retry()
	const total = 1 + 2*each
	for _, w := range []*window{ada, bob} {
		w.until(fmt.Sprintf(`document.querySelectorAll('.message[data-state=sent]').length >= %d`, total))
		w.until(`document.querySelectorAll('.message[data-state=sending]').length === 0`)
	}
	assertComplete(t, ada.transcript(), bob.transcript(), each, total)
	if got := eval[string](ada, sessionID); got != session {
		t.Errorf("session %s before, %s at the other node", session, got)
	}
	if n := eval[int](ada, `asked.filter((type) => type === 'history').length`); n != 0 || !eval[bool](ada, `asked.includes('auth')`) {
		t.Errorf("it asked for the history %d times", n)
	}
	bob.say("Welcome here.")
	ada.shows("Welcome here.")
}

// TestHistoryEnds scrolls up to where Redis has dropped the earlier messages.
func TestHistoryEnds(t *testing.T) {
	t.Parallel()
	turns[browser.Chromium].Lock()
	t.Cleanup(turns[browser.Chromium].Unlock)
	b, err := browsers.Get(browser.Chromium)
	if err != nil {
		t.Fatal(err)
	}
	one, two := newNodes(t, "--redis-history", "100")
	ada := openWindow(t, b, one.url, 800, 600)
	ada.enter("Ada", "long")
	const said = 170 // Redis drops the oldest ones when there are 164
	writeMany(ada, said)
	ada.until(fmt.Sprintf(`document.querySelectorAll('.message[data-state=sent]').length === %d`, said))
	bob := openWindow(t, b, two.url, 800, 600)
	bob.enter("Bob", "long")
	bob.until(`(document.getElementById('log').scrollTop = 0, document.getElementById('log-status').textContent === 'Older messages are no longer kept.')`)
	lines := bob.transcript()
	if first := lines[0].Seq; first < 2 || len(lines) < 100 || first+len(lines) != said+1 {
		t.Errorf("%d messages from seq %d on", len(lines), first)
	}
}

// newNodes starts two nodes that share a Redis.
func newNodes(t *testing.T, more ...string) (one, two *service) {
	t.Helper()
	if built.once.Do(build); built.err != nil {
		t.Fatal(built.err)
	}
	key := filepath.Join(t.TempDir(), "key")
	if out, err := exec.Command(filepath.Join(built.dir, "hawser"), "new-key", key).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	flags := []string{"--redis", "redis://" + redistest.Start(t).Addr, "--token-key-file", key, "--public-origins", "*"}
	flags = append(flags, more...)
	return newService(t, flags...), newService(t, flags...)
}
