package chat

import (
	"context"
	"errors"
	"net/netip"
)

// Actor is who has an operation done: a Connection, or something else that speaks in a
// user's name.
type Actor interface {
	// User is in whose name it is done.
	User() User

	// Address is what limits by address count; invalid if they do not apply.
	Address() netip.Prefix

	// Answer is called once for each operation, with the answer (a JSON message, nil
	// if none is due) or with why there is none. It does not block, and does not call the
	// hub. Where it is an acknowledgement it is called before anybody is sent the change.
	Answer(op *Operation, answer []byte, fail *Failure)
}

// finisher is an Actor that is told when an operation is over, after Answer.
type finisher interface{ finished() }

// Do has an operation done. It may wait for the engine, as long as ctx allows; that of a
// message is answered after Do returns, perhaps.
func (h *Hub) Do(ctx context.Context, a Actor, op *Operation) {
	if fail := h.permit(a, op); fail != nil {
		h.answer(a, op, nil, fail)
		return
	}
	op.kind.run(ctx, h, a, op)
}

// permit refuses what cannot be done whatever it is.
func (h *Hub) permit(a Actor, op *Operation) *Failure {
	if op.kind.opens {
		return nil
	}
	if op.sender != "" && op.sender != a.User().ID {
		return failSender
	}
	if h.closing.Load() {
		return failShuttingDown
	}
	if _, ok := a.(*Connection); !ok && op.kind.needsConnection {
		return &Failure{Code: 400, Reason: "needs_connection", Message: op.kind.name + " is about a connection, and there is none", Field: "type"}
	}
	return nil
}

// answer gives an actor its answer, outside every lock.
func (h *Hub) answer(a Actor, op *Operation, answer []byte, fail *Failure) {
	a.Answer(op, answer, fail)
	h.finish(a)
}

func (h *Hub) finish(a Actor) {
	if f, ok := a.(finisher); ok {
		f.finished()
	}
}

// engineFailed is the answer where the engine could not be asked or could not answer, which
// is worth a line in the log: no client can bring it about.
func (h *Hub) engineFailed(err error) *Failure {
	h.cfg.Log.Error("chat: the engine cannot be read", "error", err)
	return failStore
}

// appendFailed is the answer for a message that was not stored, or perhaps not.
func appendFailed(err error) *Failure {
	if errors.Is(err, ErrOutcomeUnknown) {
		return failUnknownOutcome
	}
	return failStore
}
