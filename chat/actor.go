package chat

import (
	"context"
	"errors"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// Actor is who has an operation done: a Connection, or something else that speaks in a
// user's name.
type Actor interface {
	// User is in whose name it is done.
	User() User

	// Subject is whom the limits count.
	Subject() Subject

	// Answer is called once for each operation, with the answer (a JSON message, nil
	// if none is due) or with why there is none. It does not block, and does not call the
	// hub. Where it is an acknowledgement it is called before anybody is sent the change.
	Answer(op *Operation, answer []byte, fail *Failure)
}

// finisher is an Actor that is told when an operation is over, after Answer.
type finisher interface{ finished() }

// Do has an operation done. It may wait for the engine, as long as ctx allows. A message is
// answered later: after Do has returned, and by Config.OperationTimeout at the latest.
//
// It is not for a Connection, whose operations come through Handle and wait for their turn.
// Those of other actors begin at once: limits are for their way in to ask.
func (h *Hub) Do(ctx context.Context, a Actor, op *Operation) {
	if _, ok := a.(*Connection); ok {
		panic("chat: Do was called for a Connection")
	}
	op.begun = time.Now()
	fail := permit(a, op)
	switch {
	case fail != nil:
	case op.kind.needsConnection:
		fail = &Failure{Code: 400, Reason: "needs_connection", Message: op.kind.name + " is about a connection, and there is none", Field: "type"}
	case h.closing.Load():
		fail = failShuttingDown
	default:
		switch reason, err := h.engine.Bans.Banned(ctx, a.User().ID); {
		case err != nil:
			fail = h.engineFailed(err)
		case reason != "":
			fail = failBanned
		default:
			op.kind.run(ctx, h, a, op)
			return
		}
	}
	h.answer(a, op, nil, fail)
}

// deadline is when an operation must have been answered.
func (h *Hub) deadline(op *Operation) time.Time { return op.begun.Add(h.cfg.OperationTimeout) }

// doQueued does an operation of a connection that has waited in a pool.
func (h *Hub) doQueued(c *Connection, op *Operation) {
	ctx, cancel := context.WithDeadline(context.Background(), h.deadline(op))
	defer cancel()
	switch {
	case !op.kind.stores && c.ended(): // nobody would read the answer
		h.finish(c)
	case ctx.Err() == nil:
		op.kind.run(ctx, h, c, op)
	case op.kind.opens:
		c.failAuth(failOverloaded, op.ref, wsproto.CloseTryAgainLater)
		h.finish(c)
	default:
		h.answer(c, op, nil, failOverloaded)
	}
}

// permit refuses what an actor may not do whatever it is.
func permit(a Actor, op *Operation) *Failure {
	if op.sender != "" && !op.kind.opens && op.sender != a.User().ID {
		return failSender
	}
	return nil
}

// answer gives an actor its answer, outside every lock.
func (h *Hub) answer(a Actor, op *Operation, answer []byte, fail *Failure) {
	if fail != nil {
		h.refuse(a, op, fail)
	} else {
		a.Answer(op, answer, nil)
	}
	h.finish(a)
}

// refuse tells an actor why there is no answer. A connection counts what it is refused
// itself: more than operations.
func (h *Hub) refuse(a Actor, op *Operation, fail *Failure) {
	if _, ok := a.(*Connection); !ok {
		h.cfg.Observer.Refused(fail.Reason)
	}
	a.Answer(op, nil, fail)
}

func (h *Hub) finish(a Actor) {
	if f, ok := a.(finisher); ok {
		f.finished()
	}
}

// engineFailed is the answer where the engine could not be asked or could not answer. The
// log says why, unless it is that the actor waits no longer.
func (h *Hub) engineFailed(err error) *Failure {
	if !errors.Is(err, context.Canceled) {
		h.note(&h.troubles.read, err)
	}
	return failStore
}

// appendFailed is the answer for a message that was not stored, or perhaps not.
func appendFailed(err error) *Failure {
	if errors.Is(err, ErrOutcomeUnknown) {
		return failUnknownOutcome
	}
	return failStore
}

// admitRoom asks whether an actor may make a room.
func (h *Hub) admitRoom(a Actor, op *Operation) *Failure {
	s := a.Subject()
	s.Pace = nil
	_, fail := h.limits.Take(s, Cost{Operation: op.kind.name, Rooms: 1})
	return fail
}
