package server

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/server/handover"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/snapshot"
)

// Freezer is a Handler whose connections can move to another process, in which they go on as
// if nothing had happened: see Server.Freeze.
type Freezer interface {
	Handler

	// Freeze returns what Thaw will need to know of a connection. It must change nothing,
	// because the connection goes on here if the other process does not take over.
	Freeze(c LoopConn) (state []byte)

	// Thaw is called in the other process in place of OnOpen, with what Freeze has returned.
	// What it sends follows what was sent before. An error means that the state
	// makes no sense: then the other process must not take over.
	Thaw(c LoopConn, state []byte) error
}

// StateFormat is the format of Frozen.Messages, for package handover.
var StateFormat = handover.Format{Name: "hawser-server", Oldest: 1, Newest: 1}

// The kinds of a Server's messages. Below firstKind they are the application's.
const (
	firstKind       = 0x80
	kindListeners   = 0x80
	kindConnections = 0x81
	kindEnd         = 0x82
	kindUnserved    = 0x83 // connections on which nothing has been answered
)

// batchBytes is the number of bytes at which a message with connections is sent. One with a
// single connection may be longer.
const batchBytes = 1 << 20

// ErrNotMovable is returned by Freeze where connections have no descriptors that could be handed over:
// on systems other than Linux.
var ErrNotMovable = errors.New("server: on this system connections cannot move to another process")

// Frozen is a Server that does nothing: no message is read, delivered or written, no
// deadline passes, and no connection is accepted. What is sent to its connections is queued.
type Frozen struct {
	s     *Server
	holds []*hold
	since time.Duration
	lns   []net.Listener

	unserved []*accepted // that move

	report FreezeReport
}

// FreezeReport counts what a Frozen has of each kind.
type FreezeReport struct {
	Connections int // WebSockets that move
	Listeners   int

	Handshakes int // connections that move before their first request has been answered

	// What cannot move. It goes on if the other process does not take over, and otherwise
	// ends: TLS and Others by a Close with 1001.
	TLS    int // WebSockets over TLS
	Others int // WebSockets whose Handler is no Freezer
	HTTP   int // connections that are not WebSockets
}

// Freeze stops the Server where it stands, so that another process can go on from there. It
// first waits for the HTTP requests and opening handshakes that have begun. If they are not
// finished when ctx is done, the Server goes on, and the error says how many there are. Then
// what was sent is encoded and offered to the sockets, and the loops stop.
//
// The caller must stop whatever sends to connections by itself, such as timers: what is sent
// after the last Settle is lost if the other process takes over.
//
// The order in the two processes, whose channel is package handover's:
//
//	g, err := handover.Start(config)          t, err := handover.Inherit(formats)
//	f, err := s.Freeze(ctx)                   th := s.Thaw()
//	for m, err := range f.Messages(v) {       for each message m of t.Receive {
//		g.Send(m.Kind, m.Data, …)             	th.Receive(m)
//	}                                         }
//	g.Commit()                                th.Complete()
//	f.Finish(ctx)                             t.Commit()
//	os.Exit(0)                                for _, ln := range th.Start() { go s.Serve(ln) }
//
// If anything fails, the old process calls f.Thaw instead of Finish, and the new one exits.
func (s *Server) Freeze(ctx context.Context) (*Frozen, error) {
	for _, l := range s.loops {
		if _, ok := l.k.(movingKernel); !ok {
			return nil, ErrNotMovable
		}
	}
	f := &Frozen{s: s}
	finished := s.pauseAccepting()
	if finished == nil {
		return nil, errors.New("server: it is frozen already")
	}
	select {
	case <-finished:
	case <-ctx.Done():
		n := s.barrier.count()
		s.resumeAccepting()
		return nil, fmt.Errorf("server: freeze: %d requests do not end: %w", n, ctx.Err())
	}
	if err := f.holdAll(); err != nil {
		f.Thaw()
		return nil, err
	}
	if err := f.settle(ctx); err != nil {
		f.Thaw()
		return nil, err
	}
	f.since = s.cfg.now()
	f.interruptUnserved(ctx)
	f.count()
	return f, nil
}

// holdAll holds the loops.
func (f *Frozen) holdAll() error {
	for _, l := range f.s.loops {
		h, err := l.holdLoop()
		if err != nil {
			return ErrServerClosed
		}
		f.holds = append(f.holds, h)
	}
	for _, h := range f.holds {
		<-h.held
	}
	return nil
}

// settle lets the loops do what is due until none has anything to do, because what one does
// may concern another.
func (f *Frozen) settle(ctx context.Context) error {
	for busy := true; busy; {
		busy = false
		for i, h := range f.holds {
			h.do(func() { busy = f.s.loops[i].settle() || busy })
		}
		if err := ctx.Err(); busy && err != nil {
			return fmt.Errorf("server: freeze: the loops do not come to rest: %w", err)
		}
	}
	return nil
}

// Settle encodes what was sent to connections since Freeze, and offers it to the sockets. What
// the sockets do not take moves, too. An error means that ctx has ended first.
func (f *Frozen) Settle(ctx context.Context) error {
	if err := f.settle(ctx); err != nil {
		return err
	}
	f.count()
	return nil
}

// count makes the report.
func (f *Frozen) count() {
	f.report = FreezeReport{}
	for i, h := range f.holds {
		h.do(func() {
			for c := range f.s.loops[i].present() {
				switch {
				case c.tls != nil:
					f.report.TLS++
				case !c.movable():
					f.report.Others++
				default:
					f.report.Connections++
				}
			}
		})
	}
	f.s.mu.Lock()
	f.lns = slices.Clone(f.s.listeners)
	f.s.mu.Unlock()
	f.report.Listeners = len(f.lns)
	f.report.Handshakes = len(f.unserved)
	f.report.HTTP = f.s.http.open() - len(f.unserved)
}

// movable reports whether the connection can go to another process. A MessageWriter that has begun
// a message stays in this one.
func (c *conn) movable() bool {
	return c.tls == nil && c.fd < firstBridged && c.endpoint.freezer != nil && c.stream.Load() == nil
}

// Report says what moves and what does not, as of Freeze or the last Settle.
func (f *Frozen) Report() FreezeReport { return f.report }

// Messages ranges over the messages for the other process, in a version of StateFormat that it
// knows. Send each one by [handover.Giver.Send] before asking for the next. After an error there
// are no more, and the other process cannot take over.
func (f *Frozen) Messages(version int) iter.Seq2[handover.Message, error] {
	return func(yield func(handover.Message, error) bool) {
		if version < StateFormat.Oldest || version > StateFormat.Newest {
			yield(handover.Message{}, fmt.Errorf("server: version %d of the state is not known", version))
			return
		}
		m, err := f.listeners()
		if !yield(m, err) || err != nil {
			closeDescriptors(m.Descriptors)
			return
		}
		closeDescriptors(m.Descriptors) // they are duplicates
		for i := range f.holds {
			if !f.connections(i, yield) {
				return
			}
		}
		if !f.yieldUnserved(yield) {
			return
		}
		end := snapshot.AppendInt(snapshot.AppendInt(nil, f.report.Listeners), f.report.Connections)
		yield(handover.Message{Kind: kindEnd, Data: end}, nil)
	}
}

// listeners makes the message with the listeners.
func (f *Frozen) listeners() (handover.Message, error) {
	m := handover.Message{Kind: kindListeners}
	for _, ln := range f.lns {
		fd, err := descriptorOf(ln)
		if err != nil {
			return m, err
		}
		m.Descriptors = append(m.Descriptors, fd)
	}
	return m, nil
}

// descriptorOf returns a duplicate of a listener's descriptor.
func descriptorOf(ln net.Listener) (fd int, err error) {
	sc, ok := ln.(syscall.Conn)
	if !ok {
		return 0, fmt.Errorf("server: freeze: a %T has no descriptor to hand over", ln)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("server: freeze: %w", err)
	}
	dup := errors.New("the listener is closed")
	if err := raw.Control(func(old uintptr) { fd, dup = duplicate(int(old)) }); err != nil {
		return 0, fmt.Errorf("server: freeze: %w", err)
	}
	return fd, dup
}

// connections yields messages with the connections of a loop. It reports whether to go on.
func (f *Frozen) connections(i int, yield func(handover.Message, error) bool) bool {
	l := f.s.loops[i]
	m := handover.Message{Kind: kindConnections}
	for slot := uint32(1); ; {
		more := false
		f.holds[i].do(func() { slot, more = l.freezeBatch(slot, &m) })
		if len(m.Descriptors) > 0 && !yield(m, nil) {
			return false
		}
		if !more {
			return true
		}
		m.Data, m.Descriptors = m.Data[:0], m.Descriptors[:0]
	}
}

// yieldUnserved yields messages with connections on which nothing has been answered.
func (f *Frozen) yieldUnserved(yield func(handover.Message, error) bool) bool {
	for batch := range slices.Chunk(f.unserved, handover.MaxDescriptors) {
		m := handover.Message{Kind: kindUnserved}
		for _, a := range batch {
			data, fd, err := a.appendUnserved(m.Data)
			if err != nil {
				continue // it has ended
			}
			m.Data, m.Descriptors = data, append(m.Descriptors, fd)
		}
		ok := yield(m, nil)
		closeDescriptors(m.Descriptors) // they are duplicates
		if !ok {
			return false
		}
	}
	return true
}

// freezeBatch adds connections to m, from a slot on, until it is full. It returns where to go on. On
// the held loop.
func (l *loop) freezeBatch(slot uint32, m *handover.Message) (next uint32, more bool) {
	l.free.mu.Lock()
	end := l.free.next
	l.free.mu.Unlock()
	for ; slot < end; slot++ {
		if len(m.Descriptors) == handover.MaxDescriptors || len(m.Data) > batchBytes {
			return slot, true
		}
		if c := l.at(slot); c.present() && c.movable() {
			m.Data = l.freezeConn(c).append(m.Data)
			m.Descriptors = append(m.Descriptors, l.k.(movingKernel).descriptor(int(c.fd)))
		}
	}
	return slot, false
}

// freezeConn describes a connection. On the held loop.
func (l *loop) freezeConn(c *conn) *frozenConn {
	f := &frozenConn{
		endpoint: c.endpoint.name, role: c.proto.Config().Role, phase: c.phase, handshake: c.negotiated(),
		proto: c.proto.AppendState(nil, wsproto.NewestState), unread: l.unread[c.slot],
		heard: l.now - c.heard, began: l.now - c.began, pinged: c.pinged,
		remote: l.remotes[c.slot], why: c.cause(), app: l.callFreeze(c),
	}
	for _, b := range frozenBits {
		if c.has(b.conn) {
			f.flags |= b.frozen
		}
	}
	if own := c.proto.Config().MaxMessage; own != c.endpoint.roles[f.role].MaxMessage {
		f.maxMessage = own
	}
	if c.has(flagTell) {
		f.wanted = l.wanted[c.slot]
	}
	if c.address != nil {
		f.address = c.address.key
	}
	if o := c.out; o != nil {
		f.queue = make([]byte, 0, o.bytes)
		for _, s := range o.segs[o.head:] {
			f.queue = append(f.queue, s.b...)
		}
		f.torn, f.progress = o.torn, l.now-o.lastProgress
	}
	return f
}

func (l *loop) callFreeze(c *conn) []byte {
	defer l.leave(c)
	return c.endpoint.freezer.Freeze(l.enter(c))
}

// Thaw lets the Server go on as if nothing had happened, because the other process has not taken over.
func (f *Frozen) Thaw() {
	for i, h := range f.holds {
		l := f.s.loops[i]
		if f.since > 0 {
			h.do(func() { l.shiftTimes(ticks(f.s.cfg.now() - f.since)) })
		}
		close(h.run)
	}
	for _, a := range f.unserved {
		a.resume()
	}
	f.s.resumeAccepting()
}

// shiftTimes leaves out a period, so that nobody's deadline passes because of it.
func (l *loop) shiftTimes(by uint32) {
	for c := range l.present() {
		c.heard += by
		c.began += by
		if c.out != nil {
			c.out.lastProgress += by
		}
	}
}

// Finish ends what has not moved, after the other process has taken over: the remaining
// WebSockets get a Close with 1001, and no callback. It returns when they have ended or ctx is
// done. The process should then exit.
func (f *Frozen) Finish(ctx context.Context) error {
	for i, h := range f.holds {
		l := f.s.loops[i]
		h.do(func() {
			for c := range l.present() {
				c.flags &^= flagOpened // no OnClose
				if c.movable() {
					l.abandon(c)
				}
			}
			l.reap()
		})
		close(h.run)
	}
	f.s.mu.Lock()
	f.s.https = nil // closing the listener of a Unix socket would remove the other process's
	f.s.mu.Unlock()
	return f.s.Shutdown(ctx)
}
