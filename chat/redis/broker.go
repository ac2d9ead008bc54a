package redis

import (
	"context"
	"crypto/rand"
	"errors"
	randv2 "math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/doorbell"
)

// broker is the half of the engine that knows how nodes hear of what is stored, and who is
// connected to them. Of what is stored it needs a doorbell.Source, and users.
type broker struct {
	// Immutable.
	cfg      *Config
	client   *bounded
	heart    *bounded // has a connection of its own for heartbeats, which wait for nothing else
	keys     keys
	source   doorbell.Source
	users    users
	listener *listener
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	bells    chan rueidis.Completed // to be sent; they may get lost
	gate     gate                   // shut while another process has what belongs to this node; see freeze.go
	beatNow  chan struct{}          // a heartbeat is due

	controlNow chan struct{} // something may be in the control stream
	usage      *usage
	bans       *bans

	reborn func() (id string) // gives the process another id, as it was thought dead

	// keep executes a script, and calls each with the results. kept is false if a failover may lose
	// what it has written.
	keep func(ctx context.Context, sc *script, calls []call, each func(k int, r rueidis.RedisResult)) (kept bool, err error)

	mu sync.Mutex
	// Guarded by mu.
	nodes    []*node // replaced, never modified
	registry registry
	burying  map[string]bool
	finding  int            // searches for whom answers have left out
	removing int            // nodes here that were thought dead, while what they had is being removed
	gapped   bool           // gap was called while the gate was shut
	looks    map[*look]bool // which are under way
	control  string         // the last entry of the control stream that was read

	controlOrigin string // the entry with which that stream began, if that is known
}

// probeBatch is how many conversations a probe asks the store for at a time: all of them, as those
// of a partition are read by one command.
const probeBatch = 1 << 20

// users reads what broker needs of users. store implements it.
type users interface {
	user(ctx context.Context, id string) (u chat.User, rev int64, err error)
	userCommand(id string) rueidis.Completed
	parseUser(id string, r rueidis.RedisResult) (u chat.User, rev int64, err error)
	roomsCommand(userID string) rueidis.Completed
	parseRooms(r rueidis.RedisResult) (rooms []string, err error)
}

func newNodeID() string { return strings.ToLower(rand.Text()[:10]) }

func jitter(d time.Duration) time.Duration { return d/2 + randv2.N(d) }

func newBroker(cfg *Config, client, heart *bounded, source doorbell.Source, users users) *broker {
	b := &broker{
		cfg: cfg, client: client, heart: heart, keys: keys{cfg.Prefix}, source: source, users: users,
		bells: make(chan rueidis.Completed, 8192), controlNow: make(chan struct{}, 1), beatNow: make(chan struct{}, 1),
	}
	if cfg.Inherit {
		b.gate.shut = make(chan struct{})
	}
	b.usage = &usage{b: b}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	b.listener = newListener(cfg, client, newNodeID(), b.hear, b.gap)
	b.wg.Go(b.ringBells)
	return b
}

// close ends what the nodes share. They have been detached.
func (b *broker) close() {
	b.cancel()
	b.listener.close() // after which nothing is begun any more
	b.wg.Wait()
}

// Attach implements chat.Broker.
func (b *broker) Attach(r chat.Receiver) chat.Node {
	n := &node{b: b, receiver: r, roster: newRoster(b), subscribed: make(map[chat.Conversation]bool)}
	n.bell = doorbell.Attach(r, b.source, doorbell.Config{Log: b.cfg.Log, ProbeEvery: b.cfg.ProbeEvery, Batch: probeBatch, Timeout: b.cfg.Timeout, HintLife: hintLife})
	if b.gate.isShut() {
		n.inherit()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = append(slices.Clip(b.nodes), n)
	return n
}

func (b *broker) all() []*node {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.nodes
}

// banned tells the nodes of a ban, and of the end of a banned user's sessions.
func (b *broker) banned(one chat.Ban) {
	for _, n := range b.all() {
		if one.UserID != "" {
			n.ended(one.UserID, "", chat.UserBanned)
		}
		n.banned(one)
	}
}

// position is the newest change of a conversation that a node here has been given.
func (b *broker) position(c chat.Conversation) (newest chat.Tail) {
	for _, n := range b.all() {
		t := n.bell.Position(c)
		if newest.Epoch == "" || later(t.Epoch, newest.Epoch) || t.Epoch == newest.Epoch && t.Change > newest.Change {
			newest = t
		}
	}
	return newest
}

// result calls tell, which tells the result of an append, when no node here is telling its receiver
// anything of the conversation. It returns false if one of them has told of a later epoch.
func (b *broker) result(c chat.Conversation, at chat.Tail, tell func()) bool {
	var bells []*doorbell.Node
	for _, n := range b.all() {
		bells = append(bells, n.bell)
	}
	return doorbell.Result(bells, c, at, tell)
}

// appended tells nodes about changes: those of the people of a private conversation, and those
// that subscribe to a room, unless the script has told these.
func (b *broker) appended(c chat.Conversation, news []published) {
	if _, room := c.Room(); !room || b.cfg.Ack.Replicas > 0 {
		b.tell(c, encodeChanges(c, news))
	}
}

// ringFor has nodes look whether something was appended to a conversation.
func (b *broker) ringFor(c chat.Conversation) { b.tell(c, "c"+string(c)) }

// tell tells something to the nodes that hear a conversation.
func (b *broker) tell(c chat.Conversation, message string) {
	channels := []string{b.keys.channel(c)}
	if one, other, private := c.Users(); private {
		channels = slices.Compact([]string{b.keys.userChannel(one), b.keys.userChannel(other)})
	}
	for _, channel := range channels {
		b.ring(b.client.B().Spublish().Channel(channel).Message(message).Build())
	}
}

// ring sends a doorbell soon. If too many wait already, it is lost.
func (b *broker) ring(cmd rueidis.Completed) {
	b.gate.stay() // until it is sent
	select {
	case b.bells <- cmd:
	default:
		b.gate.leave()
	}
}

// ringBells sends doorbells, and at the end those that still wait: otherwise what they tell of would
// only be found by probes.
func (b *broker) ringBells() {
	for b.ctx.Err() == nil {
		select {
		case <-b.ctx.Done():
		case cmd := <-b.bells:
			b.ringNow(b.ctx, b.cfg.Timeout, cmd)
		}
	}
	select {
	case cmd := <-b.bells:
		b.ringNow(context.WithoutCancel(b.ctx), lastBells, cmd)
	default:
	}
}

// lastBells is the time for the doorbells that still wait at the end.
const lastBells = time.Second

// ringNow sends a doorbell, and others that wait.
func (b *broker) ringNow(ctx context.Context, limit time.Duration, cmds ...rueidis.Completed) {
	for more := true; more && len(cmds) < 256; {
		select {
		case cmd := <-b.bells:
			cmds = append(cmds, cmd)
		default:
			more = false
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	b.client.DoMulti(ctx, cmds...)
	for range cmds {
		b.gate.leave()
	}
}

// hear takes a message of a channel.
func (b *broker) hear(_, message string) {
	if message == "" || !b.gate.try() {
		return // openGate looks at everything
	}
	defer b.gate.leave()
	var err error
	switch rest := message[1:]; message[0] {
	case 'a':
		err = b.hearChanges(rest)
	case 'c':
		for _, n := range b.all() {
			n.bell.Ring(chat.Conversation(rest))
		}
	case 'p':
		err = b.hearPresence(rest)
	case 'n':
		err = b.hearName(rest)
	case 'm':
		err = b.hearMember(rest)
	case 'x':
		b.readControlSoon()
	case 'u':
		err = b.usage.hear(rest)
	}
	if err != nil {
		b.cfg.Log.Warn("chat/redis: a message of another node is not understood", "error", err)
	}
}

// encodeChanges writes what the append script writes, too: "a", conversation, epoch, the tag before
// the first change, its number and how many there are ("<I2c0I1c0I4I6I1"), the lengths of their
// entries in the log ("<I4"), and these entries.
func encodeChanges(c chat.Conversation, news []published) string {
	text := append(appendUint([]byte{'a'}, uint64(len(c)), 2), c...)
	epoch := news[0].change.Epoch
	text = append(appendUint(text, uint64(len(epoch)), 1), epoch...)
	text = appendUint(appendUint(text, uint64(news[0].before), 4), news[0].change.Number, 6)
	text = appendUint(text, uint64(len(news)), 1)
	var entries []byte
	for _, p := range news {
		before := len(entries)
		entries = appendEntry(entries, p.change.Tag, p.change.ServerTS, p.change.Message)
		text = appendUint(text, uint64(len(entries)-before), 4)
	}
	return string(append(text, entries...))
}

// enoughAgain is called when a primary has enough replicas again. It may be another one than before.
// What was told in between may be lost, even what seemed to be kept: a former primary that comes
// back takes what it is told until the sentinels make it a replica. So all conversations are looked
// at, and who came and went lately is told again.
func (b *broker) enoughAgain() {
	for _, n := range b.all() {
		n.bell.Probe()
		n.roster.tellRecent()
	}
}

// gap is called when messages may not have been heard since then: everything is looked at.
func (b *broker) gap(since time.Time) {
	b.cfg.begun.Add(1)
	for !b.gate.try() {
		b.mu.Lock()
		b.gapped = true
		b.mu.Unlock()
		if b.gate.isShut() {
			return // openGate heeds it
		}
	}
	defer b.gate.leave()
	for _, n := range b.all() {
		n.roster.tellRecent()
		b.lookAround(n, look{since, false})
	}
}

// openGate opens the gate of a node. once is for lookAround: false if Redis may have lost something meanwhile.
func (b *broker) openGate(n *node) (once bool) {
	b.gate.open()
	b.mu.Lock()
	gapped := b.gapped
	b.gapped = false
	b.mu.Unlock()
	if gapped {
		n.roster.tellRecent()
	}
	return !gapped
}

// look is a search for what a node may not have heard since then; see findMoves.
type look struct {
	since time.Time
	once  bool
}

// lookAround has everything looked at that a node may not have heard. Called inside of the gate.
func (b *broker) lookAround(n *node, l look) {
	n.bell.Probe()
	b.gate.stay()
	b.begin(&l)
	b.wg.Go(func() {
		defer b.gate.leave()
		n.findMoves(l.since, l.once)
		n.catchUp()
		b.finished(&l)
	})
	b.readControlSoon()
}

func (b *broker) begin(l *look) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.looks == nil {
		b.looks = make(map[*look]bool)
	}
	b.looks[l] = true
}

func (b *broker) finished(l *look) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.looks, l)
}

// unfinished is the search that takes the place of a new one and of those that are under way.
func (b *broker) unfinished(l look) look {
	b.mu.Lock()
	defer b.mu.Unlock()
	for other := range b.looks {
		if other.since.Before(l.since) {
			l.since = other.since
		}
		l.once = l.once && other.once
	}
	return l
}

// join joins errors, but for a nil one stays what it is.
func join(first, second error) error {
	if first == nil {
		return second
	}
	return errors.Join(first, second)
}
