package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server/handover"
	"github.com/hawser-ws/hawser/wsproto"
)

// mover is a Handler that echoes and moves: its connections' values are strings.
type mover struct {
	funcs
	opened, thawed, closed atomic.Int32
	why                    chan error
}

func newMover() *mover {
	m := &mover{why: make(chan error, 100)}
	m.open = func(LoopConn) { m.opened.Add(1) }
	m.message = func(c LoopConn, op frame.Opcode, p []byte) {
		c.Send(op, p)
		if string(p) == "pause" {
			c.Pause(true)
		}
	}
	m.close = func(_ LoopConn, err error) { m.closed.Add(1); m.why <- err }
	return m
}

func (m *mover) Freeze(c LoopConn) []byte { return []byte(c.Value().(string)) }

func (m *mover) Thaw(c LoopConn, state []byte) error {
	m.thawed.Add(1)
	if len(state) == 0 {
		return errors.New("no value")
	}
	c.SetValue(string(state))
	if string(state) == "/hello" {
		c.Send(frame.Text, []byte("moved"))
	}
	return nil
}

func moverConfig(m *mover) Config {
	cfg := Config{Handler: m, Admit: pathValue, newKernel: func() (kernel, error) { return newKernel(0) }, Loops: 2}
	cfg.Upgrader.Deflate = &handshake.DeflateOptions{ServerContextTakeover: true}
	return cfg
}

// startNew starts a server without a listener, with a clock that differs.
func startNew(t *testing.T, cfg Config) *testServer {
	t.Helper()
	ts := &testServer{clock: &clock{}, log: &syncBuffer{}}
	ts.clock.t.Store(int64(time.Duration(1+rand.IntN(100)) * time.Hour))
	cfg.now = ts.clock.now
	cfg.Logger = slog.New(slog.NewTextHandler(ts.log, nil))
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ts.Server, ts.clock.s = s, s
	return ts
}

func freeze(t *testing.T, s *Server) *Frozen {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	f, err := s.Freeze(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// sendTo gives a Thawing everything that a Frozen has, as SCM_RIGHTS would.
func sendTo(t *testing.T, f *Frozen, to *Thawing) {
	t.Helper()
	for m, err := range f.Messages(StateFormat.Newest) {
		if err != nil {
			t.Fatal(err)
		}
		m.Data = bytes.Clone(m.Data)
		var fds []int
		for _, fd := range m.Descriptors {
			dup, err := duplicate(fd)
			if err != nil {
				t.Fatal(err)
			}
			fds = append(fds, dup)
		}
		m.Descriptors = fds
		if ok, err := to.Receive(m); !ok || err != nil {
			t.Fatalf("message %x: %t, %v", m.Kind, ok, err)
		}
	}
	if err := to.Complete(); err != nil {
		t.Fatal(err)
	}
}

// move moves everything to a new server.
func (ts *testServer) move(t *testing.T, cfg Config) *testServer {
	t.Helper()
	return ts.moveTo(t, startNew(t, cfg))
}

func (ts *testServer) moveTo(t *testing.T, next *testServer) *testServer {
	t.Helper()
	f := freeze(t, ts.Server)
	to, err := next.Thaw()
	if err != nil {
		t.Fatal(err)
	}
	sendTo(t, f, to)
	if err := f.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	next.addr = ts.addr
	for _, ln := range to.Start() {
		next.serve(t, ln)
	}
	// The end of a process closes its listeners without removing the files of Unix sockets.
	ts.mu.Lock()
	for _, ln := range ts.listeners {
		if u, ok := ln.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		ln.Close()
	}
	ts.mu.Unlock()
	ts.barrier.open()
	return next
}

func (ts *testServer) serve(t *testing.T, ln net.Listener) {
	served := make(chan error, 1)
	go func() { served <- ts.Serve(ln) }()
	waitFor(t, func() bool {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		return len(ts.listeners) > 0
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		ts.Shutdown(ctx)
		ln.Close()
		<-served
	})
}

// startMover starts the first server. The listener is not closed by its end.
func startMover(t *testing.T, cfg Config) *testServer {
	t.Helper()
	ts := startNew(t, cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ts.addr = ln.Addr().String()
	ts.serve(t, ln)
	return ts
}

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

// onLoops runs f with each connection whose value is v.
func onLoops(ts *testServer, v string, f func(c *conn)) {
	for _, l := range ts.loops {
		l.call(func() {
			for c := range l.present() {
				if c.value == v {
					f(c)
				}
			}
		})
	}
}

func closeAll(ts *testServer, v string, code wsproto.CloseCode, reason string) {
	onLoops(ts, v, func(c *conn) { c.handle().Close(code, reason) })
}

func resumeAll(ts *testServer, v string) {
	onLoops(ts, v, func(c *conn) { c.handle().Pause(false) })
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

// States that no Freeze has made are refused, and so is half of it.
func TestThawRefuses(t *testing.T) {
	m := newMover()
	a := startMover(t, moverConfig(m))
	c := a.dial(t, "/value")
	c.text("hello")
	c.expect(`text "hello"`)
	f := freeze(t, a.Server)
	var messages []handover.Message
	for msg, err := range f.Messages(StateFormat.Newest) {
		if err != nil {
			t.Fatal(err)
		}
		msg.Data = bytes.Clone(msg.Data)
		for i, fd := range msg.Descriptors {
			msg.Descriptors[i], _ = duplicate(fd)
		}
		msg.Descriptors = append([]int(nil), msg.Descriptors...)
		messages = append(messages, msg)
	}
	f.Thaw()
	conns := messages[1]
	receiveAll := func(change func(ms []handover.Message)) error {
		ms := append([]handover.Message(nil), messages...)
		ms[0].Descriptors, _ = dupAll(ms[0].Descriptors)
		change(ms)
		s := startNew(t, moverConfig(newMover()))
		defer s.Shutdown(t.Context())
		to, err := s.Thaw()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range ms {
			if _, err := to.Receive(m); err != nil {
				if to.Complete() == nil {
					t.Error("complete in spite of an error")
				}
				letGo(to)
				return err
			}
		}
		err = to.Complete()
		letGo(to)
		return err
	}
	if err := receiveAll(func([]handover.Message) {}); err != nil {
		t.Errorf("as it was: %v", err)
	}
	for n := range conns.Data {
		if receiveAll(func(ms []handover.Message) { ms[1].Data = conns.Data[:n] }) == nil {
			t.Errorf("the first %d of %d bytes are accepted", n, len(conns.Data))
		}
	}
	for name, change := range map[string]func(ms []handover.Message){
		"a byte more":         func(ms []handover.Message) { ms[1].Data = append(bytes.Clone(conns.Data), 0) },
		"no connections":      func(ms []handover.Message) { ms[1].Descriptors, ms[1].Data = nil, nil },
		"another kind":        func(ms []handover.Message) { ms[1].Kind = 0xFF },
		"no end":              func(ms []handover.Message) { ms[2] = handover.Message{Kind: kindListeners} },
		"the end twice":       func(ms []handover.Message) { ms[1] = ms[2] },
		"of another endpoint": func(ms []handover.Message) { ms[1].Data = append([]byte("\x01x"), conns.Data[1:]...) },
		"without its own bytes": func(ms []handover.Message) {
			ms[1].Data = bytes.Replace(conns.Data, []byte("\x06/value"), []byte{0}, 1)
		},
	} {
		if err := receiveAll(change); err == nil {
			t.Errorf("%s: it is accepted", name)
		}
	}
	c.text("still here")
	c.expect(`text "still here"`)
}

func dupAll(fds []int) (dups []int, err error) {
	for _, fd := range fds {
		dup, err := duplicate(fd)
		if err != nil {
			return nil, err
		}
		dups = append(dups, dup)
	}
	return dups, nil
}

// letGo ends a Thawing as the exit of its process would.
func letGo(to *Thawing) {
	for i, h := range to.holds {
		l := to.s.loops[i]
		h.do(func() {
			for c := range l.present() {
				c.fd, c.flags = int32(-1), c.flags&^flagOpened
				l.end(c)
				l.forget(c)
			}
			l.reap()
		})
		close(h.run)
	}
	for _, ln := range to.listeners {
		ln.Close()
	}
}

// Random clients check every byte of their echoes while the server moves again and again.
func TestMoveAgainAndAgain(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	m := newMover()
	cfg := moverConfig(m)
	cfg.MaxMessage = 1 << 20
	s := startMover(t, cfg)
	const clients = 12
	stop := make(chan struct{})
	done := make(chan string, clients)
	for i := range clients {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		o := &handshake.DialOptions{}
		if i%2 == 1 {
			o.Deflate = &handshake.DeflateOptions{ServerContextTakeover: i%4 == 1}
		}
		c := s.dialWith(t, fmt.Sprintf("/%d", i), o)
		go func() { done <- echoAtRandom(c, r, stop) }()
	}
	for range 10 {
		s = s.move(t, cfg)
		time.Sleep(5 * time.Millisecond) // in which the clients do something
	}
	close(stop)
	for range clients {
		if problem := receive(t, done); problem != "" {
			t.Error(problem)
		}
	}
	if n := m.closed.Load(); n != 0 {
		t.Errorf("%d connections have ended", n)
	}
}

// echoAtRandom sends messages in random pieces until stop is closed, and checks the echoes. It
// returns what is wrong.
func echoAtRandom(c *client, r *rand.Rand, stop <-chan struct{}) string {
	for {
		select {
		case <-stop:
			return ""
		default:
		}
		text := make([]byte, r.IntN(1+r.IntN(5000)))
		for i := range text {
			text[i] = "abcdefgh"[r.IntN(8)]
		}
		var wire []byte
		var err error
		if r.IntN(2) == 0 {
			wire, err = c.proto.AppendMessage(nil, frame.Text, text)
		} else {
			cut := r.IntN(len(text) + 1)
			wire, err = c.proto.AppendFragment(nil, frame.Text, text[:cut], false)
			if err == nil {
				wire, err = c.proto.AppendPing(wire, []byte("between"))
			}
			if err == nil {
				wire, err = c.proto.AppendFragment(wire, frame.Continuation, text[cut:], true)
			}
		}
		if err != nil {
			return err.Error()
		}
		for len(wire) > 0 {
			n := min(len(wire), 1+r.IntN(2000))
			if _, err := c.nc.Write(wire[:n]); err != nil {
				return err.Error()
			}
			wire = wire[n:]
		}
		for {
			ev := c.event()
			if ev.Kind == wsproto.Pong {
				continue
			}
			if ev.Kind != wsproto.Message || !bytes.Equal(ev.Payload, text) {
				return fmt.Sprintf("the echo of %d bytes is kind %d with %d bytes, %v", len(text), ev.Kind, len(ev.Payload), ev.Err)
			}
			break
		}
	}
}

// A listener on a Unix socket is still there after the move.
func TestMoveUnixListener(t *testing.T) {
	m := newMover()
	cfg := moverConfig(m)
	a := startNew(t, cfg)
	path := t.TempDir() + "/socket"
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	a.serve(t, ln)
	a.move(t, cfg)
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	fmt.Fprint(nc, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	nc.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 20)
	if n, err := nc.Read(buf); !strings.HasPrefix(string(buf[:n]), "HTTP/1.1 4") {
		t.Errorf("%q, %v", buf[:n], err)
	}
}
