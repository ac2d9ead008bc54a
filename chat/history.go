package chat

import (
	"context"
	"errors"
	"slices"
	"strconv"
)

// opHistory reads stored messages: PROTOCOL.md, "history".
var opHistory = definition{
	name:     "history",
	required: []field{fieldReceiver},
	read:     readHistory,
	check:    checkHistory,
	run:      runHistory,
	pool:     poolQueries,
}

// boundFields say which messages a history request asks for; nil or "" means not given.
type boundFields struct {
	beforeSeq, afterSeq, since, until *int64
	id                                string
}

func readHistory(op *Operation, f *fields) {
	op.bounds = &boundFields{
		beforeSeq: f.integer(fieldBeforeSeq),
		afterSeq:  f.integer(fieldAfterSeq),
		since:     f.integer(fieldSince),
		until:     f.integer(fieldUntil),
		id:        f.str(fieldID),
	}
	op.limit = f.limit(fieldLimit)
}

// checkHistory refuses bounds of different kinds in one request.
func checkHistory(op *Operation, limits *Limits) *Failure {
	b := op.bounds
	bySeq := b.beforeSeq != nil || b.afterSeq != nil
	byTime := b.since != nil || b.until != nil
	switch {
	case b.id != "" && (bySeq || byTime):
		return &Failure{Code: 400, Reason: "bad_range", Message: "id cannot be combined with other bounds", Field: "id"}
	case bySeq && byTime:
		return &Failure{Code: 400, Reason: "bad_range", Message: "bounds by seq and by time cannot be combined", Field: "since"}
	}
	return checkRoomOrUser(op, limits)
}

func runHistory(ctx context.Context, h *Hub, a Actor, op *Operation) {
	answer, fail := h.history(ctx, a, op)
	h.answer(a, op, answer, fail)
}

// history answers with a part of a conversation.
func (h *Hub) history(ctx context.Context, a Actor, req *Operation) ([]byte, *Failure) {
	c, fail := h.findConversation(ctx, a, req.receiver)
	if fail != nil {
		return nil, fail
	}
	limit := pageSize(req.limit, h.cfg.Pages.HistoryDefault, h.cfg.Pages.History)
	var part excerpt
	var err error
	if req.bounds.id != "" {
		part, err = h.around(ctx, c, req.bounds.id, limit)
	} else {
		part, err = h.read(ctx, req.bounds.query(c, limit), h.cfg.Pages.HistoryBytes)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, failUnknownID
	case err != nil:
		return nil, h.engineFailed(err)
	}
	dst := []byte(`{"type":"history"`)
	dst = appendStringField(dst, "receiver_id", req.receiver)
	dst = append(dst, `,"messages":[`...)
	for i, m := range part.messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, m...)
	}
	dst = append(dst, ']')
	dst = appendDamaged(dst, part.damaged)
	if part.first > 1 {
		dst = appendIntField(dst, "first_seq", int64(part.first))
	}
	dst = appendBoolField(dst, "has_more", part.more)
	return appendRefAndClose(dst, req.ref), nil
}

// query returns the query for the engine. Without a lower bound to begin at, it asks for the
// newest messages.
func (b *boundFields) query(c Conversation, limit int) HistoryQuery {
	q := HistoryQuery{Conversation: c, Limit: limit, Newest: true}
	if b.afterSeq != nil {
		q.AfterSeq, q.Newest = uint64(*b.afterSeq), false
	}
	if b.since != nil {
		q.Since, q.Newest = *b.since, false
	}
	// There is nothing below a bound of 0, but in the query 0 means no bound.
	if b.beforeSeq != nil {
		q.BeforeSeq = uint64(max(*b.beforeSeq, 1))
	}
	if b.until != nil {
		q.Until = max(*b.until, 1)
	}
	return q
}

// excerpt is a part of a conversation, as it is sent.
type excerpt struct {
	messages [][]byte
	damaged  []uint64 // seqs of messages that cannot be read any more
	first    uint64   // seq of the oldest message that is kept
	more     bool
}

// around reads the message with this id and its neighbours: half of limit before it, the
// rest from it on.
func (h *Hub) around(ctx context.Context, c Conversation, id string, limit int) (part excerpt, err error) {
	seq, err := h.engine.Log.Locate(ctx, c, id)
	if err != nil {
		return part, err
	}
	var before excerpt
	if limit > 1 {
		q := HistoryQuery{Conversation: c, BeforeSeq: seq, Newest: true, Limit: limit / 2}
		if before, err = h.read(ctx, q, h.cfg.Pages.HistoryBytes/2); err != nil {
			return part, err
		}
	}
	q := HistoryQuery{Conversation: c, AfterSeq: seq - 1, Limit: limit - len(before.messages)}
	after, err := h.read(ctx, q, h.cfg.Pages.HistoryBytes/2)
	if limit == 1 {
		before.more = seq > after.first
	}
	return excerpt{append(before.messages, after.messages...), append(before.damaged, after.damaged...), after.first, before.more || after.more}, err
}

// read reads and encodes messages, up to budget bytes but at least one, beginning at the
// query's side.
func (h *Hub) read(ctx context.Context, q HistoryQuery, budget int) (part excerpt, err error) {
	page, err := h.engine.Log.History(ctx, q)
	if err != nil {
		return part, err
	}
	part.damaged, part.first, part.more = page.Damaged, page.First, page.More
	if q.Newest {
		slices.Reverse(page.Messages)
	}
	for i := range page.Messages {
		m := &page.Messages[i]
		p := appendStored(nil, q.Conversation, m, page.Epoch)
		if budget -= len(p); budget < 0 && i > 0 {
			part.more = true
			part.damaged = slices.DeleteFunc(part.damaged, func(seq uint64) bool { // told of with the next part
				return (seq < m.Seq) == q.Newest
			})
			break
		}
		part.messages = append(part.messages, p)
	}
	if q.Newest {
		slices.Reverse(part.messages)
	}
	return part, nil
}

// appendDamaged names the messages that cannot be read any more, if there are any.
func appendDamaged(dst []byte, seqs []uint64) []byte {
	for i, seq := range seqs {
		if i == 0 {
			dst = append(dst, `,"damaged":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = strconv.AppendUint(dst, seq, 10)
	}
	if len(seqs) > 0 {
		dst = append(dst, ']')
	}
	return dst
}
