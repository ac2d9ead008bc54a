package web

import (
	"context"
	"testing"

	"github.com/hawser-ws/hawser/cmd/internal/browser"
)

// TestSearch looks for a room among more than one page of them, with the keyboard.
func TestSearch(t *testing.T) { inEngines(t, testSearch) }

func testSearch(t *testing.T, b *browser.Browser) {
	s := newService(t, "--limits.user-rooms-per-hour", "0", "--limits.address-rooms-per-hour", "0")
	ada := openWindow(t, b, s.url, 1200, 700)
	ada.enter("Ada", "harbour")
	// The first rooms get the last messages, and one in the middle gets another.
	eval[bool](ada, `new Promise((resolve, reject) => {
		const socket = new WebSocket(location.href.replace('http', 'ws').replace(/#.*/, '') + 'ws');
		const send = (m) => socket.send(JSON.stringify(m));
		const say = (n) => {
			const receiver_id = 'berth-' + String(n).padStart(3, '0');
			send({ type: 'group', receiver_id, content: 'Hello', ref: 'r' + Math.random() });
			send({ type: 'leave', receiver_id });
		};
		let left = 130;
		socket.onopen = () => {
			send({ type: 'auth', token: JSON.parse(localStorage.getItem('hawser.identity')).token });
			for (let n = left; n > 0; n--) say(n);
		};
		socket.onmessage = ({ data }) => {
			const { type, op } = JSON.parse(data);
			if (type === 'error') reject(new Error(data));
			if (op !== 'group') return;
			if (--left === 0) setTimeout(() => say(77), 5); // later by the server's clock
			if (left < 0) socket.close(), resolve(true);
		};
	})`)

	bob := openWindow(t, b, s.url, 1200, 700)
	bob.enter("Bob", "elsewhere")
	const listed = `[...document.querySelectorAll('#other-rooms li')].map((e) => e.dataset.id)`
	const rooms = `['berth-077', ...Array.from({ length: 130 }, (_, i) => 'berth-' + String(i + 1).padStart(3, '0')).filter((name) => name !== 'berth-077'), 'harbour']`
	bob.until(listed + `.join() === ` + rooms + `.slice(0, 100).join()`)
	bob.focus("#more-rooms")
	bob.press("Enter")
	bob.until(listed + `.join() === ` + rooms + `.join()`)
	bob.until(`document.getElementById('more-rooms').hidden && document.activeElement.closest('#other-rooms')`)

	const status = `document.getElementById('other-rooms-status').textContent`
	bob.focus("#room-search")
	bob.within(func(ctx context.Context) error { return bob.tab.Insert(ctx, "TH-10") })
	bob.until(listed + `.join() === 'berth-100,berth-101,berth-102,berth-103,berth-104,berth-105,berth-106,berth-107,berth-108,berth-109'`)
	bob.until(status + ` === '10 found.'`)
	bob.fill("#room-search", "submarine")
	bob.until(status + ` === 'Nothing found: no room’s name contains “submarine”.'`)
	bob.fill("#room-search", "elsewhere")
	bob.until(status + ` === 'You are in every room whose name contains “elsewhere”.'`)
	bob.press("Escape")
	bob.until(listed + `.length >= 100 && ` + status + ` === '' && document.getElementById('room-search').value === ''`)

	bob.fill("#room-search", "berth-007")
	bob.until(listed + `.length === 1`)
	bob.press("Tab")
	bob.press("Enter")
	bob.until(`document.getElementById('title').textContent === '# berth-007' && document.activeElement.id === 'text'`)
	bob.until(`document.getElementById('room-search').value === ''`)
}
