package server

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
)

// httpConns are the connections that Serve has accepted and no loop has taken
// over: those that ask for pages, those in their handshake, and those that a
// browser keeps open for its next request. They are bounded in all and for each
// address, and a newcomer beyond a bound is still accepted:
//
//  1. The connection that has been idle longest is closed in its favour. That loses
//     nothing: a browser opens another one when it needs it.
//  2. If none is idle, it is the connection that has taken longest to send its
//     request, unless it has had less than headGrace for it. Clients that mean it
//     send their request at once.
//  3. If there is none of these either, every place is used by somebody who is
//     being served. The newcomer is then surplus: its request is read, answered
//     if it is a health probe, and refused if it is not. Of these there are few,
//     and again the oldest makes room for the newest.
type httpConns struct {
	// Immutable. 0 is no limit.
	max           int
	maxPerAddress int
	maxSurplus    int
	now           func() time.Duration

	mu sync.Mutex
	// Guarded by mu, as is the httpConn of each connection.
	n         int // surplus ones excluded
	waiting   waiting
	surplus   int
	pending   list.List // surplus ones whose request is awaited
	addresses map[netip.Prefix]*httpAddress
}

// headGrace is how long a connection may take to send a request before it can be
// closed in favour of another one.
const headGrace = 2 * time.Second

// httpConn is what is known of one of them.
type httpConn struct {
	state   httpState
	since   time.Duration // when it began to wait
	address *httpAddress  // nil: it counts for none
	proxied bool          // it counts for the address that its request named
	places  [2]*list.Element
}

type httpState uint8

const (
	httpGone    httpState = iota // closed, or on a loop
	httpReading                  // a request is on its way, or TLS's handshake
	httpIdle                     // between two requests
	httpServing                  // a request is being answered
)

// httpAddress holds the connections of one address.
type httpAddress struct {
	key     netip.Prefix
	n       int
	waiting waiting
}

// waiting are connections that nobody works for, the longest first.
type waiting struct{ idle, reading list.List }

// oldest is the connection whose end loses least, or nil.
func (w *waiting) oldest(now time.Duration) *accepted {
	if e := w.idle.Front(); e != nil {
		return e.Value.(*accepted)
	}
	if e := w.reading.Front(); e != nil && now-e.Value.(*accepted).http.since >= headGrace {
		return e.Value.(*accepted)
	}
	return nil
}

func (w *waiting) line(s httpState) *list.List {
	if s == httpIdle {
		return &w.idle
	}
	return &w.reading
}

// add admits a connection that was accepted, for which another may be closed. addr
// may be invalid: it counts for no address. It reports whether to go on with it.
func (h *httpConns) add(a *accepted, addr netip.Addr, scarce bool) bool {
	h.mu.Lock()
	now := h.now()
	victim, why := h.room(addr, scarce, now)
	a.http.since = now
	switch {
	case why == nil:
		if victim != nil {
			h.remove(victim)
		}
		h.n++
		h.count(a, addr)
		h.wait(a, httpReading)
	default:
		a.refusal, a.surplus = why, true
		h.surplus++
		a.http.state = httpReading
		a.http.places[0] = h.pending.PushBack(a)
		if h.surplus > h.maxSurplus {
			victim = h.pending.Front().Value.(*accepted) // at the worst the newcomer itself
			h.remove(victim)
		}
	}
	h.mu.Unlock()
	if victim != nil {
		victim.Conn.Close() // its goroutine, if it has one, notices
	}
	return victim != a
}

// room finds out which connection has to make room for one from addr, if any, and
// why there is none. Called with mu held.
func (h *httpConns) room(addr netip.Addr, scarce bool, now time.Duration) (victim *accepted, why *refusal) {
	if own := h.addresses[addressKey(addr)]; addr.IsValid() && own != nil && h.maxPerAddress > 0 && own.n >= h.maxPerAddress {
		if victim = own.waiting.oldest(now); victim == nil {
			return nil, refusedSurplus
		}
		return victim, nil
	}
	switch full := h.max > 0 && h.n >= h.max; {
	case !full && !scarce:
		return nil, nil
	case full:
		why = refusedFull
	default:
		why = refusedScarce
	}
	if victim = h.waiting.oldest(now); victim != nil {
		return victim, nil
	}
	return nil, why
}

// count has a connection count as one of addr's. Called with mu held.
func (h *httpConns) count(a *accepted, addr netip.Addr) {
	if !addr.IsValid() || h.maxPerAddress == 0 {
		return
	}
	key := addressKey(addr)
	own := h.addresses[key]
	if own == nil {
		if h.addresses == nil {
			h.addresses = map[netip.Prefix]*httpAddress{}
		}
		own = &httpAddress{key: key}
		h.addresses[key] = own
	}
	own.n++
	a.http.address = own
}

// uncount undoes count. Called with mu held, while the connection stands in no line.
func (h *httpConns) uncount(a *accepted) {
	own := a.http.address
	if own == nil {
		return
	}
	a.http.address = nil
	if own.n--; own.n == 0 {
		delete(h.addresses, own.key)
	}
}

// wait puts a connection at the end of the lines. Called with mu held.
func (h *httpConns) wait(a *accepted, s httpState) {
	a.http.state, a.http.since = s, h.now()
	a.http.places[0] = h.waiting.line(s).PushBack(a)
	if own := a.http.address; own != nil {
		a.http.places[1] = own.waiting.line(s).PushBack(a)
	}
	a.idle.Store(s == httpIdle)
}

// leave takes a connection out of the lines. Called with mu held.
func (h *httpConns) leave(a *accepted) {
	lines := [2]*list.List{h.waiting.line(a.http.state), nil}
	if a.surplus {
		lines[0] = &h.pending
	}
	if own := a.http.address; own != nil {
		lines[1] = own.waiting.line(a.http.state)
	}
	for i, e := range a.http.places {
		if e != nil {
			lines[i].Remove(e)
			a.http.places[i] = nil
		}
	}
}

// remove forgets a connection. Called with mu held.
func (h *httpConns) remove(a *accepted) {
	if a.http.state == httpGone {
		return
	}
	h.leave(a)
	h.uncount(a)
	a.http.state = httpGone
	if a.surplus {
		h.surplus--
	} else {
		h.n--
	}
}

// serving notes that a request of the connection is being answered. Where the
// request names the client, for whom a proxy has sent it, it counts for that
// address as long as it takes, and why says so if that is too many.
func (h *httpConns) serving(a *accepted, client netip.Addr, proxied bool) (why *refusal) {
	h.mu.Lock()
	if a.http.state == httpGone || a.surplus {
		if a.surplus && a.http.state != httpGone {
			h.leave(a)
			a.http.state = httpServing
		}
		h.mu.Unlock()
		return nil
	}
	h.leave(a)
	a.http.state = httpServing
	var victim *accepted
	if client.IsValid() {
		h.uncount(a)
		a.http.proxied = proxied
		if own := h.addresses[addressKey(client)]; own != nil && h.maxPerAddress > 0 && own.n >= h.maxPerAddress {
			if victim = own.waiting.oldest(h.now()); victim == nil {
				why = refusedSurplus
			} else {
				h.remove(victim)
			}
		}
		if why == nil {
			h.count(a, client)
		}
	}
	h.mu.Unlock()
	if victim != nil {
		victim.Conn.Close()
	}
	return why
}

// answered notes that a connection has answered a request and awaits another one.
// A proxy may send somebody else's next.
func (h *httpConns) answered(a *accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.http.state != httpServing || a.surplus {
		return
	}
	if a.http.proxied {
		h.uncount(a)
	}
	h.wait(a, httpIdle)
}

// arrives notes that a request has begun to arrive on an idle connection.
func (h *httpConns) arrives(a *accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.http.state == httpIdle {
		h.leave(a)
		h.wait(a, httpReading)
	}
}

// gone notes that a connection is closed, or on a loop.
func (h *httpConns) gone(a *accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(a)
}

// dropIdle closes up to so many connections between two requests, the longest idle
// first, and returns how many it closed.
func (h *httpConns) dropIdle(n int) int {
	var victims []*accepted
	h.mu.Lock()
	for e := h.waiting.idle.Front(); e != nil && len(victims) < n; e = h.waiting.idle.Front() {
		a := e.Value.(*accepted)
		h.remove(a)
		victims = append(victims, a)
	}
	h.mu.Unlock()
	for _, a := range victims {
		a.Conn.Close()
	}
	return len(victims)
}

// open is how many there are.
func (h *httpConns) open() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n + h.surplus
}
