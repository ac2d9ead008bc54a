package server

import (
	"sync"
	"time"
	"unsafe"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// mailbox holds what other goroutines ask of a loop, in the order in which they posted
// it. While it is not empty, what the loop's own callbacks send goes through it as
// well, so that it does not overtake what was posted before.
type mailbox struct {
	mu     sync.Mutex
	tasks  []task // Guarded by mu.
	data   []byte // Guarded by mu. The tasks' payloads.
	bytes  int    // Guarded by mu. What the tasks and their messages use.
	asleep bool   // Guarded by mu. The loop waits, or is about to, and has to be woken.
	dozing bool   // Guarded by mu. It is asleep, but for no longer than dozeTime: what opens connections need not wake it.
	closed bool   // Guarded by mu. The loop has ended.
}

type taskKind uint8

const (
	taskSend taskKind = iota
	taskPrepared
	taskFragment
	taskDo    // runs a function in a callback of the connection
	taskGroup // a full mailbox refuses the kinds up to this one
	taskJoin
	taskLeave
	taskLeaveAll
	taskCloseAll
	taskTell       // a message was refused
	taskTellWriter // a fragment was refused
	taskClose
	taskEvict
	taskPause
	taskResume
	taskOpen
	taskArrive   // takes an accepted connection
	taskDisplace // closes an arriving connection
	taskLend     // has the loop accept
	taskJudged   // a goroutine of the pool has judged a handshake
	taskStop
	taskCut
	taskPanicked // expels the connection, because a callback of it panicked
	taskCall     // runs a function
)

// task is one thing for a loop to do, usually to one connection.
type task struct {
	kind      taskKind
	op        frame.Opcode
	policy    Policy
	code      wsproto.CloseCode
	to        Conn
	from      int // the payload's place in the mailbox's data
	end       int
	fin       bool
	size      int // bytes that count as posted, or that were refused
	m         *wsproto.Prepared
	adoption  *adoption
	arrival   *accepted
	judgement *judgement
	lease     *lease
	group     *members
	except    []Conn // members that are not sent it
	state     *state // nil: the message is not a version of one
	over      time.Duration
	do        func(LoopConn)
	call      func()
}

// maxMail is the maximum number of bytes in a mailbox. An empty mailbox takes anything, and
// tasks that end or change something are never refused.
const maxMail = 64 << 20

// mailLimit returns the maximum for each mailbox of a server: room for one connection's queue,
// and otherwise no more than all of them together may take of half of the memory budget.
func mailLimit(cfg *Config) int {
	limit := maxMail
	if cfg.MemoryBudget > 0 {
		limit = min(limit, cfg.MemoryBudget/2/cfg.Loops)
	}
	return max(limit, cfg.WriteQueue)
}

// cost is what a task uses while it waits, with a payload of n bytes.
func (t *task) cost(n int) int {
	n += int(unsafe.Sizeof(*t))
	if t.m != nil {
		n += len(t.m.Payload())
	}
	return n
}

// post adds a task, with a copy of p, and wakes the loop if it sleeps.
func (l *loop) post(t task, p []byte) error {
	b := &l.box
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	if !l.takes(&t, len(p)) {
		b.mu.Unlock()
		return ErrBusy
	}
	l.put(t, p)
	b.mu.Unlock()
	return nil
}

// takes reports whether there is room in the mailbox for a task with a payload of n bytes. With
// nothing but a few messages of groups, which wait for more of them, it counts as empty: sent one
// by one, they would have left it. Called with the mailbox's mu held.
func (l *loop) takes(t *task, n int) bool {
	return t.kind > taskGroup || !l.hasMore.Load() || l.box.bytes+t.cost(n) <= l.mailLimit
}

// put adds a task that has room. Called with the mailbox's mu held.
func (l *loop) put(t task, p []byte) {
	b := &l.box
	cost := t.cost(len(p))
	b.bytes += cost
	l.budget.add(cost)
	t.from = len(b.data)
	b.data = append(b.data, p...)
	t.end = len(b.data)
	b.tasks = append(b.tasks, t)
	l.hasMail.Store(true)
	if t.kind != taskGroup || b.bytes > min(maxRun, l.mailLimit/2) {
		l.hasMore.Store(true)
	}
	if b.asleep && !(b.dozing && (t.kind == taskOpen || t.kind == taskArrive || t.kind == taskLend || t.kind == taskJudged)) {
		// With mu held: a loop closes its mailbox before it releases its kernel.
		b.asleep = false
		l.k.wake()
	}
}

// mayActDirectly reports whether the mailbox is empty and not being delivered: what a
// callback sends may then go straight to its connection's outbox. A post by another
// goroutine at this very moment is concurrent, so either order is right. Loop only.
func (l *loop) mayActDirectly() bool { return !l.hasMail.Load() && !l.delivering }

// deliver does what was posted. It calls no Handler method of a connection that is open, only
// what Do was given, so it may run between two messages of one connection. OnOpen is left to
// openAll, unless a Do for the new connection comes first.
func (l *loop) deliver() {
	if l.hasMail.Load() {
		b := &l.box
		b.mu.Lock()
		tasks, data := b.tasks, b.data
		b.tasks, b.data = l.spare.tasks[:0], l.spare.data[:0]
		l.budget.add(-b.bytes)
		b.bytes = 0
		l.hasMail.Store(false)
		l.hasMore.Store(false)
		b.mu.Unlock()
		l.waiters.wake(Conn{})
		l.delivering = true
		for i := 0; i < len(tasks); {
			if tasks[i].kind == taskGroup {
				n := groupRun(tasks[i:])
				l.sendGroup(tasks[i : i+n])
				i += n
				continue
			}
			l.do(&tasks[i], data)
			i++
		}
		l.delivering = false
		clear(tasks)           // they hold pointers
		if cap(data) > 1<<20 { // do not keep what only a burst needed
			data = nil
		}
		if cap(tasks) > 1<<14 {
			tasks = nil
		}
		l.spare.tasks, l.spare.data = tasks, data
	}
}

func (l *loop) do(t *task, data []byte) {
	switch t.kind {
	case taskOpen:
		l.register(t.to.conn, t.adoption)
		return
	case taskArrive:
		l.arrivals = append(l.arrivals, t.arrival)
		return
	case taskLend:
		l.borrow(t.lease)
		return
	case taskJudged:
		l.judged(t.judgement)
		return
	case taskDisplace:
		if c := t.to.conn; c.gen() == t.to.gen && c.phase == arriving {
			l.dropArriving(c)
		}
		return
	case taskLeaveAll:
		l.emptyGroup(t.group)
		return
	case taskCloseAll:
		l.closeAll(t.group, t.code, string(data[t.from:t.end]))
		return
	case taskStop:
		l.stop(t.over)
		return
	case taskCut:
		l.cutting = true
		return
	case taskCall:
		t.call()
		return
	}
	c := t.to.here()
	if c == nil {
		l.tooLate(t)
		return
	}
	switch t.kind {
	case taskSend, taskPrepared, taskFragment:
		switch t.kind {
		case taskSend:
			l.sendMessage(c, t.op, data[t.from:t.end])
		case taskPrepared:
			l.queuePrepared(c, t.m, nil, nil)
		case taskFragment:
			l.sendFragment(c, t.op, data[t.from:t.end], t.fin)
		}
		c.buffered.Store(uint32(min(uint64(c.waiting()), 1<<32-1)))
		t.to.unpost(t.size)
	case taskTell:
		l.tellRoom(c, t.size)
	case taskTellWriter:
		c.flags |= flagTellWriter
		l.markDirty(c)
	case taskEvict:
		l.evict(c, ErrQueueFull)
	case taskClose:
		l.sendClose(c, t.code, string(data[t.from:t.end]), nil)
	case taskPause, taskResume:
		c.flags &^= flagPaused
		if t.kind == taskPause && c.phase < closing {
			c.flags |= flagPaused
		}
		l.markDirty(c)
	case taskJoin:
		l.joinGroup(t.group, c)
	case taskLeave:
		l.leaveGroup(t.group, c)
	case taskDo:
		if !c.has(flagOpened) && !l.openEarly(c) {
			l.tooLate(t)
			return
		}
		l.callDo(c, t.do)
	case taskPanicked:
		l.expel(c, wsproto.CloseInternalError, "internal error", ErrPanic)
	}
}

// tooLate handles a task for a connection that is gone.
func (l *loop) tooLate(t *task) {
	switch t.kind {
	case taskJoin:
		t.group.undo()
	case taskDo:
		l.callDo(l.nobody, t.do)
	}
}

// callDo runs a function that was given to Do.
func (l *loop) callDo(c *conn, f func(LoopConn)) {
	defer l.leave(c)
	f(l.enter(c))
}

// used returns how many bytes wait for the loop. Any goroutine.
func (b *mailbox) used() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(b.bytes)
}
