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
	lastTS  int64 // server_ts of the newest message
	failing bool  // the last commit failed, and that was logged
}

// commitment is one operation on its way through the committer.
type commitment struct {
	session *Session
	op      operation
	req     *request // nil for opDepart

	conv    Conversation
	message *Message // for opMessage and opGroup
	entry   int      // index in the store's batch, or -1
	tail    Tail     // for opJoin and opLeave: the room's end before the batch
	fail    *Failure
}

func newCommitter(h *Hub, lastTS int64) *committer {
	c := &committer{hub: h, done: make(chan struct{}), lastTS: lastTS}
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
	// What has been read back must never be older than what came before it, even if
	// somebody sets the clock.
	ts := max(now, c.lastTS)
	for _, op := range batch {
		op.entry = -1
		if op.fail = c.resolve(op, ts); op.fail != nil {
			continue
		}
		if op.message != nil || op.op == opJoin && op.tail == missing {
			op.entry = len(entries)
			entries = append(entries, Entry{Conversation: op.conv, Message: op.message})
		}
	}
	if len(entries) > 0 {
		err := c.hub.cfg.Store.Commit(entries)
		c.logStore(err, len(entries))
		if err != nil {
			for _, op := range batch {
				if op.entry >= 0 {
					op.fail = failStore
				}
			}
		} else {
			c.lastTS = ts
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

// missing is the tail of a room that does not exist.
var missing = Tail{ServerTS: -1}

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
	case opMessage, opGroup:
		op.message = newMessage(op.req, s.user.profile.Load(), ts)
	case opJoin, opLeave:
		return c.findTail(op)
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

// findTail finds the end of a room before this batch. A room in memory knows its own
// end, and stays there until the batch is published; another is looked up.
func (c *committer) findTail(op *commitment) *Failure {
	c.hub.mu.Lock()
	known := c.hub.rooms[op.req.receiver] != nil
	c.hub.mu.Unlock()
	if known {
		return nil
	}
	tail, err := c.hub.cfg.Store.Last(op.conv)
	switch {
	case err == nil:
		op.tail = tail
		return nil
	case !errors.Is(err, ErrNotFound):
		return failStore
	case op.op == opLeave:
		return failUnknownRoom
	}
	op.tail = missing
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
