package server

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/server/rate"
)

// httpConns are the connections that Serve has accepted and that no loop has taken
// over: those that request pages, those in their handshake, and those that a browser
// keeps open for its next request. Their number is limited, in total and per address. A
// newcomer beyond a limit is still accepted:
//
//  1. The connection that has been idle longest is closed in its favour. That loses
//     nothing: the browser opens another one when it needs it.
//  2. If none is idle, the connection that has taken longest to send its request is
//     closed, unless it has had less than headGrace for it. Well-behaved clients send
//     their request at once.
//  3. Otherwise all places are used by connections that are being served. The newcomer
//     is then surplus: its request is read, answered if it is a health probe, and
//     refused if it is not. The number of surplus connections is limited as well, and
//     again the oldest makes room for the newest.
type httpConns struct {
	// Immutable. 0 is no limit.
	max           int
	maxPerAddress int
	maxSurplus    int
	now           func() time.Duration

	mu sync.Mutex
	// Guarded by mu, as is the httpConn of each connection.
	stopping  bool
	n         int // surplus ones excluded
	waiting   waiting
	served    int // on which a request is being answered
	surplus   int
	pending   list.List // surplus ones whose request is awaited
	addresses map[netip.Prefix]*httpAddress
}

// headGrace is how long a connection may take to send its request before it can be
// closed in favour of a newcomer.
const headGrace = 2 * time.Second

// For its address, a connection counts from accept to its first answer, and while later
// requests of it arrive and are answered. One that is idle between two requests does not:
// browsers and proxies keep many of those.

// httpConn is the state of one of them.
type httpConn struct {
	state   httpState
	since   time.Duration // when it began to wait
	peer    netip.Addr    // the address that it comes from; invalid if only its requests say that
	address *httpAddress  // the address it counts for; nil: none
	places  [2]*list.Element
}

type httpState uint8

const (
	httpGone    httpState = iota // closed, or on a loop
	httpReading                  // a request or a TLS handshake is on its way
	httpIdle                     // between two requests
	httpServing                  // a request is being answered
	httpGiven                    // a handler has taken it over
)

// httpAddress holds the connections of one address.
type httpAddress struct {
	key     netip.Prefix
	n       int
	reading list.List
}

// waiting holds the connections that are not being served, the longest waiting first.
type waiting struct{ idle, reading list.List }

// oldest returns the connection whose end costs least, or nil.
func (w *waiting) oldest(now time.Duration) *accepted {
	if e := w.idle.Front(); e != nil {
		return e.Value.(*accepted)
	}
	return slowest(&w.reading, now)
}

// slowest returns the connection that has waited longest for its request, if that is long
// enough to close it.
func slowest(reading *list.List, now time.Duration) *accepted {
	if e := reading.Front(); e != nil && now-e.Value.(*accepted).http.since >= headGrace {
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

// add counts an accepted connection, and may close another one in its favour. If addr
// is invalid, the connection counts for no address yet. add reports whether to serve
// it.
func (h *httpConns) add(a *accepted, addr netip.Addr, scarce bool) bool {
	h.mu.Lock()
	now := h.now()
	victim, why := h.victimFor(addr, scarce, now)
	a.http.since, a.http.peer = now, addr
	switch {
	case h.stopping:
		victim = a
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
		h.enter(a, httpReading)
		a.http.places[0] = h.pending.PushBack(a)
		if h.surplus > h.maxSurplus {
			victim = h.pending.Front().Value.(*accepted) // possibly the newcomer itself
			h.remove(victim)
		}
	}
	h.mu.Unlock()
	if victim != nil {
		victim.displace() // its goroutine, if it has one, notices
	}
	return victim != a
}

// victimFor returns the connection that has to make room for one from addr, or nil if
// none has to. why is not nil if there is no room and no victim. Called with mu held.
func (h *httpConns) victimFor(addr netip.Addr, scarce bool, now time.Duration) (victim *accepted, why *refusal) {
	if own := h.fullAddress(addr); own != nil {
		if victim = slowest(&own.reading, now); victim == nil {
			return nil, refusedHTTPSurplus
		}
		return victim, nil
	}
	switch full := h.max > 0 && h.n >= h.max; {
	case !full && !scarce:
		return nil, nil
	case full:
		why = refusedHTTPFull
	default:
		why = refusedScarce
	}
	if victim = h.waiting.oldest(now); victim != nil {
		return victim, nil
	}
	return nil, why
}

// fullAddress returns the connections of an address if there are as many as there may be,
// otherwise nil. Called with mu held.
func (h *httpConns) fullAddress(addr netip.Addr) *httpAddress {
	if !addr.IsValid() || h.maxPerAddress == 0 {
		return nil
	}
	if own := h.addresses[rate.Address(addr)]; own != nil && own.n >= h.maxPerAddress {
		return own
	}
	return nil
}

// count counts a connection for addr. Called with mu held.
func (h *httpConns) count(a *accepted, addr netip.Addr) {
	if !addr.IsValid() || h.maxPerAddress == 0 {
		return
	}
	key := rate.Address(addr)
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

// uncount undoes count. Called with mu held, while the connection is in no list.
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

// enter changes the state of a connection. Called with mu held.
func (h *httpConns) enter(a *accepted, s httpState) {
	if a.http.state == httpServing {
		h.served--
	}
	if s == httpServing {
		h.served++
	}
	a.http.state = s
}

// wait puts a connection at the end of its lists. Called with mu held.
func (h *httpConns) wait(a *accepted, s httpState) {
	h.enter(a, s)
	a.http.since = h.now()
	a.http.places[0] = h.waiting.line(s).PushBack(a)
	if own := a.http.address; own != nil {
		a.http.places[1] = own.reading.PushBack(a)
	}
	a.idle.Store(s == httpIdle)
}

// leave takes a connection out of its lists. Called with mu held.
func (h *httpConns) leave(a *accepted) {
	lines := [2]*list.List{h.waiting.line(a.http.state), nil}
	if a.surplus {
		lines[0] = &h.pending
	}
	if own := a.http.address; own != nil {
		lines[1] = &own.reading
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
	h.enter(a, httpGone)
	if a.surplus {
		h.surplus--
	} else {
		h.n--
	}
}

// serving records that a request of the connection is being answered, which counts for the
// address of the request's client. why is not nil if that has too many connections.
func (h *httpConns) serving(a *accepted, client netip.Addr) (why *refusal) {
	h.mu.Lock()
	switch {
	case a.http.state == httpGone || a.http.state == httpServing: // another request over HTTP/2
		h.mu.Unlock()
		return nil
	case a.surplus:
		h.leave(a)
		h.enter(a, httpServing)
		h.mu.Unlock()
		return nil
	}
	h.leave(a)
	h.enter(a, httpServing)
	h.uncount(a)
	var victim *accepted
	if own := h.fullAddress(client); own != nil {
		if victim = slowest(&own.reading, h.now()); victim == nil {
			why = refusedHTTPSurplus
		} else {
			h.remove(victim)
		}
	}
	if why == nil {
		h.count(a, client)
	}
	h.mu.Unlock()
	if victim != nil {
		victim.displace()
	}
	return why
}

// answered records that a request has been answered and the connection awaits another
// one.
func (h *httpConns) answered(a *accepted) {
	h.mu.Lock()
	if a.http.state != httpServing || a.surplus {
		h.mu.Unlock()
		return
	}
	h.uncount(a)
	ended := h.stopping
	if ended {
		h.remove(a)
	} else {
		h.wait(a, httpIdle)
	}
	h.mu.Unlock()
	if ended {
		a.displace()
	}
}

// arrives records that a request has begun to arrive on an idle connection. If its address
// has too many without it, it is the first to make room for others.
func (h *httpConns) arrives(a *accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.http.state != httpIdle {
		return
	}
	h.leave(a)
	if h.fullAddress(a.http.peer) == nil {
		h.count(a, a.http.peer)
		h.wait(a, httpReading)
		return
	}
	h.wait(a, httpReading)
	a.http.since -= headGrace
	h.waiting.reading.MoveToFront(a.http.places[0])
}

// hijacked records that a handler has taken over the connection. It counts until it is
// closed or, if it becomes a WebSocket of this server, on a loop.
func (h *httpConns) hijacked(a *accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a.given.Store(true)
	if a.http.state == httpServing {
		h.enter(a, httpGiven)
	}
}

// stop closes the connections on which no request is being answered, those of newcomers as
// soon as they come, and the others when they have been answered.
func (h *httpConns) stop() {
	var victims []*accepted
	h.mu.Lock()
	h.stopping = true
	for _, line := range []*list.List{&h.waiting.idle, &h.waiting.reading, &h.pending} {
		for e := line.Front(); e != nil; e = line.Front() {
			a := e.Value.(*accepted)
			h.remove(a)
			victims = append(victims, a)
		}
	}
	h.mu.Unlock()
	for _, a := range victims {
		a.displace()
	}
}

// gone records that a connection is closed, or on a loop.
func (h *httpConns) gone(a *accepted) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(a)
}

// claim forgets a connection that becomes a WebSocket on the loop where it arrived. It
// reports false if another one has its place.
func (h *httpConns) claim(a *accepted) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.http.state == httpGone {
		return false
	}
	h.remove(a)
	return true
}

// give makes a connection that was on a loop nc, for net/http. It reports false if another
// one has its place.
func (h *httpConns) give(a *accepted, nc net.Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if a.http.state == httpGone {
		return false
	}
	a.Conn = nc
	return true
}

// dropIdle closes up to n idle connections, the longest idle first, and returns how
// many it closed.
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
		a.displace()
	}
	return len(victims)
}

// open returns how many connections there are, surplus ones included.
func (h *httpConns) open() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n + h.surplus
}

// answering returns on how many connections requests are being answered.
func (h *httpConns) answering() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.served
}
