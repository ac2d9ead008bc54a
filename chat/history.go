package chat

import (
	"errors"
	"slices"
)

// history answers with a part of a conversation. Runs on a worker, beside the
// committer.
func (h *Hub) history(s *Session, req *request) ([]byte, *Failure) {
	c, fail := h.findConversation(s, req.receiver)
	if fail != nil {
		return nil, fail
	}
	limit := DefaultHistory
	if req.limit > 0 {
		limit = min(req.limit, MaxHistory)
	}
	var messages [][]byte
	var more bool
	var err error
	if req.bounds.id != "" {
		messages, more, err = h.around(c, req.bounds.id, limit)
	} else {
		messages, more, err = h.read(req.bounds.query(c, limit), maxHistoryBytes)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, failUnknownID
	case err != nil:
		return nil, h.readFailed(err)
	}
	dst := []byte(`{"type":"history"`)
	dst = appendStringField(dst, "receiver_id", req.receiver)
	dst = append(dst, `,"messages":[`...)
	for i, m := range messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m...)
	}
	dst = append(dst, ']')
	dst = appendBoolField(dst, "has_more", more)
	return appendRefAndClose(dst, req.ref), nil
}

// query is what the store is asked. The last messages are meant unless there is a
// lower bound to begin at.
func (b *boundFields) query(c Conversation, limit int) HistoryQuery {
	q := HistoryQuery{Conversation: c, Limit: limit, Newest: true}
	if b.afterSeq != nil {
		q.AfterSeq, q.Newest = uint64(*b.afterSeq), false
	}
	if b.since != nil {
		q.Since, q.Newest = *b.since, false
	}
	// A bound of 0 leaves nothing below it, where in the query 0 means none.
	if b.beforeSeq != nil {
		q.BeforeSeq = uint64(max(*b.beforeSeq, 1))
	}
	if b.until != nil {
		q.Until = max(*b.until, 1)
	}
	return q
}

// around reads the message with this id and its neighbours, half of limit before it
// and the rest from it on.
func (h *Hub) around(c Conversation, id string, limit int) (messages [][]byte, more bool, err error) {
	seq, err := h.cfg.Store.Locate(c, id)
	if err != nil {
		return nil, false, err
	}
	var moreBefore bool
	if limit > 1 {
		q := HistoryQuery{Conversation: c, BeforeSeq: seq, Newest: true, Limit: limit / 2}
		if messages, moreBefore, err = h.read(q, maxHistoryBytes/2); err != nil {
			return nil, false, err
		}
	} else {
		moreBefore = seq > 1
	}
	q := HistoryQuery{Conversation: c, AfterSeq: seq - 1, Limit: limit - len(messages)}
	after, moreAfter, err := h.read(q, maxHistoryBytes/2)
	return append(messages, after...), moreBefore || moreAfter, err
}

// read reads and encodes messages, up to budget bytes, counted from the side at
// which the query begins. A budget is far larger than a message.
func (h *Hub) read(q HistoryQuery, budget int) (messages [][]byte, more bool, err error) {
	page, err := h.cfg.Store.History(q)
	if err != nil {
		return nil, false, err
	}
	more = page.More
	if q.Newest {
		slices.Reverse(page.Messages)
	}
	for i := range page.Messages {
		m := &page.Messages[i]
		p := appendPublication(nil, q.Conversation, &m.Message, m.ID, m.Seq, h.epoch)
		if budget -= len(p); budget < 0 {
			more = true
			break
		}
		messages = append(messages, p)
	}
	if q.Newest {
		slices.Reverse(messages)
	}
	return messages, more, nil
}
