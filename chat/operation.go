package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// definition defines a kind of operation. Each kind has a file of its own with one definition.
type definition struct {
	name     string  // the message's type
	required []field // besides type
	read     func(*Operation, *fields)
	check    func(*Operation, *Limits) *Failure

	// run does the operation and answers it. It may wait for the engine.
	run  func(ctx context.Context, h *Hub, a Actor, op *Operation)
	pool int // the pool that runs a connection's operation

	// lane returns the sequencer to which a connection's operation may go at once, or nil
	// if it has to be run first. Kinds that append nothing have no lane. Called with the
	// connection's mu held.
	lane func(c *Connection, op *Operation) *shard

	// quick does an operation of a connection at once, without the engine, and returns
	// true; or returns false if it has to be run. Called with the connection's mu held,
	// while nothing of it runs.
	quick func(c *Connection, op *Operation) bool

	stores          bool // counts towards the limits of bytes
	opens           bool // authenticates a connection
	immediate       bool // answered ahead of the queue
	needsConnection bool
	internal        bool // no client sends it; it is not limited, and nobody waits for an answer
}

// definitions lists all kinds of operations.
var definitions = []*definition{
	&opAuth, &opHeartbeat, &opMessage, &opGroup, &opJoin, &opLeave, &opUnsubscribe, &opHistory, &opPresence, &opRooms, &opPeers,
	&opSessions, &opLogout,
}

// Operation is one message from a client, checked as far as that is possible by itself. It
// does not refer to the text that it was read from.
type Operation struct {
	kind *definition

	ref       string
	timestamp string // as written; "" if absent
	sender    string
	receiver  string // receiver_id or to
	content   string
	metadata  []byte // as written; nil if absent

	auth   *authFields  // for opAuth
	bounds *boundFields // for opHistory
	begun  time.Time    // when its turn came
	text   []byte       // what it was read from; nil unless it had to wait

	joined  bool     // for opMembership
	unsure  bool     // for opMembership: joined may be an old word
	catchUp *catchUp // for opCatchUp

	ending  Ending // for opSessionCheck
	session string // for opLogout
	all     bool   // for opLogout

	after  string // for opRooms and opPeers
	search string // for opRooms
	limit  int    // for opHistory, opRooms and opPeers; 0 if absent
}

// Ref returns the ref with which the answer is marked; "" if the client gave none.
func (op *Operation) Ref() string { return op.ref }

// Type returns the operation's name on the wire.
func (op *Operation) Type() string { return op.kind.name }

// Sender returns the message's sender_id; "" if there is none.
func (op *Operation) Sender() string { return op.sender }

// feature is a set of optional kinds of messages that a client asked for.
type feature byte

const (
	featureAck feature = 1 << iota
	featurePresence
	featureSystem
)

var featureNames = []struct {
	bit  feature
	name string
}{{featureAck, "ack"}, {featurePresence, "presence"}, {featureSystem, "system"}}

// names returns the names of the features in a set.
func (set feature) names() (names []string) {
	for _, f := range featureNames {
		if set&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// featuresNamed returns the set of the features with these names.
func featuresNamed(names []string) (set feature) {
	for _, f := range featureNames {
		if slices.Contains(names, f.name) {
			set |= f.bit
		}
	}
	return set
}

// Parse parses a message, which must be UTF-8, and checks it against the hub's limits. With a
// failure, the operation has only its ref, if that could be read.
func (h *Hub) Parse(text []byte) (*Operation, *Failure) { return parse(text, &h.cfg.Limits) }

// spareFields are not in use.
var spareFields = sync.Pool{New: func() any { return new(fields) }}

func parse(text []byte, limits *Limits) (op *Operation, fail *Failure) {
	op = new(Operation)
	f := spareFields.Get().(*fields)
	f.limits = limits
	defer func() {
		*f = fields{}
		spareFields.Put(f)
	}()
	if fail := scanObject(text, f.take); fail != nil {
		return op, fail
	}
	f.dropNulls()
	op.ref = f.ref()
	op.kind = f.operation()
	if f.fail != nil {
		return op, f.fail
	}
	op.readFlat(f)
	if read := op.kind.read; read != nil {
		read(op, f)
	}
	if f.fail != nil {
		return op, f.fail
	}
	for _, name := range op.kind.required {
		missing := f.raw[name] == nil
		if name == fieldReceiver {
			missing = op.receiver == "" // to will do
		}
		if missing {
			f.missing(name)
			return op, f.fail
		}
	}
	if op.kind.check != nil {
		return op, op.kind.check(op, limits)
	}
	return op, nil
}

// readFlat reads the fields that any message may have.
func (op *Operation) readFlat(f *fields) {
	op.timestamp = f.number(fieldTimestamp)
	op.sender = f.str(fieldSender)
	op.receiver = f.str(fieldReceiver)
	op.content = f.str(fieldContent)
	op.metadata = f.object(fieldMetadata, f.limits.Metadata)
	switch to := f.str(fieldTo); {
	case op.receiver == "":
		op.receiver = to
	case to != "" && to != op.receiver:
		f.refuse(&Failure{Code: 400, Reason: "duplicate_field", Message: "to and receiver_id differ", Field: "to"})
	}
}

// readList reads the fields for paging through a list.
func readList(op *Operation, f *fields) {
	op.after = f.str(fieldAfter)
	op.limit = f.limit(fieldLimit)
}

func checkRoom(op *Operation, _ *Limits) *Failure {
	if !ValidRoom(op.receiver) {
		return failBadRoom
	}
	return nil
}

func checkRoomOrUser(op *Operation, _ *Limits) *Failure {
	if !ValidRoom(op.receiver) && !strings.HasPrefix(op.receiver, userPrefix) {
		return failBadRoom
	}
	return nil
}

func checkContent(op *Operation, limits *Limits) *Failure {
	if n := utf8.RuneCountInString(op.content); limits.Content > 0 && n > limits.Content {
		return &Failure{Code: 400, Reason: "content_too_long", Field: "content", Limit: ContentLimit,
			Message: fmt.Sprintf("content has %d code points; %d are allowed", n, limits.Content)}
	}
	return nil
}

// conversation returns the conversation that the receiver names, for this actor.
func (op *Operation) conversation(a Actor) Conversation {
	if strings.HasPrefix(op.receiver, userPrefix) {
		return PrivateConversation(a.User().ID, op.receiver)
	}
	return RoomConversation(op.receiver)
}

// cost returns what the operation uses of the limits.
func (op *Operation) cost() Cost {
	c := Cost{Operation: op.kind.name, Requests: 1}
	if op.kind.stores {
		c.Messages, c.Bytes = 1, len(op.content)+len(op.metadata)
	}
	return c
}

// message returns the message to be stored.
func (op *Operation) message(a Actor, now int64) *Message {
	u := a.User()
	m := &Message{
		Sender: u.ID, SenderName: u.Name,
		Timestamp: op.timestamp, Content: op.content, Metadata: op.metadata, Ref: op.ref,
	}
	if m.Timestamp == "" {
		m.Timestamp = string(appendSeconds(nil, now))
	}
	if m.Metadata == nil {
		m.Metadata = []byte("{}")
	}
	return m
}

// acknowledgement returns the answer that tells an actor the place of its message, or nil if
// the actor does not want one.
func (op *Operation) acknowledgement(a Actor, ch *Change) []byte {
	if c, ok := a.(*Connection); ok && op.ref == "" && c.features&featureAck == 0 {
		return nil
	}
	ack := ack{op: op.kind.name, receiver: op.receiver, id: ch.ID, seq: ch.Seq, epoch: ch.Epoch, serverTS: ch.ServerTS}
	return ack.appendJSON(nil, op.ref)
}
