package chat

import "context"

// opGroup is a message to a room: PROTOCOL.md, "group".
var opGroup = definition{
	name:     "group",
	required: []field{fieldReceiver, fieldContent},
	check: func(op *Operation, limits *Limits) *Failure {
		if fail := checkRoom(op, limits); fail != nil {
			return fail
		}
		return checkContent(op, limits)
	},
	run:  runGroup,
	pool: poolLookups,
	lane: func(c *Connection, op *Operation) *shard {
		if r := c.in(op.receiver); r == nil || r.fresh.Load() {
			return nil // it has to join first, or may be refused; neither may overtake an answer
		}
		return c.hub.shard(op.conversation(c))
	},
	stores: true,
}

func runGroup(ctx context.Context, h *Hub, a Actor, op *Operation) {
	say := func(fail *Failure) {
		if fail == nil {
			fail = h.append(a, op)
		}
		if fail != nil {
			h.answer(a, op, nil, fail)
		}
	}
	if c, ok := a.(*Connection); ok {
		h.join(ctx, c, op, false, say)
	} else {
		say(nil)
	}
}
