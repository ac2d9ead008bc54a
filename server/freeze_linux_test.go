package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
)

// Connections in every state move, and go on as if nothing had happened.
func TestMove(t *testing.T) {
	old, new := newMover(), newMover()
	a := startMover(t, moverConfig(old))

	idle := a.dial(t, "/idle")
	head := a.dial(t, "/head")
	payload := a.dial(t, "/payload")
	message := a.dial(t, "/message")
	paused := a.dial(t, "/paused")
	closing := a.dial(t, "/closing")
	hello := a.dial(t, "/hello")
	packed := a.dialWith(t, "/packed", &handshake.DialOptions{Deflate: &handshake.DeflateOptions{ServerContextTakeover: true}})
	all := []*client{idle, head, payload, message, paused, closing, hello, packed}

	long := strings.Repeat("as has been said before, ", 40)
	sendPacked := func(s string) {
		t.Helper()
		b, err := packed.proto.AppendMessage(nil, frame.Text, []byte(s))
		if err != nil {
			t.Fatal(err)
		}
		packed.raw(b)
		if ev := packed.event(); string(ev.Payload) != s {
			t.Fatalf("the echo is %q", ev.Payload)
		}
	}
	for _, c := range all {
		c.text("before")
		c.expect(`text "before"`)
	}
	sendPacked(long)
	whole := masked(0x81, "half, κόσμε, and the rest")
	head.raw(whole[:3])
	payload.raw(whole[:6+8]) // in the middle of a character
	message.frame(0x01, "one, ")
	message.frame(0x89, "ping")
	message.expect(`pong "ping"`)
	paused.text("pause")
	paused.expect(`text "pause"`)
	paused.text("unread 1")
	paused.raw(append(masked(0x81, "unread 2"), whole[:5]...))
	for _, c := range all {
		arrived(t, c.nc)
	}
	a.clock.settle()
	a.loops[0].call(func() {}) // the loops have read what has arrived
	closeAll(a, "/closing", 4000, "enough")
	closing.expect("close 4000")

	b := a.move(t, moverConfig(new))

	if n := old.closed.Load(); n != 0 {
		t.Errorf("%d OnClose in the old process", n)
	}
	if o, th := new.opened.Load(), new.thawed.Load(); o != 0 || th != int32(len(all)) {
		t.Errorf("%d OnOpen and %d Thaw in the new process; want 0, %d", o, th, len(all))
	}
	hello.expect(`text "moved"`)
	head.raw(whole[3:])
	payload.raw(whole[6+8:])
	message.frame(0x80, "two")
	for _, c := range []*client{head, payload} {
		c.expect(`text "half, κόσμε, and the rest"`)
	}
	message.expect(`text "one, two"`)
	sendPacked(long)
	sendPacked("and again: " + long)

	resumeAll(b, "/paused")
	paused.expect(`text "unread 1"`, `text "unread 2"`)
	paused.raw(whole[5:])
	paused.expect(`text "half, κόσμε, and the rest"`)

	closing.frame(0x88, "\x0f\xa0") // 4000
	closing.expect("EOF")
	closing.nc.Close()
	var why *CloseError
	if err := receive(t, new.why); !errors.As(err, &why) || why.Code != 4000 || why.Reason != "enough" || !why.Local {
		t.Errorf("OnClose says %v", err)
	}
	for _, c := range all {
		if c != closing {
			c.text("after")
			c.expect(`text "after"`)
		}
	}
	b.dial(t, "/new").text("the listener has moved, too")
	if n := a.Stats().Open; n != 0 {
		t.Errorf("%d connections in the old process", n)
	}
}

// What waits to be written to a slow client moves, in order, with a frame of which a part was written.
func TestMoveUnsent(t *testing.T) {
	m := newMover()
	cfg := moverConfig(m)
	cfg.WriteQueue = 64 << 20
	a := startMover(t, cfg)
	c := a.dial(t, "/slow")
	c.nc.(*net.TCPConn).SetReadBuffer(256 << 10)
	c.text("first")
	c.expect(`text "first"`)
	var want []string
	for i := range 800 {
		text := fmt.Sprintf("%d %s", i, strings.Repeat("x", 20_000+i))
		want = append(want, text)
		onLoops(a, "/slow", func(c *conn) { c.handle().Send(frame.Text, []byte(text)) })
	}
	b := a
	for range 3 {
		b.clock.settle()
		if n := b.Stats().Queued; n == 0 {
			t.Fatal("nothing waits")
		}
		b = b.move(t, cfg)
	}
	for i, text := range want {
		if ev := c.event(); string(ev.Payload) != text {
			t.Fatalf("message %d is %.20q", i, ev.Payload)
		}
	}
	c.text("last")
	c.expect(`text "last"`)
	b.clock.settle()
	if n := b.Stats().Queued; n != 0 {
		t.Errorf("%d bytes wait", n)
	}
}

// If the other process does not take over, everything goes on, and no deadline has passed meanwhile.
func TestFreezeWithoutMove(t *testing.T) {
	m := newMover()
	cfg := moverConfig(m)
	a := startMover(t, cfg)
	c, half := a.dial(t, "/"), a.dial(t, "/half")
	c.text("before")
	c.expect(`text "before"`)
	half.raw(masked(0x81, "half")[:7])
	arrived(t, half.nc)
	a.clock.settle()

	f := freeze(t, a.Server)
	if r := f.Report(); r.Connections != 2 || r.Listeners != 1 || r.TLS+r.Others+r.HTTP != 0 {
		t.Errorf("%+v", r)
	}
	if _, err := a.Freeze(t.Context()); err == nil {
		t.Error("it is frozen twice")
	}
	for _, err := range f.Messages(StateFormat.Newest) {
		if err != nil {
			t.Error(err)
		}
	}
	for _, err := range f.Messages(StateFormat.Newest + 1) {
		if err == nil {
			t.Error("a version is written that is not known")
		}
	}
	c.text("meanwhile")
	dialled := make(chan *client)
	go func() { dialled <- a.dial(t, "/new") }() // waits in the system's queue
	a.clock.t.Add(int64(time.Hour))
	f.Thaw()

	c.expect(`text "meanwhile"`)
	half.raw(masked(0x81, "half")[7:])
	half.expect(`text "half"`)
	n := receive(t, dialled)
	n.text("hello")
	n.expect(`text "hello"`)
	if m.closed.Load() != 0 {
		t.Error("a connection has ended")
	}
}

// Deadlines that had begun go on in the new process.
func TestMoveDeadlines(t *testing.T) {
	m := newMover()
	cfg := moverConfig(m)
	a := startMover(t, cfg)
	silent, slow, closing := a.dial(t, "/silent"), a.dial(t, "/slow"), a.dial(t, "/closing")
	for _, c := range []*client{silent, slow, closing} {
		c.text("hello")
		c.expect(`text "hello"`)
	}
	a.clock.advance(20 * time.Second)
	slow.raw(masked(0x81, "half")[:7])
	arrived(t, slow.nc)
	closeAll(a, "/closing", 4000, "")
	closing.expect("close 4000")
	a.clock.advance(3 * time.Second)

	b := a.move(t, cfg)
	b.clock.advance(1500 * time.Millisecond)
	if n := m.closed.Load(); n != 0 {
		t.Fatalf("%d connections have ended after 4.5 s", n)
	}
	b.clock.advance(time.Second) // CloseTimeout is 5 s
	if why := (*CloseError)(nil); !errors.As(receive(t, m.why), &why) || why.Code != 4000 {
		t.Errorf("first %v", why)
	}
	b.clock.advance(7 * time.Second) // the first ping after 30 s
	silent.expect("ping")
	b.clock.advance(4 * time.Second) // AssemblyTimeout is 15 s
	slow.expect("close 1008")
}

// What cannot move gets a Close when the others have moved.
func TestMoveLeavesOthers(t *testing.T) {
	m := newMover()
	a := startMover(t, moverConfig(m))
	moves := a.dial(t, "/moves")
	moves.text("hello")
	moves.expect(`text "hello"`)
	closed := make(chan error, 1)
	stays := a.dial(t, "/stays")
	stays.text("hello")
	stays.expect(`text "hello"`)
	onLoops(a, "/stays", func(c *conn) {
		// As if the Server had another endpoint, whose Handler is no Freezer.
		c.endpoint = newEndpoint(&Config{Handler: funcs{close: func(_ LoopConn, err error) { closed <- err }}})
	})
	go func() {
		stays.expect("close 1001")
		stays.frame(0x88, "\x03\xe9")
		stays.nc.Close()
	}()
	f := freeze(t, a.Server)
	if r := f.Report(); r.Connections != 1 || r.Others != 1 {
		t.Errorf("%+v", r)
	}
	f.Thaw()
	a.move(t, moverConfig(m))
	moves.text("hello")
	moves.expect(`text "hello"`)
	select {
	case err := <-closed:
		t.Errorf("OnClose was called: %v", err)
	default:
	}
}

// Connections come back at the endpoint of the same name, and count there; those of an endpoint
// without a name do not move.
func TestMoveEndpoints(t *testing.T) {
	withEndpoints := func(start func(*testing.T, Config) *testServer) *testServer {
		mux := http.NewServeMux()
		cfg := moverConfig(newMover())
		cfg.HTTP = mux
		ts := start(t, cfg)
		mux.Handle("/", ts.Server)
		for path, name := range map[string]string{"/chat/": "chat", "/news/": "news", "/unnamed/": ""} {
			m := newMover()
			m.message = says(name).message
			mux.Handle(path, ts.Endpoint(Endpoint{Name: name, Handler: m, Admit: pathValue, MaxConns: 2}))
		}
		return ts
	}
	full := func(ts *testServer, path string) bool {
		resp, _ := ask(t, ts.addr, upgradeRequest(path, ""))
		return resp.StatusCode == http.StatusServiceUnavailable
	}
	a := withEndpoints(startMover)
	chat := []*client{a.dial(t, "/chat/1"), a.dial(t, "/chat/2")}
	news, other, stays := a.dial(t, "/news/1"), a.dial(t, "/other"), a.dial(t, "/unnamed/1")
	check := func() {
		t.Helper()
		for c, want := range map[*client]string{chat[0]: "chat /chat/1", chat[1]: "chat /chat/2", news: "news /news/1", other: "x"} {
			c.text("x")
			c.expect(fmt.Sprintf("text %q", want))
		}
	}
	check()
	go func() {
		stays.expect("close 1001")
		stays.frame(0x88, "\x03\xe9")
		stays.nc.Close()
	}()
	b := a.moveTo(t, withEndpoints(startNew))
	check()
	if !full(b, "/chat/3") {
		t.Error("the endpoint takes more connections than MaxConns")
	}
	second := b.dial(t, "/news/2")
	if !full(b, "/news/3") {
		t.Error("the endpoint takes more connections than MaxConns")
	}
	for _, c := range []*client{chat[0], second} {
		c.frame(0x88, "\x03\xe8")
		c.expect("close 1000")
		c.nc.Close()
	}
	waitFor(t, func() bool { return b.Stats().Open == 3 })
	chat[0] = b.dial(t, "/chat/1") // the places are free again
	b.dial(t, "/news/2")
	check()
	if !full(b, "/chat/3") || !full(b, "/news/3") {
		t.Error("the endpoint takes more connections than MaxConns")
	}
}

// A request that has begun is finished first, or the server goes on.
func TestFreezeWaitsForRequests(t *testing.T) {
	m := newMover()
	cfg := moverConfig(m)
	begun, finish := make(chan bool), make(chan bool)
	cfg.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		<-finish
		io.WriteString(w, "done")
	})
	a := startMover(t, cfg)
	answers := make(chan string, 2)
	get := func() {
		res, err := http.Get("http://" + a.addr + "/")
		if err != nil {
			answers <- err.Error()
			return
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		answers <- string(b)
	}
	go get()
	receive(t, begun)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := a.Freeze(ctx); err == nil || !strings.Contains(err.Error(), "1 requests do not end") {
		t.Errorf("%v", err)
	}
	frozen := make(chan *Frozen)
	go func() {
		f, err := a.Freeze(t.Context())
		if err != nil {
			t.Error(err)
		}
		frozen <- f
	}()
	waitFor(t, func() bool { return a.barrier.isShut() != nil })
	go get()
	finish <- true
	if got := receive(t, answers); got != "done" {
		t.Errorf("the request in flight: %s", got)
	}
	f := receive(t, frozen)
	select {
	case <-begun:
		t.Error("a request began while the server was frozen")
	default:
	}
	f.Thaw()
	receive(t, begun)
	finish <- true
	if got := receive(t, answers); got != "done" {
		t.Errorf("the request that had to wait: %s", got)
	}
}
