package server

import (
	"iter"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
)

// inputSize is how much is read from one connection at a time.
const inputSize = 64<<10 + frame.MaxHeaderSize

// loop is one event loop: a goroutine, a kernel of its own, and the connections
// that live there.
type loop struct {
	// Immutable.
	index int // among the server's loops
	cfg   *Config
	k     kernel
	start time.Time     // time.Now when cfg.now was zero
	ended chan struct{} // closed when run returns

	// Shared by the server's loops.
	budget  *budget
	conns   *atomic.Int64
	release *releaser

	mailLimit int
	nobody    *conn // stands for a connection that is gone

	// Any goroutine.
	box     mailbox
	hasMail atomic.Bool // something is in box
	hasMore atomic.Bool // something other than a few messages of groups is in box
	waiters waiters
	slabs   [maxSlabs]atomic.Pointer[[slabSize]conn]
	free    struct {
		mu    sync.Mutex
		slots []uint32 // Guarded by mu.
		next  uint32   // Guarded by mu. The first slot never used.
	}
	stats    counters
	whenGone endings

	// Loop only.
	now                uint32        // ticks, read once an iteration
	woke               time.Duration // when that was
	traffic, published [numTraffic]uint64
	input              []byte  // what read(2) fills
	scratch            []byte  // what small segments are gathered in
	arena              []byte  // what was encoded in this iteration
	cipher             []byte  // what TLS encrypts into
	again              []*conn // those that get another turn in the next iteration
	vector             [maxVector][]byte
	spare              struct {
		tasks []task
		data  []byte
	}
	wheel         wheel
	outboxes      []*outbox // unused ones
	spareSegments int       // the capacity of all outboxes
	groups        groups
	holding       map[*conn]struct{} // that use some of the budget
	joined        [][]byte           // see joinFrames
	dirty         []*conn            // to write to when the iteration ends
	gone          []*conn            // whose slots are freed then
	callback      uint32             // counts the callbacks that began or ended
	wanted        map[uint32]int     // by slot, of those with flagTell: how large a refused message was, if it needs an almost empty queue
	unnoticed     map[uint32]int     // by slot, of WritableHandlers: see setUnnoticed
	writables     []Conn             // whose OnWritable is called in the next iteration
	adoptions     []*adoption
	lent          []lent                       // listeners that it accepts from
	arrivals      []*accepted                  // that were posted in this iteration
	arriving      int                          // connections in that phase
	request       opened                       // that is being parsed
	answer        []byte                       // what it is answered with
	adopted       []*adoption                  // unused ones
	opens         []*adoption                  // that openAll is about to open
	opening       *adoption                    // of the connection whose OnOpen runs
	lastHandshake *handshake.Result            // that a connection keeps; without a Header
	handshakes    map[uint32]*handshake.Result // by slot, but for the zero Result
	causes        map[uint32]*CloseError       // by slot, of those that end: the first cause
	remotes       map[uint32]netip.AddrPort    // by slot, of the clients behind proxies
	unread        map[uint32][]byte            // by slot, of those with flagUnread
	live          int
	delivering    bool
	openedSome    bool // connections, in this iteration
	drain         drain
	stopping      bool
	cutting       bool
	holder        *hold // that holds the loop from the end of this iteration on; see hold.go
	loggedSlow    time.Duration
}

func newLoop(index int, cfg *Config, b *budget, conns *atomic.Int64, release *releaser) (*loop, error) {
	k, err := cfg.newKernel()
	if err != nil {
		return nil, err
	}
	l := &loop{
		index: index, cfg: cfg, k: k, budget: b, conns: conns, release: release,
		start: time.Now().Add(-cfg.now()), ended: make(chan struct{}),
		input: make([]byte, inputSize), scratch: make([]byte, 0, inputSize),
	}
	l.free.next = 1
	l.mailLimit = mailLimit(cfg)
	l.nobody = &conn{loop: l}
	l.nobody.genClosed.Store(1) // nothing can be sent to it
	l.tick()
	l.wheel.done = l.now &^ (1<<wheelGrain - 1)
	return l, nil
}

func (l *loop) tick() {
	l.woke = l.cfg.now()
	l.now = uint32(l.woke / time.Millisecond)
	if l.wheel.count == 0 { // it may not have turned for longer than ticks can express
		l.wheel.done = l.now &^ (1<<wheelGrain - 1)
	}
}

func (l *loop) unixMilli() int64 { return l.start.Add(l.cfg.now()).UnixMilli() }

// run is the loop's goroutine. All fields but those under "Any goroutine" belong to it.
func (l *loop) run() {
	defer l.guard()
	for !l.stopping || l.live > 0 || !l.retire() {
		l.iterate(l.poll())
		if l.holder != nil {
			l.beHeld()
		}
	}
	l.k.release()
	close(l.ended)
}

// iterate handles the events, and everything else that is due.
func (l *loop) iterate(events []event) {
	l.tick()
	l.acceptLent()
	// What was posted before an event goes out before what the event
	// causes: the answer to a Close that has arrived must not overtake it.
	l.deliver()
	l.resumeTurns()
	l.tellWritable()
	for _, ev := range events {
		l.event(ev)
		if len(l.arena) > flushAt {
			l.flush()
		}
	}
	l.turnWheel(l.now)
	l.deliver()
	for len(l.adoptions)+len(l.arrivals) > 0 {
		l.openedSome = true
		l.arrive()
		l.openAll()
		l.deliver()
	}
	if l.drain.pending() {
		l.drainSlice()
	}
	if l.cutting {
		l.cut()
	}
	l.flush()
	l.shedSlowest()
	l.reap()
	l.publishStats()
	l.release.touch()
}

// guard ends the process if the loop's goroutine ends before the loop. A callback that
// calls runtime.Goexit (t.FailNow does) would otherwise leave the loop's connections
// unserved.
func (l *loop) guard() {
	select {
	case <-l.ended:
	default:
		panic("server: internal error: a loop's goroutine ended")
	}
}

// poll waits for events or for the next timer, or not at all if there is more to do.
func (l *loop) poll() []event {
	b := &l.box
	b.mu.Lock()
	b.asleep = len(b.tasks) == 0 && len(l.again) == 0 && len(l.writables) == 0
	ms := 0
	if b.asleep {
		ms = l.wheel.idle(l.now)
		if l.drain.pending() {
			ms = atMost(drainEvery, ms)
		}
		if b.dozing = l.openedSome || len(l.lent) > 0; b.dozing {
			ms = atMost(dozeTime, ms)
		}
	}
	b.mu.Unlock()
	l.openedSome = false
	events, err := l.k.wait(ms)
	if ms != 0 {
		b.mu.Lock()
		b.asleep = false
		b.mu.Unlock()
	}
	if err != nil {
		if err == syscall.EINTR {
			return nil
		}
		panic("server: internal error: wait for events: " + err.Error())
	}
	return events
}

// dozeTime is how long a loop that has just opened connections is not woken for
// further ones: when many arrive, waking it for each costs a tenth of a handshake.
const dozeTime = time.Millisecond

// atMost returns the lesser of d in milliseconds and ms, where -1 is for ever.
func atMost(d time.Duration, ms int) int {
	if limit := int(d / time.Millisecond); ms < 0 || ms > limit {
		return limit
	}
	return ms
}

// retire closes the mailbox if it is empty.
func (l *loop) retire() bool {
	l.box.mu.Lock()
	defer l.box.mu.Unlock()
	l.box.closed = len(l.box.tasks) == 0
	return l.box.closed
}

// present ranges over the WebSockets that are not gone.
func (l *loop) present() iter.Seq[*conn] {
	return func(yield func(*conn) bool) {
		for c := range l.inSlots() {
			if c.present() && !yield(c) {
				return
			}
		}
	}
}

// inSlots ranges over all slots that were ever used.
func (l *loop) inSlots() iter.Seq[*conn] {
	l.free.mu.Lock()
	next := l.free.next
	l.free.mu.Unlock()
	return func(yield func(*conn) bool) {
		for slot := uint32(1); slot < next; slot++ {
			if !yield(l.at(slot)) {
				return
			}
		}
	}
}
