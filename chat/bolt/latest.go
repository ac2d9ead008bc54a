package bolt

import (
	"container/list"
	"slices"
	"strings"
	"sync"

	"github.com/hawser-ws/hawser/chat"
)

// A client that opens a room reads its last messages, which are scattered over the log. So the
// last messages of the most recently read conversations are kept in memory, within a bound.

const (
	// maxLatest is about how many bytes of messages are kept.
	maxLatest = 16 << 20

	// maxLatestOf is how many messages of one conversation are kept, and latestSpare is how many
	// more there may be before the oldest are dropped.
	maxLatestOf = 100
	latestSpare = 50
)

// latest holds the last messages of conversations.
type latest struct {
	limit int // of bytes

	mu sync.Mutex
	// Guarded by mu.
	of        map[chat.Conversation]*list.Element // each a *latestMessages
	used      list.List                           // the one that was read last comes first
	bytes     int
	published uint64 // transactions
}

// latestMessages are the last messages of a conversation, without a gap. The slice may be read
// without the lock: messages are only added to its end, or it is replaced.
type latestMessages struct {
	name     chat.Conversation
	messages []chat.Stored
	bytes    int
}

func newLatest() *latest {
	return &latest{limit: maxLatest, of: make(map[chat.Conversation]*list.Element)}
}

func sizeOf(m *chat.Stored) int {
	return 200 + len(m.ID) + len(m.Sender) + len(m.SenderName) + len(m.Timestamp) + len(m.Content) + len(m.Metadata)
}

// has reports whether there are messages of a conversation.
func (l *latest) has(name chat.Conversation) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.of[name] != nil
}

// transactions is how many have been published.
func (l *latest) transactions() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.published
}

// page answers a query if all messages that it asks for are there.
func (l *latest) page(q *chat.HistoryQuery, epoch string) (page chat.Page, ok bool) {
	if !q.Newest || q.Since != 0 || q.Until != 0 {
		return page, false
	}
	l.mu.Lock()
	e := l.of[q.Conversation]
	if e == nil {
		l.mu.Unlock()
		return page, false
	}
	l.used.MoveToFront(e)
	all := e.Value.(*latestMessages).messages
	l.mu.Unlock()

	page.Epoch, page.First = epoch, 1
	first, last := all[0].Seq, all[len(all)-1].Seq
	if q.BeforeSeq != 0 {
		last = min(last, q.BeforeSeq-1)
	}
	if q.AfterSeq >= last {
		return page, true
	}
	from := q.AfterSeq + 1
	if page.More = last-from+1 > uint64(q.Limit); page.More {
		from = last - uint64(q.Limit) + 1
	}
	if from < first {
		return page, false
	}
	page.Messages = cloned(all[from-first : last-first+1])
	return page, true
}

// cloned is a copy of messages, which shares no bytes with them.
func cloned(messages []chat.Stored) []chat.Stored {
	size := 0
	for i := range messages {
		size += len(messages[i].Metadata)
	}
	all := make([]byte, 0, size)
	messages = slices.Clone(messages)
	for i := range messages {
		m := &messages[i]
		begin := len(all)
		all = append(all, m.Metadata...)
		m.Metadata = all[begin:len(all):len(all)]
	}
	return messages
}

// keep keeps a page that was read from disk, if it is the end of its conversation, which has the
// given number of messages, and if nothing has been published since the given number of
// transactions.
func (l *latest) keep(q *chat.HistoryQuery, page *chat.Page, seq, transactions uint64) {
	n := len(page.Messages)
	if n == 0 || len(page.Damaged) > 0 || page.Messages[n-1].Seq != seq || page.Messages[n-1].Seq-page.Messages[0].Seq+1 != uint64(n) {
		return
	}
	kept := cloned(page.Messages[max(0, n-maxLatestOf):])
	size := 0
	for i := range kept {
		size += sizeOf(&kept[i])
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.published != transactions {
		return // it may not be the end any more
	}
	if e := l.of[q.Conversation]; e != nil {
		if len(e.Value.(*latestMessages).messages) >= len(kept) {
			return
		}
		l.drop(e)
	}
	l.of[q.Conversation] = l.used.PushFront(&latestMessages{q.Conversation, kept, size})
	l.bytes += size
	l.shrink()
}

// publish adds what a transaction has stored. If a conversation was not in memory when the
// transaction began, its earlier messages are unknown, and it is dropped.
func (l *latest) publish(now map[chat.Conversation]*fresh) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.published++
	for name, c := range now {
		e := l.of[name]
		if e == nil || len(c.positions) == 0 {
			continue
		}
		if len(c.said) != len(c.positions) {
			l.drop(e)
			continue
		}
		m := e.Value.(*latestMessages)
		for i := range c.said {
			m.bytes += sizeOf(&c.said[i])
			l.bytes += sizeOf(&c.said[i])
		}
		m.messages = append(m.messages, c.said...)
		if n := len(m.messages) - maxLatestOf; n > latestSpare {
			for i := range m.messages[:n] {
				m.bytes -= sizeOf(&m.messages[i])
				l.bytes -= sizeOf(&m.messages[i])
			}
			m.messages = slices.Clone(m.messages[n:])
		}
	}
	l.shrink()
}

// shrink drops the least recently read ones. Called with mu held.
func (l *latest) shrink() {
	for l.bytes > l.limit {
		l.drop(l.used.Back())
	}
}

// drop forgets a conversation. Called with mu held.
func (l *latest) drop(e *list.Element) {
	m := l.used.Remove(e).(*latestMessages)
	delete(l.of, m.name)
	l.bytes -= m.bytes
}

// stored is a message as it is read from disk.
func stored(id string, seq uint64, m *chat.Message) chat.Stored {
	s := chat.Stored{Message: *m, ID: id, Seq: seq}
	s.Ref = ""
	s.Content, s.Timestamp = strings.Clone(s.Content), strings.Clone(s.Timestamp) // they may be parts of a larger message
	s.Metadata = append([]byte{}, s.Metadata...)
	return s
}
