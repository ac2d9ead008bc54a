package chat

import (
	"context"
	"errors"
)

// opPeers lists the users with whom the actor has a private conversation: PROTOCOL.md,
// "peers".
var opPeers = definition{
	name: "peers",
	read: readList,
	run:  runPeers,
	pool: poolQueries,
}

func runPeers(ctx context.Context, h *Hub, a Actor, op *Operation) {
	answer, fail := h.listTalks(ctx, a, op)
	h.answer(a, op, answer, fail)
}

func (h *Hub) listTalks(ctx context.Context, a Actor, op *Operation) ([]byte, *Failure) {
	talks, more, err := h.engine.Directory.Talks(ctx, a.User().ID, 0, op.after, h.listSize(op))
	if err != nil {
		return nil, h.engineFailed(err)
	}
	ids := make([]string, len(talks))
	for i := range talks {
		ids[i] = talks[i].UserID
	}
	online, err := h.engine.Presence.Online(ctx, ids)
	if err != nil {
		return nil, h.engineFailed(err)
	}
	dst := []byte(`{"type":"peers","peers":[`)
	for i, t := range talks {
		if i > 0 {
			dst = append(dst, ',')
		}
		u, here := online[t.UserID]
		if !here {
			if u, err = h.engine.Directory.User(ctx, t.UserID); err != nil && !errors.Is(err, ErrNotFound) {
				return nil, h.engineFailed(err)
			}
		}
		dst = append(dst, `{"user_id":`...)
		dst = appendString(dst, t.UserID)
		dst = appendStringField(dst, "name", u.Name)
		dst = appendEnd(dst, t.Seq, t.ServerTS)
		dst = appendBoolField(dst, "online", here)
		dst = append(dst, '}')
	}
	dst = append(dst, ']')
	dst = appendBoolField(dst, "has_more", more)
	return appendRefAndClose(dst, op.ref), nil
}

// appendEnd appends the end of a conversation.
func appendEnd(dst []byte, seq uint64, serverTS int64) []byte {
	dst = appendIntField(dst, "seq", int64(seq))
	return appendIntField(dst, "server_ts", serverTS)
}

func (h *Hub) listSize(op *Operation) int {
	return pageSize(op.limit, h.cfg.Pages.ListDefault, h.cfg.Pages.List)
}
