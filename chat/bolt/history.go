package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sort"

	"github.com/hawser-ws/hawser/chat"
)

// As long as there are only messages, the number of a change is the seq of its message.

// maxDamaged is how many damaged messages one page names.
const maxDamaged = 1000

// History implements chat.Log.
func (s *Store) History(ctx context.Context, q chat.HistoryQuery) (page chat.Page, err error) {
	if page, ok := s.latest.page(&q, s.epoch); ok {
		return page, ctx.Err()
	}
	transactions, last := s.latest.transactions(), uint64(0)
	err = s.read(ctx, q.Conversation, func(r *reader, t *thread) error {
		page.Epoch, page.First, last = s.epoch, 1, t.seq
		spans, err := r.spans(t, &q)
		if err != nil {
			return err
		}
		return r.fill(&page, t, spans, &q)
	})
	if q.Newest {
		slices.Reverse(page.Messages)
		slices.Reverse(page.Damaged)
		if err == nil {
			s.latest.keep(&q, &page, last, transactions)
		}
	}
	return page, err
}

// fill reads messages until the page is full, from the side at which the query begins. A
// damaged one does not count for the limit, so a client that does not know about damage
// makes progress.
func (r *reader) fill(page *chat.Page, t *thread, spans []span, q *chat.HistoryQuery) error {
	if q.Newest {
		slices.Reverse(spans)
	}
	for _, sp := range spans {
		for n := sp.last - sp.first + 1; n > 0; n-- {
			if err := r.ctx.Err(); err != nil {
				return err
			}
			if page.More = len(page.Messages) == q.Limit || len(page.Damaged) == maxDamaged; page.More {
				return nil
			}
			seq := sp.last - n + 1
			if q.Newest {
				seq = sp.first + n - 1
			}
			e, err := r.get(t, seq)
			if err != nil {
				page.Damaged = append(page.Damaged, seq)
				continue
			}
			page.Messages = append(page.Messages, chat.Stored{Message: e.message, ID: chat.MessageID(r.s.epoch, t.number, seq), Seq: seq})
		}
	}
	return nil
}

// span is the messages of a conversation from first to last.
type span struct{ first, last uint64 }

// spans are the messages that a query asks for. Without bounds in time they are one span.
// With such bounds there is at most one for each part of the conversation in which the
// clock did not go back.
func (r *reader) spans(t *thread, q *chat.HistoryQuery) (spans []span, err error) {
	if q.AfterSeq >= t.seq {
		return nil, nil
	}
	all := span{q.AfterSeq + 1, t.seq}
	if q.BeforeSeq != 0 {
		all.last = min(all.last, q.BeforeSeq-1)
	}
	if q.Since == 0 && q.Until == 0 {
		if all.first <= all.last {
			spans = append(spans, all)
		}
		return spans, nil
	}
	parts, err := r.parts(t, all)
	if err != nil {
		return nil, err
	}
	for _, part := range parts {
		if q.Since != 0 {
			if part.first, err = r.firstSince(t, part, q.Since); err != nil {
				return nil, err
			}
		}
		if q.Until != 0 {
			end, err := r.firstSince(t, part, q.Until)
			if err != nil {
				return nil, err
			}
			part.last = end - 1
		}
		if part.first <= part.last {
			spans = append(spans, part)
		}
	}
	return spans, nil
}

// parts splits a span where the clock went back.
func (r *reader) parts(t *thread, all span) (parts []span, err error) {
	if all.first > all.last {
		return nil, nil
	}
	if r.s.unsure.steps {
		return nil, fmt.Errorf("%w: it is not known where the clock went back", errDamaged)
	}
	c := r.tx.Bucket(bucketSteps).Cursor()
	last := pairKey(t.number, all.last)
	for k, v := c.Seek(pairKey(t.number, all.first+1)); k != nil && bytes.Compare(k, last) <= 0; k, v = c.Next() {
		if err := checkMark(bucketSteps, k, v); err != nil || len(k) != 16 {
			r.s.damage.note(t.name, 0, errDamaged)
			return nil, errDamaged
		}
		at := binary.BigEndian.Uint64(k[8:])
		parts = append(parts, span{all.first, at - 1})
		all.first = at
	}
	return append(parts, all), nil
}

// firstSince is the seq of the first message of a part whose server_ts is not below ts, or
// one more than the last. Since server_ts does not decrease within a part, a binary search
// finds it. A damaged message counts as the next one that is whole.
func (r *reader) firstSince(t *thread, part span, ts int64) (seq uint64, err error) {
	if part.first > part.last {
		return part.last + 1, nil
	}
	n := sort.Search(int(part.last-part.first+1), func(i int) bool {
		for seq := part.first + uint64(i); seq <= part.last; seq++ {
			e, e1 := r.get(t, seq)
			if e1 == nil {
				return e.serverTS >= ts
			}
			if e1 = r.ctx.Err(); e1 != nil {
				err = errors.Join(err, e1)
				return true
			}
		}
		return true
	})
	return part.first + uint64(n), err
}
