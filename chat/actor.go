package chat

import (
	"context"
	"errors"
	"time"

	"github.com/hawser-ws/hawser/wsproto"
)

// Actor is the party on whose behalf an operation is done: a Connection, or something else
// that acts for a user.
type Actor interface {
	// User returns the user in whose name the operation is done.
	User() User

	// Subject returns what the limits count the operation for.
	Subject() Subject

	// Answer is called once for each operation, with the answer (a JSON message, or nil
	// if there is none) or with the failure. It must not block or call the hub. An
	// acknowledgement is given before the change is sent to anyone.
	Answer(op *Operation, answer []byte, fail *Failure)
}

// finisher is an Actor that is told when an operation is over, after Answer.
type finisher interface{ finished() }

// Do does an operation for an actor. It may wait for the engine until ctx ends. A message is
// answered later: after Do has returned, and within Config.OperationTimeout.
//
// It is not for a Connection, whose operations come through Handle and wait for their turn.
// An operation of any other actor begins at once: the caller has to ask the Limiter.
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
		if fail = h.banned(a.User().ID); fail == nil {
			fail = h.waitForRoom(ctx, op)
		}
		if fail == nil {
			op.begun = time.Now()
			op.kind.run(ctx, h, a, op)
			return
		}
	}
	h.answer(a, op, nil, fail)
}

// deadline returns when an operation must have been answered.
func (h *Hub) deadline(op *Operation) time.Time { return op.begun.Add(h.cfg.OperationTimeout) }

// doQueued does an operation of a connection after it has waited in a pool.
func (h *Hub) doQueued(c *Connection, op *Operation) {
	if op.kind.internal {
		op.begun = time.Now() // nobody waits for an answer
	}
	ctx := limitedUntil(h.deadline(op))
	defer ctx.end()
	switch {
	case op.kind.internal:
		op.kind.run(ctx, h, c, op)
	case !op.kind.stores && c.ended(): // the answer could not be sent
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

// permit checks the rules that apply to every actor.
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

// refuse answers an actor with a failure. A connection reports its refusals to the Observer
// itself, because they are not only those of operations.
func (h *Hub) refuse(a Actor, op *Operation, fail *Failure) {
	if _, ok := a.(*Connection); !ok {
		h.observe(fail)
	}
	a.Answer(op, nil, fail)
}

// observe tells the Observer of a failure with which an actor is answered.
func (h *Hub) observe(fail *Failure) {
	h.cfg.Observer.Refused(fail.Reason)
	if fail.Limit != NoLimit {
		h.cfg.Observer.Limited(fail.Limit)
	}
}

func (h *Hub) finish(a Actor) {
	if f, ok := a.(finisher); ok {
		f.finished()
	}
}

// engineFailed returns the answer for an error of the engine, which it logs unless the actor
// has stopped waiting.
func (h *Hub) engineFailed(err error) *Failure {
	if !errors.Is(err, context.Canceled) {
		h.note(&h.troubles.read, err)
	}
	return failStore
}

// appendFailed returns the answer for a message that was not stored, or may not have been.
func appendFailed(err error) *Failure {
	if errors.Is(err, ErrOutcomeUnknown) {
		return failUnknownOutcome
	}
	return failStore
}

// admitRoom asks the limits whether an actor may create a room.
func (h *Hub) admitRoom(a Actor, op *Operation) *Failure {
	s := a.Subject()
	s.Pace = nil
	_, _, fail := h.limits.Take(s, Cost{Operation: op.kind.name, Rooms: 1})
	return fail
}
