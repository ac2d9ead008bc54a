package server

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"slices"
	"sync/atomic"

	"github.com/hawser-ws/hawser/server/handover"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// Thawing is a Server that takes over the connections of another process: see Server.Freeze.
// Until Start it touches none of them; what is sent to them is queued.
type Thawing struct {
	s         *Server
	holds     []*hold
	thawed    []thawedLoop
	next      int // the loop that got the last connection
	listeners []net.Listener
	unserved  []net.Conn
	err       error // why it must not take over
	ended     bool  // everything has been received
}

// thawedLoop is what a loop has taken over. The loops work while the next message is received.
type thawedLoop struct {
	conns []*conn               // Loop only.
	err   atomic.Pointer[error] // the first
}

// arrivedConn is a connection that a loop is about to take over.
type arrivedConn struct {
	frozen *frozenConn
	fd     int
}

// Thaw prepares a new Server, which has no connections, to take over those of another process.
func (s *Server) Thaw() (*Thawing, error) {
	t := &Thawing{s: s, thawed: make([]thawedLoop, len(s.loops))}
	for _, l := range s.loops {
		if _, ok := l.k.(movingKernel); !ok {
			return nil, ErrNotMovable
		}
	}
	f := &Frozen{s: s}
	if err := f.holdAll(); err != nil {
		return nil, err
	}
	t.holds = f.holds
	return t, nil
}

// Receive takes one message of Frozen.Messages. It reports whether it was one; otherwise
// it is the application's. After an error the process must not take over.
func (t *Thawing) Receive(m handover.Message) (ok bool, err error) {
	if m.Kind < firstKind {
		return false, nil
	}
	switch {
	case t.err != nil:
	case t.ended:
		t.err = errors.New("server: thaw: a message after the last")
	case m.Kind == kindListeners:
		t.err = t.receiveListeners(m)
	case m.Kind == kindConnections:
		t.err = t.receiveConnections(m)
	case m.Kind == kindUnserved:
		t.err = t.receiveUnserved(m)
	case m.Kind == kindEnd:
		t.err = t.receiveEnd(m)
	default:
		t.err = fmt.Errorf("server: thaw: a message of the unknown kind %d", m.Kind)
	}
	return true, t.err
}

func (t *Thawing) receiveListeners(m handover.Message) error {
	for _, fd := range m.Descriptors {
		f := os.NewFile(uintptr(fd), "listener")
		ln, err := net.FileListener(f)
		f.Close() // FileListener has a duplicate
		if err != nil {
			return fmt.Errorf("server: thaw a listener: %w", err)
		}
		t.listeners = append(t.listeners, ln)
	}
	return nil
}

// receiveConnections distributes connections among the loops. If a loop cannot take one over, a later
// message returns the error.
func (t *Thawing) receiveConnections(m handover.Message) error {
	r := snapshot.NewReader(m.Data)
	arrived := make([][]arrivedConn, len(t.holds))
	for _, fd := range m.Descriptors {
		f := readFrozen(r)
		if err := r.Err(); err != nil {
			return fmt.Errorf("server: thaw a connection: %w", err)
		}
		t.next = (t.next + 1) % len(t.holds)
		arrived[t.next] = append(arrived[t.next], arrivedConn{f, fd})
	}
	for i, some := range arrived {
		if len(some) > 0 {
			t.holds[i].begin(func() { t.thawAll(i, some) })
		}
	}
	return errors.Join(t.failure(), r.End())
}

// failure returns why a loop could not take over a connection, if it is known already.
func (t *Thawing) failure() error {
	for i := range t.thawed {
		if err := t.thawed[i].err.Load(); err != nil {
			return fmt.Errorf("server: thaw a connection: %w", *err)
		}
	}
	return nil
}

func (t *Thawing) receiveUnserved(m handover.Message) error {
	r := snapshot.NewReader(m.Data)
	for _, fd := range m.Descriptors {
		file := os.NewFile(uintptr(fd), "connection")
		nc, err := net.FileConn(file)
		file.Close() // FileConn has a duplicate
		if err != nil {
			return fmt.Errorf("server: thaw a handshake: %w", err)
		}
		t.unserved = append(t.unserved, &resumedConn{nc, bytes.Clone(r.Bytes(maxUnserved))})
	}
	return r.End()
}

func (t *Thawing) receiveEnd(m handover.Message) error {
	r := snapshot.NewReader(m.Data)
	listeners, conns := r.Int(math.MaxInt32), r.Int(math.MaxInt32)
	if err := r.End(); err != nil {
		return err
	}
	have := 0
	for i, h := range t.holds {
		h.do(func() { have += len(t.thawed[i].conns) })
	}
	if err := t.failure(); err != nil {
		return err
	}
	if have != conns || len(t.listeners) != listeners {
		return fmt.Errorf("server: thaw: %d connections and %d listeners of %d and %d have arrived", have, len(t.listeners), conns, listeners)
	}
	t.ended = true
	return nil
}

// thawAll takes connections over, until one of them makes no sense. On the held loop.
func (t *Thawing) thawAll(i int, arrived []arrivedConn) {
	to := &t.thawed[i]
	for _, a := range arrived {
		if to.err.Load() != nil {
			return
		}
		c, err := t.thaw(t.s.loops[i], a.frozen, a.fd)
		if err != nil {
			to.err.Store(&err)
			return
		}
		to.conns = append(to.conns, c)
	}
	t.s.loops[i].deliverJoins()
}

// deliverJoins carries out the joins that were posted, up to the first task of another kind. Otherwise the
// mailbox would hold those of all connections at once. On the held loop.
func (l *loop) deliverJoins() {
	b := &l.box
	b.mu.Lock()
	n := 0
	for n < len(b.tasks) && b.tasks[n].kind == taskJoin {
		n++
	}
	joins := append([]task(nil), b.tasks[:n]...)
	b.tasks = slices.Delete(b.tasks, 0, n)
	for i := range joins {
		cost := joins[i].cost(0)
		b.bytes -= cost
		l.budget.add(-cost)
	}
	l.hasMail.Store(len(b.tasks) > 0)
	l.hasMore.Store(len(b.tasks) > 0)
	b.mu.Unlock()
	for i := range joins {
		l.do(&joins[i], nil)
	}
}

// thaw puts a connection into a slot. On the held loop.
func (t *Thawing) thaw(l *loop, f *frozenConn, fd int) (*conn, error) {
	endpoint := t.s.endpointNamed(f.endpoint)
	if endpoint == nil || endpoint.freezer == nil {
		return nil, fmt.Errorf("there is no endpoint %q whose Handler is a Freezer", f.endpoint)
	}
	handle, ok := l.takeSlot()
	if !ok {
		return nil, fmt.Errorf("a loop holds its maximum of %d connections", maxSlabs*slabSize-1)
	}
	c := handle.conn
	c.endpoint = endpoint
	if err := l.thawConn(c, f, fd); err != nil {
		return nil, err
	}
	if err := l.callThaw(c, f.app); err != nil {
		return nil, err
	}
	t.s.conns.Add(1)
	endpoint.count()
	if f.address.IsValid() && t.s.cfg.MaxConnsPerAddress > 0 {
		c.address, _ = t.s.addresses.acquire(f.address.Addr(), math.MaxInt)
	}
	return c, nil
}

// thawConn restores what freezeConn has described. Until startConn the connection is not watched, and
// counts as blocked, so that nothing is written. On the held loop.
func (l *loop) thawConn(c *conn, f *frozenConn, fd int) error {
	cfg := &c.endpoint.roles[f.role]
	if f.maxMessage > 0 {
		cfg = c.endpoint.config(cfg, f.maxMessage)
	}
	c.proto.Init(cfg)
	if err := c.proto.RestoreState(f.proto); err != nil {
		return err
	}
	if c.proto.CloseExpected() && f.phase < closing {
		return errors.New("a connection is open after a Close")
	}
	c.move(opening)
	for c.phase < f.phase {
		c.move(c.phase + 1)
	}
	if f.phase >= closing {
		c.genClosed.Store(c.genClosed.Load() | 1)
		l.stats.closing.Add(1)
	}
	l.live++
	l.stats.open.Add(1)
	l.stats.opened.Add(1)
	c.fd, c.pinged = int32(fd), f.pinged
	if f.why != nil {
		l.keepCause(c, f.why)
	}
	c.flags = flagOpened | flagBlocked
	c.heard, c.began = l.now-f.heard, l.now-f.began
	if f.handshake != nil {
		l.keepHandshake(c, f.handshake)
	}
	for _, b := range frozenBits {
		if f.flags&b.frozen != 0 {
			c.flags |= b.conn
		}
	}
	if f.remote.IsValid() {
		l.keepRemote(c, f.remote)
	}
	l.keepUnread(c, f.unread)
	if len(f.queue) > 0 {
		o := l.outboxOf(c)
		o.push(segment{b: bytes.Clone(f.queue)})
		o.torn, o.lastProgress = f.torn, l.now-f.progress
		l.traffic[queued] += uint64(o.bytes)
	}
	if f.wanted > 0 {
		l.tellRoom(c, f.wanted)
	}
	unit, received, _ := c.proto.Unfinished()
	c.unit = uint16(unit)
	l.setAssembling(c, received+len(f.unread))
	l.noteHeld(c)
	return nil
}

// callThaw calls Freezer.Thaw. A panic is an error.
func (l *loop) callThaw(c *conn, state []byte) (err error) {
	err = errors.New("Freezer.Thaw panicked")
	defer l.leave(c)
	return c.endpoint.freezer.Thaw(l.enter(c), state)
}

// Complete returns an error if not everything has been received, or if any of it makes no
// sense. Then the process must not take over.
func (t *Thawing) Complete() error {
	if t.err == nil && !t.ended {
		t.err = errors.New("server: thaw: not everything has been received")
	}
	return t.err
}

// Start takes over: the connections go on from where they were. It returns the listeners, on
// which Serve must be called. The other process must have committed before.
func (t *Thawing) Start() []net.Listener {
	for i, h := range t.holds {
		l := t.s.loops[i]
		h.begin(func() {
			l.tick()
			for _, c := range t.thawed[i].conns {
				l.startConn(c)
			}
		})
		close(h.run)
	}
	// Which listener has accepted them makes no difference.
	if len(t.listeners) > 0 && len(t.unserved) > 0 {
		t.listeners[0] = &resumedListener{t.listeners[0], t.unserved}
	}
	return t.listeners
}

// startConn begins to watch a connection, and has it written to and looked at.
func (l *loop) startConn(c *conn) {
	c.flags &^= flagBlocked
	c.mask = wantRead
	if err := l.k.add(int(c.fd), c.mask, c.slot, c.gen()); err != nil {
		l.stats.refused.Add(1)
		l.cfg.Logger.Error("the system cannot watch another descriptor", "error", err)
		l.teardown(c)
		return
	}
	l.markDirty(c)
	l.arm(c, l.now)
}
