package chat

import (
	"context"
	"errors"
)

// opMessage is a private message: PROTOCOL.md, "message".
var opMessage = definition{
	name:     "message",
	required: []field{fieldReceiver, fieldContent},
	check:    checkContent,
	run:      runMessage,
	pool:     poolLookups,
	lane: func(c *Connection, op *Operation) *shard {
		if !c.hub.online(op.receiver) {
			return nil // it has to be looked up whether there is such a user
		}
		return c.hub.shard(op.conversation(c))
	},
	stores: true,
}

func runMessage(ctx context.Context, h *Hub, a Actor, op *Operation) {
	fail := h.findUser(ctx, op.receiver)
	if fail == nil {
		fail = h.append(a, op)
	}
	if fail != nil {
		h.answer(a, op, nil, fail)
	}
}

// append hands a message to the sequencer of its conversation, which answers it.
func (h *Hub) append(a Actor, op *Operation) *Failure {
	c := op.conversation(a)
	return h.shard(c).append(a, op, c, op.message(a, h.now()))
}

// findUser fails unless there is a user with this id.
func (h *Hub) findUser(ctx context.Context, id string) *Failure {
	if h.online(id) {
		return nil
	}
	if !ValidUserID(id) {
		return failUnknownUser
	}
	switch _, err := h.engine.Directory.User(ctx, id); {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return failUnknownUser
	default:
		return h.engineFailed(err)
	}
}
