package faulty

import (
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// PlayHTTP2 is Play with a client that uses HTTP/2 (RFC 8441) with prior knowledge. It
// plays the cases with the given numbers, each over a connection of its own.
func PlayHTTP2(connect func() (net.Conn, error), agent, defect string, numbers []int, parallel int) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, n := range numbers {
		slots <- struct{}{}
		wg.Go(func() {
			dialHTTP2(connect, "/runCase?case="+strconv.Itoa(n)+"&agent="+agent, defect)
			<-slots
		})
	}
	wg.Wait()
}

// dialHTTP2 opens a connection and a WebSocket on it, and echoes until that ends.
func dialHTTP2(connect func() (net.Conn, error), target, defect string) {
	nc, err := connect()
	if err != nil {
		return
	}
	t := newTunnel(nc, nc, true, defect)
	t.start()
	var wg sync.WaitGroup
	wg.Go(t.run)
	if s := t.open(target); s != nil {
		t.echo(s)
	}
	// Further requests of the other end are answered; a connection that it keeps open is
	// closed.
	timer := time.AfterFunc(2*time.Second, func() { nc.Close() })
	t.mu.Lock()
	t.fr.WriteGoAway(0, http2.ErrCodeNo, nil)
	t.mu.Unlock()
	wg.Wait()
	timer.Stop()
}

// open sends the request once the server has announced that it accepts such requests.
func (t *tunnel) open(target string) *tunnelStream {
	limit := time.AfterFunc(2*time.Second, t.end)
	defer limit.Stop()
	t.mu.Lock()
	for !t.settled && !t.dead && !t.has("does not wait for SETTINGS") {
		t.cond.Wait()
	}
	if t.dead || !t.connect && !t.has("does not wait for SETTINGS") {
		t.mu.Unlock()
		return nil
	}
	s := t.newStream(t.next)
	t.next += 2
	t.mu.Unlock()
	host, scheme := t.nc.RemoteAddr().String(), "http"
	if t.has("says https") {
		scheme = "https"
	}
	fields := []hpack.HeaderField{{Name: ":method", Value: "CONNECT"}, {Name: ":protocol", Value: "websocket"}, {Name: ":scheme", Value: scheme},
		{Name: ":path", Value: target}, {Name: ":authority", Value: host}}
	add := func(name, value string) { fields = append(fields, hpack.HeaderField{Name: name, Value: value}) }
	add("sec-websocket-version", "13")
	e := t.endpoint(s)
	add("sec-websocket-extensions", e.offer())
	switch {
	case t.has("sends a Sec-WebSocket-Key"):
		add("sec-websocket-key", e.newKey())
	case t.has("sends another Host"):
		add("host", "elsewhere.example")
	case t.has("sends Connection"):
		add("connection", "Upgrade")
	}
	s.send(fields, false)
	return s
}

// echo waits for the answer and plays the case.
func (t *tunnel) echo(s *tunnelStream) {
	h := s.await(2 * time.Second)
	e := t.endpoint(s)
	switch {
	case h == nil:
		s.giveUp(http2.ErrCodeCancel)
	case t.badAnswer(h):
		s.giveUp(http2.ErrCodeProtocol)
	case !t.opens(e, h):
		s.giveUp(http2.ErrCodeCancel)
	default:
		e.serve()
		s.Close()
	}
}

// badAnswer reports whether an answer is malformed.
func (t *tunnel) badAnswer(h *tunnelHead) bool {
	for _, f := range h.fields {
		if t.badField(f) || strings.HasPrefix(f.Name, ":") && f.Name != ":status" && !t.has("takes unknown pseudo-header fields") {
			return true
		}
	}
	return len(h.values(":status")) != 1 && !t.has("does without :status") || h.get(":status") == "101" && !t.has("takes the status 101") && !t.has("takes any status")
}

// opens reports whether an answer opens the WebSocket.
func (t *tunnel) opens(e *endpoint, h *tunnelHead) bool {
	status := h.get(":status")
	switch {
	case t.has("takes any status"), t.has("does without :status") && status == "", t.has("takes the status 101") && status == "101",
		t.has("takes the status 404") && status == "404":
	case status != "200":
		return false
	}
	switch {
	case t.has("wants the right Sec-WebSocket-Accept") && h.get("sec-websocket-accept") != "",
		t.has("takes 30 fields") && len(h.fields) > 30,
		len(h.values("sec-websocket-protocol")) > 0 && !t.has("takes any subprotocol"):
		return false
	}
	return e.rightExtensions(h.values("sec-websocket-extensions"))
}
