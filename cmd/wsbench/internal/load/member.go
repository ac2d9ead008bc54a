package load

import (
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/dialect"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/recording"
	"github.com/hawser-ws/hawser/cmd/wsbench/internal/sequence"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// Link is an open connection. Its methods do not block.
type Link interface {
	// Send queues one message and copies p.
	Send(op frame.Opcode, p []byte) error
	// Close starts the closing handshake; Shard.Closed reports its end.
	Close(code wsproto.CloseCode, reason string) error
	// Pause stops reading, or resumes it.
	Pause(paused bool)
}

type state uint8

const (
	down     state = iota // there is no connection
	prepared              // there is none yet, but a token
	dialing               // one is expected soon
	opening               // the protocol above WebSocket is saying hello
	waiting               // it has logged in, and joins its rooms later
	ready
	closing // by us
)

// Member is one connection of the load, through all its reconnects.
type Member struct {
	// Immutable.
	ID    uint32 // among all workers' members; also the number of its stream
	Shard *Shard
	group *group  // the members that it shares messages with; nil in Echo and the like
	out   *stream // what it sends; nil if it sends nothing
	slow  bool    // barely reads

	// Vars are the variables of a dialect's templates. Room is set; the Dialer sets the
	// Token before the first connection.
	Vars dialect.Vars

	// Guarded by Shard.mu.
	link     Link
	state    state
	to       Stage // how far it is to come for now
	step     int   // of the dialect's opening
	lastStep int   // the one after its last
	waited   bool  // it joined its rooms later than it logged in
	due      int64 // when the connection was due
	dialed   int64 // when dialling began
	opened   int64 // when the handshake was done
	closed   int64 // when we began to close

	unanswered int // answers that must be heard before the next step

	refused int   // times in a row that the connection could not be made
	again   int64 // when to try again, after it was refused

	own              sequence.Tracker   // of the echoes
	from             []sequence.Tracker // by index in the group's streams
	strange          uint32             // arrived, but could not be told apart
	strangeSinceLast uint32             // those of them since the last recognised message
	abandonedBelow   uint32             // answers to messages below this number are no longer awaited
	thinking         int32              // messages that are sent when the think time is over
	progress         int64              // when an answer last came or was given up, or sending began
	began            uint32             // the stream's number when the connection was opened
	cycling          bool               // to be closed and reopened when all its messages are answered
	stormAt          int64              // when the storm that broke this connection began, or 0

	session recording.Session // what it says in Replay
	awaited []int64           // when the messages without an answer yet were due, in Replay
}

// Due returns when the connection was due, for the Dialer.
func (m *Member) Due() int64 { return m.due }
