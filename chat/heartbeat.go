package chat

import "context"

// opHeartbeat asks for a sign of life: PROTOCOL.md, "heartbeat". The connection answers it
// at once, ahead of its queue.
var opHeartbeat = definition{
	name:      "heartbeat",
	immediate: true,
	run: func(_ context.Context, h *Hub, a Actor, op *Operation) {
		h.answer(a, op, appendHeartbeat(nil, h.now(), op.ref), nil)
	},
}
