package chat

import (
	"errors"
	"slices"
	"sync"
)

// maxBatch is how many operations one store transaction takes at most, so that the
// first of them need not wait long for the last.
const maxBatch = 1024

// committer is the one sequencer of all conversations. One goroutine takes
// everything that waits as a batch and, in this order,
//
//	resolves: which rooms and users exist, and what can be refused;
//	commits:  one transaction of the store, and one sync, for all messages;
//	publishes: for each operation, in order, acknowledges and fans out.
//
// Nothing is shown to anyone before it is on disk, and as one goroutine publishes,
// everybody sees the messages of a conversation in the order of their seq.
type committer struct {
	hub  *Hub
	done chan struct{} // closed when the goroutine has ended

	mu   sync.Mutex
	wake sync.Cond
	// Guarded by mu.
	waiting []*commitment
	stopped bool

	// Committer only.
	failing bool            // the last commit failed, and that was logged
	made    map[string]bool // the rooms that the batch at hand makes
}

// commitment is one operation on its way through the committer.
type commitment struct {
	session *Session
	op      operation
	req     *request // nil for opDepart

	conv    Conversation
	message *Message // for opMessage and opGroup
	entry   int      // index in the store's batch, or -1
	tail    Tail     // for opJoin and opLeave, and a room that nobody is in: its end before the batch
	fail    *Failure
}

func newCommitter(h *Hub) *committer {
	c := &committer{hub: h, done: make(chan struct{})}
	c.wake.L = &c.mu
	go c.run()
	return c
}

// submit queues an operation. It does not block on the store.
func (c *committer) submit(s *Session, req *request) *Failure {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.stopped:
		return failShuttingDown
	case len(c.waiting) >= c.hub.cfg.Queue:
		return failOverloaded
	}
	c.waiting = append(c.waiting, &commitment{session: s, op: req.op, req: req})
	c.wake.Signal()
	return nil
}

// depart queues the end of a session. It is never refused; there are no more of them
// than sessions.
func (c *committer) depart(s *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return // and with it rooms and presence
	}
	c.waiting = append(c.waiting, &commitment{session: s, op: opDepart})
	c.wake.Signal()
}

// stop waits until everything that was submitted is published.
func (c *committer) stop() {
	c.mu.Lock()
	c.stopped = true
	c.wake.Signal()
	c.mu.Unlock()
	<-c.done
}

func (c *committer) run() {
	defer close(c.done)
	for {
		batch := c.take()
		if len(batch) == 0 {
			return
		}
		c.process(batch)
	}
}

// take waits for work. It returns nothing when the committer has stopped and all is
// done.
func (c *committer) take() []*commitment {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.waiting) == 0 && !c.stopped {
		c.wake.Wait()
	}
	batch := c.waiting
	if len(batch) <= maxBatch {
		c.waiting = nil
		return batch
	}
	c.waiting = append([]*commitment(nil), batch[maxBatch:]...)
	return batch[:maxBatch]
}

func (c *committer) process(batch []*commitment) {
	now := c.hub.now()
	entries := make([]Entry, 0, len(batch))
	clear(c.made)
	for _, op := range batch {
		op.entry = -1
		if op.fail = c.resolve(op, now); op.fail != nil {
			continue
		}
		if op.message != nil {
			op.entry = len(entries)
			entries = append(entries, Entry{Conversation: op.conv, Message: op.message})
		}
	}
	if len(entries) > 0 {
		err := c.hub.cfg.Store.Commit(entries)
		c.logStore(err, len(entries))
		if err != nil {
			fail := failStore
			if errors.Is(err, ErrOutcomeUnknown) {
				fail = failUnknownOutcome
			}
			for _, op := range batch {
				if op.entry >= 0 {
					op.fail = fail
				}
			}
		}
	}
	for _, op := range batch {
		var entry *Entry
		if op.entry >= 0 {
			entry = &entries[op.entry]
		}
		c.publish(op, entry, now)
	}
	c.hub.dropEmptyRooms()
}

// logStore notes when the store begins to fail and when it recovers.
func (c *committer) logStore(err error, entries int) {
	switch {
	case err != nil && !c.failing:
		c.hub.cfg.Log.Error("chat: the store does not write; messages are refused", "error", err, "entries", entries)
	case err == nil && c.failing:
		c.hub.cfg.Log.Info("chat: the store writes again")
	}
	c.failing = err != nil
}

// resolve finds out what an operation is about, and refuses what cannot be done.
func (c *committer) resolve(op *commitment, ts int64) *Failure {
	h, s := c.hub, op.session
	switch op.op {
	case opMessage:
		if fail := h.findUser(op.req.receiver); fail != nil {
			return fail
		}
		op.conv = PrivateConversation(s.user.ID, op.req.receiver)
	case opGroup, opJoin, opLeave:
		op.conv = RoomConversation(op.req.receiver)
	}
	switch op.op {
	case opGroup, opJoin:
		if !c.mayJoin(s, op.req.receiver) {
			return failTooManyRooms
		}
	}
	switch op.op {
	case opGroup, opJoin, opLeave:
		if fail := c.findRoom(op); fail != nil {
			return fail
		}
	}
	switch op.op {
	case opMessage, opGroup:
		op.message = newMessage(op.req, s.user.profile.Load(), ts)
	}
	return nil
}

func newMessage(req *request, sender *User, ts int64) *Message {
	m := &Message{
		Sender: sender.ID, SenderName: sender.Name,
		Timestamp: req.timestamp, Content: req.content, Metadata: req.metadata,
		Ref: req.ref, ServerTS: ts,
	}
	if m.Timestamp == "" {
		m.Timestamp = string(appendSeconds(nil, ts))
	}
	if m.Metadata == nil {
		m.Metadata = []byte("{}")
	}
	return m
}

// mayJoin reports whether s is in a room or may enter one more, and notes that it
// will.
func (c *committer) mayJoin(s *Session, name string) bool {
	if s.rooms[name] != nil || slices.Contains(s.joining, name) {
		return true
	}
	limit := c.hub.cfg.Limits.Rooms
	if limit > 0 && len(s.rooms)+len(s.joining) >= limit {
		return false
	}
	s.joining = append(s.joining, name)
	return true
}

// findRoom finds the end of a room before this batch. A room in memory knows its own
// end, and stays there until the batch is published; another is looked up. A message
// makes a room that does not exist, if the limits allow that.
func (c *committer) findRoom(op *commitment) *Failure {
	h, name := c.hub, op.req.receiver
	h.mu.Lock()
	known := h.rooms[name] != nil
	_, unused := h.unused.Get(name)
	h.mu.Unlock()
	if known && !(unused && op.op == opGroup) || c.made[name] {
		return nil
	}
	if !unused {
		switch tail, err := h.cfg.Store.Last(op.conv); {
		case err == nil:
			op.tail = tail
			return nil
		case !errors.Is(err, ErrNotFound):
			return h.readFailed(err)
		case op.op == opLeave:
			return failUnknownRoom
		case op.op == opJoin:
			return nil
		}
	}
	if fail := h.limits.newRoom(op.session); fail != nil {
		return fail
	}
	if c.made == nil {
		c.made = make(map[string]bool)
	}
	c.made[name] = true
	return nil
}

// findUser fails unless there is a user with this id.
func (h *Hub) findUser(id string) *Failure {
	h.mu.Lock()
	known := h.online[id] != nil
	h.mu.Unlock()
	if known {
		return nil
	}
	if !ValidUserID(id) {
		return failUnknownUser
	}
	switch _, err := h.cfg.Store.User(id); {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return failUnknownUser
	}
	return failStore
}
