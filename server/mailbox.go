package server

import (
	"sync"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// mailbox is the way to a loop: what is posted is done in the order of the posts.
// What the loop's own callbacks send goes this way, too, while something is
// posted, so that it does not overtake that.
type mailbox struct {
	mu     sync.Mutex
	tasks  []task // Guarded by mu.
	data   []byte // Guarded by mu. What the tasks carry.
	asleep bool   // Guarded by mu. The loop waits, or is about to, and has to be woken.
	dozing bool   // Guarded by mu. It is asleep for dozeTime at most: a connection to open can wait for that.
	closed bool   // Guarded by mu. The loop has ended.
}

type taskKind uint8

const (
	taskSend     taskKind = iota
	taskPrepared          // the last kind that a full mailbox refuses
	taskClose
	taskPause
	taskResume
	taskOpen
	taskJoin
	taskLeave
	taskGroup
	taskStop
	taskCut
	taskCall // runs a function, for tests
)

// task is one thing for a loop to do, mostly to one connection.
type task struct {
	kind   taskKind
	op     frame.Opcode
	policy Policy
	code   wsproto.CloseCode
	slot   uint32
	gen    uint32
	from   int // the payload's place in the mailbox's data
	to     int
	m      *wsproto.Prepared
	open   *opening
	group  *members
	over   time.Duration
	call   func()
}

// maxMail bounds the payload bytes that wait in a mailbox, or the write queue
// does, if that is larger, and maxTasks the messages. An empty mailbox takes
// anything, and what ends a connection or concerns a group is never refused.
const (
	maxMail  = 64 << 20
	maxTasks = 1 << 20
)

// post adds a task, with a copy of p, and wakes the loop if it sleeps.
func (l *loop) post(t task, p []byte) error {
	b := &l.box
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return ErrClosed
	}
	if t.kind <= taskPrepared && len(b.tasks) > 0 &&
		(len(b.tasks) >= maxTasks || len(b.data)+len(p) > max(maxMail, l.cfg.WriteQueue)) {
		b.mu.Unlock()
		return ErrBusy
	}
	t.from = len(b.data)
	b.data = append(b.data, p...)
	t.to = len(b.data)
	b.tasks = append(b.tasks, t)
	l.mail.Store(true)
	if b.asleep && !(b.dozing && t.kind == taskOpen) {
		// Under the lock: a loop that ends releases its kernel after it.
		b.asleep = false
		l.k.wake()
	}
	b.mu.Unlock()
	return nil
}

// direct reports whether the caller is the loop itself and nothing is posted or
// being delivered: what it sends may then go straight to the connections' queues.
// What another goroutine posts just now was not there before.
func (l *loop) direct() bool {
	g := goroutine()
	return g != 0 && g == l.self.Load() && !l.mail.Load() && !l.delivering
}

// deliver does what was posted. It calls no Handler method, so it may run
// between two messages of one connection: OnOpen is left for open.
func (l *loop) deliver() {
	if l.mail.Load() {
		b := &l.box
		b.mu.Lock()
		tasks, data := b.tasks, b.data
		b.tasks, b.data = l.spare.tasks[:0], l.spare.data[:0]
		l.mail.Store(false)
		b.mu.Unlock()
		l.delivering = true
		for i := range tasks {
			l.do(&tasks[i], data)
		}
		l.delivering = false
		clear(tasks)           // they hold pointers
		if cap(data) > 1<<20 { // what a burst needed is not kept
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
		l.register(t.slot, t.gen, t.open)
		return
	case taskGroup:
		l.sendGroup(t.group, t.m, t.policy)
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
	c := l.at(t.slot)
	if c.word.Load()>>1 != t.gen || c.fd < 0 || c.has(flagGone) {
		if t.kind == taskJoin {
			t.group.undo()
		}
		return
	}
	switch t.kind {
	case taskSend:
		l.sendMessage(t.slot, c, t.op, data[t.from:t.to])
	case taskPrepared:
		l.sendPrepared(t.slot, c, t.m, Evict, nil)
	case taskClose:
		l.sendClose(t.slot, c, t.code, string(data[t.from:t.to]), nil)
	case taskPause, taskResume:
		c.flags &^= flagPaused
		if t.kind == taskPause && !c.has(flagClosing) {
			c.flags |= flagPaused
		}
		l.dirty(t.slot, c)
	case taskJoin:
		l.join(t.group, t.slot, c)
	case taskLeave:
		l.leave(t.group, c)
	}
}
