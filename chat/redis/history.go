package redis

import (
	"context"
	"errors"
	"slices"

	"github.com/hawser-ws/hawser/chat"
)

// scanPage is how many changes a search reads at a time, if times are in disorder.
const scanPage = 256

// History implements chat.Log. What is no longer kept is not in the page. A page of an earlier epoch
// than people here have been told of was read before the loss, and is read again.
func (s *store) History(ctx context.Context, q chat.HistoryQuery) (page chat.Page, err error) {
	for range 2 {
		page, err = s.history(ctx, q)
		if err != nil || s.result(q.Conversation, chat.Tail{Epoch: page.Epoch}, func() {}) {
			return page, err
		}
	}
	s.ring(q.Conversation) // the store has lost the epoch, and a node that notices begins another one
	return chat.Page{}, errPast
}

// errPast says that the store has lost the epoch of a conversation.
var errPast = errors.New("chat/redis: the store has lost the last changes of a conversation")

func (s *store) history(ctx context.Context, q chat.HistoryQuery) (page chat.Page, err error) {
	if q.Since == 0 && q.Until == 0 {
		return s.bySeq(ctx, q)
	}
	t, err := s.tail(ctx, q.Conversation)
	if err != nil {
		return page, err
	}
	first, err := s.read(ctx, q.Conversation, window{from: 1, count: 1})
	if err != nil || len(first.changes) == 0 {
		return chat.Page{Epoch: first.tail.Epoch, First: first.first}, err
	}
	oldest := first.changes[0].Number
	if t.back > oldest {
		return s.scan(ctx, q)
	}
	if q.Since > 0 {
		at, err := s.firstSince(ctx, q.Conversation, oldest, t.Change+1, q.Since)
		if errors.Is(err, errDamaged) {
			return s.scan(ctx, q)
		} else if err != nil {
			return page, err
		}
		q.AfterSeq = max(q.AfterSeq, at-1)
	}
	if q.Until > 0 {
		at, err := s.firstSince(ctx, q.Conversation, oldest, t.Change+1, q.Until)
		if errors.Is(err, errDamaged) {
			return s.scan(ctx, q)
		} else if err != nil {
			return page, err
		}
		if q.BeforeSeq == 0 || at < q.BeforeSeq {
			q.BeforeSeq = at
		}
	}
	return s.bySeq(ctx, q)
}

// bySeq answers a query by seq only.
func (s *store) bySeq(ctx context.Context, q chat.HistoryQuery) (page chat.Page, err error) {
	w := window{from: q.AfterSeq + 1, count: q.Limit + 1, newest: q.Newest}
	if q.BeforeSeq > 0 {
		if w.to = q.BeforeSeq - 1; w.to < w.from {
			w = window{from: 1, to: 1, count: 1} // for the epoch alone
		}
	}
	empty := q.BeforeSeq > 0 && q.BeforeSeq <= q.AfterSeq+1
	for {
		st, err := s.read(ctx, q.Conversation, w)
		if err != nil {
			return page, err
		}
		page.Epoch, page.First = st.tail.Epoch, st.first
		if empty {
			return page, nil
		}
		for i := range st.changes {
			if ch := &st.changes[i]; !add(&page, ch, q.Limit) {
				break
			}
		}
		if page.More || len(st.changes) < w.count {
			break
		}
		last := st.changes[len(st.changes)-1].Number // some were damaged
		if q.Newest && last == 1 {
			break
		} else if q.Newest {
			w.to = last - 1
		} else {
			w.from = last + 1
		}
	}
	if q.Newest {
		slices.Reverse(page.Messages)
		slices.Reverse(page.Damaged)
	}
	return page, nil
}

// add adds a message to a page, and reports whether there was room for it.
func add(page *chat.Page, ch *chat.Change, limit int) bool {
	switch {
	case len(page.Messages) == limit:
		page.More = true
		return false
	case ch.Damaged:
		page.Damaged = append(page.Damaged, ch.Number)
	default:
		page.Messages = append(page.Messages, chat.Stored{Message: *ch.Message, ID: ch.ID, Seq: ch.Seq})
	}
	return true
}

// errDamaged says that the time of a message cannot be read.
var errDamaged = errors.New("chat/redis: a message is damaged")

// firstSince finds the first change in [low, high) whose time is at least since, or high. Times
// must be in order.
func (s *store) firstSince(ctx context.Context, c chat.Conversation, low, high uint64, since int64) (uint64, error) {
	for low < high {
		middle := low + (high-low)/2
		st, err := s.read(ctx, c, window{from: middle, to: high - 1, count: 1})
		if err != nil {
			return 0, err
		}
		switch {
		case len(st.changes) == 0:
			high = middle
		case st.changes[0].Damaged:
			return 0, errDamaged
		case st.changes[0].ServerTS < since:
			low = st.changes[0].Number + 1
		default:
			high = middle
		}
	}
	return low, nil
}

// scan answers a query by reading everything: the times of the conversation are in disorder.
func (s *store) scan(ctx context.Context, q chat.HistoryQuery) (page chat.Page, err error) {
	w := window{from: q.AfterSeq + 1, count: scanPage, newest: q.Newest}
	if q.BeforeSeq > 0 {
		w.to = q.BeforeSeq - 1
	}
	for w.to == 0 && q.BeforeSeq == 0 || w.to >= w.from {
		st, err := s.read(ctx, q.Conversation, w)
		if err != nil {
			return page, err
		}
		page.Epoch, page.First = st.tail.Epoch, st.first
		for i := range st.changes {
			ch := &st.changes[i]
			if !ch.Damaged && (ch.ServerTS < q.Since || q.Until > 0 && ch.ServerTS >= q.Until) {
				continue
			}
			if !add(&page, ch, q.Limit) {
				break
			}
		}
		if page.More || len(st.changes) < w.count {
			break
		}
		last := st.changes[len(st.changes)-1].Number
		if q.Newest && last == 1 {
			break
		} else if q.Newest {
			w.to = last - 1
		} else {
			w.from = last + 1
		}
	}
	if page.Epoch == "" {
		st, err := s.read(ctx, q.Conversation, window{from: 1, to: 1, count: 1})
		if err != nil {
			return page, err
		}
		page.Epoch, page.First = st.tail.Epoch, st.first
	}
	if q.Newest {
		slices.Reverse(page.Messages)
		slices.Reverse(page.Damaged)
	}
	return page, nil
}
