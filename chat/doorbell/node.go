package doorbell

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// Config configures a Node. The zero value means the defaults.
type Config struct {
	Clock chat.Clock   // of the probes; default: chat.SystemClock()
	Log   *slog.Logger // default: slog.Default()

	Readers    int           // goroutines that read; default 4
	Page       int           // changes or hints that one call reads; default 128
	Batch      int           // conversations or users that one call of a probe asks for; default 512
	ProbeEvery time.Duration // how late a change may be if its doorbell was lost; default 1 s
	Timeout    time.Duration // of one call of the Source; default 5 s
	HintLife   time.Duration // how long an append may take from its first step to its last; default 30 s
}

func (c *Config) setDefaults() {
	if c.Clock == nil {
		c.Clock = chat.SystemClock()
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	for _, n := range []struct {
		to  *int
		def int
	}{{&c.Readers, 4}, {&c.Page, 128}, {&c.Batch, 512}} {
		if *n.to <= 0 {
			*n.to = n.def
		}
	}
	for _, d := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&c.ProbeEvery, time.Second}, {&c.Timeout, 5 * time.Second}, {&c.HintLife, 30 * time.Second}} {
		if *d.to <= 0 {
			*d.to = d.def
		}
	}
}

// Node reads from a Source when a doorbell rings. Engines build their chat.Node on it.
type Node struct {
	// Immutable.
	cfg      Config
	source   Source
	receiver chat.Receiver
	ctx      context.Context // ends with Detach
	cancel   context.CancelFunc
	probeNow chan struct{}
	wg       sync.WaitGroup // of all goroutines
	offering sync.WaitGroup // of calls of Offer that call the receiver; begun with mu held, before detached

	telling sync.RWMutex // held for reading while Here and Renamed call the receiver

	// The receiver's locks are taken before mu: it is never called under it.
	mu   sync.Mutex
	wake sync.Cond
	// Guarded by mu.
	followers map[chat.Conversation]*follower
	talks     map[chat.Conversation]*follower // those of private conversations
	ending    map[chat.Conversation]*follower // no longer wanted, but still being read
	inboxes   map[string]*inbox               // by user id: those of the followed users
	queue     []reading                       // followers and inboxes to read, in order
	troubles  int                             // how many cannot be read at the moment
	retry     bool                            // the next probe ends all pauses
	busy      int                             // what is being read, or offered
	idle      chan struct{}                   // closed when nothing is; nil: nothing waits for that
	frozen    bool                            // nothing is read or told; see Freeze
	inherited bool                            // the places of another process's node are being asked for; see Inherit
	detached  bool
}

// Attach makes a node for a receiver.
func Attach(r chat.Receiver, s Source, cfg Config) *Node {
	cfg.setDefaults()
	n := &Node{
		cfg: cfg, source: s, receiver: r,
		probeNow:  make(chan struct{}, 1),
		followers: make(map[chat.Conversation]*follower),
		talks:     make(map[chat.Conversation]*follower),
		ending:    make(map[chat.Conversation]*follower),
		inboxes:   make(map[string]*inbox),
	}
	n.wake.L = &n.mu
	n.ctx, n.cancel = context.WithCancel(context.Background())
	for range cfg.Readers {
		n.wg.Go(n.read)
	}
	n.wg.Go(n.probes)
	return n
}

// Detach implements chat.Node.
func (n *Node) Detach() {
	n.mu.Lock()
	n.detached = true
	n.mu.Unlock()
	n.cancel()
	n.wake.Broadcast()
	n.wg.Wait()
	n.offering.Wait()
	n.telling.Lock() // a Here that began before is over
	defer n.telling.Unlock()
}

// Ring says that a conversation may have changed. It does not block.
func (n *Node) Ring(c chat.Conversation) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ringFor(c)
}

// ringFor schedules a conversation for reading, or the inboxes that know where to begin. Called
// with mu held.
func (n *Node) ringFor(c chat.Conversation) {
	if f := n.followers[c]; f != nil {
		n.ring(f)
		return
	}
	// A private conversation that is not followed yet has a hint, which must be read.
	if one, other, private := c.Users(); private {
		for _, user := range []string{one, other} {
			if b := n.inboxes[user]; b != nil {
				n.ring(b)
			}
		}
	}
}

// Offer is a Ring that carries the change, and the tag of the change before it. If the receiver is
// at exactly that change, it gets the new one at once, on the caller's goroutine; otherwise the
// conversation is read. From now on the change belongs to the receiver. Offer does not wait for the
// Source, and any number of goroutines may offer changes of a conversation: if several do so at
// once, the changes are read from the Source.
func (n *Node) Offer(c chat.Conversation, ch *chat.Change, before uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.followers[c]
	switch {
	case n.frozen || f == nil || !f.ready || f.state != atRest || f.rung || f.suspect || f.superseded() || ch.Epoch != f.epoch || ch.Number > f.last+1:
		n.ringFor(c)
		return
	case ch.Number <= f.last: // it was given, or a probe finds out that another one was
		return
	case !sameTag(before, f.tag) && f.last > 0:
		n.ring(f)
		return
	}
	f.state = beingRead
	n.busy++
	if _, room := c.Room(); !room {
		f.active = n.cfg.Clock.Monotonic()
	}
	if !n.detached {
		n.offering.Add(1)
		n.deliver(f, ch)
		n.offering.Done()
	}
	n.finished(f)
	if f.rung && !f.gone && !n.detached {
		n.ring(f)
	}
}

// Result calls tell, which reports to the sender on the receiver's side where a change has been
// stored. Meanwhile the receiver is told nothing about the conversation, and after that nothing
// about an earlier epoch. If it has already been told of a later one, Result returns false instead:
// the change is in a history that has ended. tell must not call the node.
func (n *Node) Result(c chat.Conversation, at chat.Tail, tell func()) bool {
	n.mu.Lock()
	f := n.followers[c]
	if f == nil {
		n.mu.Unlock()
		tell()
		return true
	}
	n.hush(f)
	defer f.telling.Unlock()
	over := n.source.Later(f.known.Epoch, at.Epoch)
	if n.source.Later(at.Epoch, f.known.Epoch) {
		f.told, f.known = at, at
		n.ring(f) // to move there, too
	}
	n.mu.Unlock()
	if !over {
		tell()
	}
	return !over
}

// Result is Node.Result for all nodes on the sender's side: those of the process that appends.
func Result(nodes []*Node, c chat.Conversation, at chat.Tail, tell func()) (told bool) {
	if len(nodes) == 0 {
		tell()
		return true
	}
	return nodes[0].Result(c, at, func() { told = Result(nodes[1:], c, at, tell) }) && told
}

// Probe makes the node check everything soon, and try again what could not be read. It does not
// block.
func (n *Node) Probe() {
	n.mu.Lock()
	n.retry = true
	n.mu.Unlock()
	select {
	case n.probeNow <- struct{}{}:
	default:
	}
}

// Here tells the receiver about a presence event in a room, if the node is subscribed to it.
func (n *Node) Here(room string, ev chat.PresenceEvent) {
	n.telling.RLock()
	defer n.telling.RUnlock()
	n.mu.Lock()
	f := n.followers[chat.RoomConversation(room)]
	wanted := f != nil && !n.detached && !n.frozen
	n.mu.Unlock()
	if wanted {
		n.receiver.Here(room, ev)
	}
}

// Renamed tells the receiver the new name of a user.
func (n *Node) Renamed(u chat.User) {
	n.telling.RLock()
	defer n.telling.RUnlock()
	n.mu.Lock()
	silent := n.detached || n.frozen
	n.mu.Unlock()
	if !silent {
		n.receiver.Renamed(u)
	}
}

// Subscribe implements chat.Node.
func (n *Node) Subscribe(ctx context.Context, c chat.Conversation) (chat.Tail, error) {
	n.mu.Lock()
	if n.inherited {
		defer n.mu.Unlock()
		return n.takeOver(c)
	}
	n.mu.Unlock()
	f, err := n.follower(ctx, c)
	if err != nil {
		return chat.Tail{}, err
	}
	defer n.mu.Unlock()
	f.subscribed = true
	for {
		ready := f.ready
		n.mu.Unlock()
		tail, from, err := n.end(ctx, c)
		n.mu.Lock()
		switch {
		case err != nil:
			f.subscribed = false
			n.release(f)
			return tail, err
		case ready || !f.ready:
			f.subscribed = false
			if n.wanted(f) { // for the sake of a user, whose inbox may have a hint to it
				n.place(f, from)
			}
			f.subscribed = true
			n.place(f, tail)
			return tail, nil
		}
		// Another goroutine has given it a position meanwhile, which may be after this tail.
	}
}

// end reads the tail of a conversation; if it is private, also the position from which it must be
// read for the followed users.
func (n *Node) end(ctx context.Context, c chat.Conversation) (tail, from chat.Tail, err error) {
	if tail, err = n.tail(ctx, c); err != nil {
		return tail, tail, err
	}
	from = tail
	if one, _, private := c.Users(); private {
		hints, _, err := n.source.Recent(ctx, one)
		if err != nil {
			return tail, tail, err
		}
		for _, h := range oldest(hints) {
			if h.Conversation == c {
				from = h.Tail
			}
		}
	}
	return tail, from, nil
}

// Unsubscribe implements chat.Node.
func (n *Node) Unsubscribe(c chat.Conversation) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.followers[c]
	if f == nil {
		return
	}
	f.subscribed = false
	n.release(f)
}

// Follow delivers to the receiver the changes of a user's private conversations that are appended
// from now on, each once, even if it follows both people. It ends after as many calls of Unfollow,
// whatever Follow returned: with an error, changes may be missing until the Source can be read
// again.
func (n *Node) Follow(ctx context.Context, userID string) error {
	n.mu.Lock()
	b := n.inboxes[userID]
	if b == nil {
		b = newInbox(n, userID)
		n.inboxes[userID] = b
	}
	if b.follows++; n.inherited { // Thaw has it read, if it must be
		n.mu.Unlock()
		return nil
	}
	for !b.started && ctx.Err() == nil {
		if b.state == atRest || b.state == queued {
			err := n.readOne(ctx, b)
			n.mu.Unlock()
			return err
		}
		if b.over == nil { // another goroutine has begun
			b.over = make(chan struct{})
		}
		over := b.over
		n.mu.Unlock()
		select {
		case <-over:
		case <-ctx.Done():
		}
		n.mu.Lock()
	}
	started := b.started
	n.mu.Unlock()
	if started {
		return nil
	}
	return ctx.Err()
}

// Unfollow ends a Follow. It does not block.
func (n *Node) Unfollow(userID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	b := n.inboxes[userID]
	if b == nil {
		return
	}
	if b.follows--; b.follows > 0 {
		return
	}
	b.gone = true
	delete(n.inboxes, userID)
	n.forget(&b.task)
	for _, f := range b.hinted {
		n.release(f)
	}
}

// release ends a follower that is no longer wanted. If it is wanted because of a followed user,
// it goes on as theirs. Called with mu held.
func (n *Node) release(f *follower) {
	if !n.wanted(f) {
		n.drop(f)
		return
	}
	one, other, _ := f.c.Users()
	for _, user := range []string{one, other} {
		if b := n.inboxes[user]; b != nil {
			b.keep(f)
		}
	}
}

// tail reads the end of one conversation.
func (n *Node) tail(ctx context.Context, c chat.Conversation) (tail chat.Tail, err error) {
	n.source.Tails(ctx, []chat.Conversation{c}, func(_ int, t chat.Tail, e error) { tail, err = t, e })
	return tail, err
}

// Position is the receiver's place in a conversation, or the place that it is about to move to:
// only the number, the tag and the epoch. It is zero if the node has no position there.
func (n *Node) Position(c chat.Conversation) chat.Tail {
	n.mu.Lock()
	defer n.mu.Unlock()
	f := n.followers[c]
	if f == nil || !f.ready {
		return chat.Tail{}
	}
	return f.known
}
