package redis

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/chat"
)

// window is what is read of a conversation's log at a time.
type window struct {
	from, to uint64 // changes, both inclusive; to 0: no bound
	count    int
	newest   bool // take the last ones, and return them backwards
}

// stretch is what was read. So far, all changes are messages, and the seq of a message is the
// number of its change.
type stretch struct {
	tail    tail
	changes []chat.Change
	first   uint64 // the oldest change that is kept, or the next one
}

// read reads a window, and the tail as of then.
func (s *store) read(ctx context.Context, c chat.Conversation, w window) (st stretch, err error) {
	if err := ctx.Err(); err != nil {
		return st, err
	}
	values, err := s.keep(ctx, readScript, []string{s.keys.tailsOf(c), s.keys.log(c)},
		[]string{string(c), strconv.FormatUint(w.from, 10), strconv.FormatUint(w.to, 10), strconv.Itoa(w.count), flag(w.newest)}).ToArray()
	if err != nil {
		return st, err
	}
	if len(values) != 5 {
		return st, errReply
	}
	tail, marked, err := tailOf(&values[0], &values[1])
	if err == nil && !marked {
		tail.Epoch, err = s.mark(ctx, partition(string(c)))
	}
	if err != nil {
		return st, err
	}
	st.tail = tail
	number, e1 := values[2].AsUint64()
	entries, e2 := values[3].AsStrSlice()
	first, e3 := values[4].AsUint64()
	if err := cmp.Or(e1, e2, e3); err != nil {
		return st, err
	}
	st.first = first
	st.changes = make([]chat.Change, len(entries))
	parser := newEntryParser(c, tail.Epoch)
	for i, entry := range entries {
		parser.parse(number+uint64(i), entry, &st.changes[i], new(chat.Message))
	}
	if w.newest {
		slices.Reverse(st.changes)
	}
	return st, nil
}

// entryParser reads the entries of a conversation's log (appendEntry).
type entryParser struct {
	c     chat.Conversation
	epoch string
	id    string // the conversation's
}

func newEntryParser(c chat.Conversation, epoch string) entryParser {
	return entryParser{c, epoch, conversationID(c)}
}

// parse reads one entry into ch and its message m, which keep the text. One that cannot be read is
// damaged.
func (p *entryParser) parse(number uint64, entry string, ch *chat.Change, m *chat.Message) {
	*ch = chat.Change{Number: number, Epoch: p.epoch}
	head := packed{rest: entry}
	tag, ts := uint32(head.uint(4)), head.int(6)
	if parseRecord(head.rest, m) != nil {
		ch.Damaged = true
		return
	}
	m.ServerTS = ts
	ch.Tag, ch.Seq, ch.ServerTS, ch.Message = tag, number, ts, m
	ch.ID = messageIDIn(p.id, ch.Seq, ch.Tag)
}

// Changes implements chat.Log and doorbell.Source.
func (s *store) Changes(ctx context.Context, c chat.Conversation, after uint64, limit int) (changes []chat.Change, more bool, err error) {
	st, err := s.read(ctx, c, window{from: after + 1, count: limit + 1})
	if err != nil {
		return nil, false, err
	}
	if more = len(st.changes) > limit; more {
		st.changes = st.changes[:limit]
	}
	return st.changes, more, nil
}

// conversationID is the first part of the ids of a conversation's messages.
func conversationID(c chat.Conversation) string {
	sum := sha256.Sum256([]byte(c))
	return strconv.FormatUint(binary.BigEndian.Uint64(sum[:]), 36)
}

// Locate implements chat.Log.
func (s *store) Locate(ctx context.Context, c chat.Conversation, id string) (seq uint64, err error) {
	parts := strings.Split(id, "-")
	if len(parts) != 3 || parts[0] != conversationID(c) {
		return 0, chat.ErrNotFound
	}
	seq, err = strconv.ParseUint(parts[1], 36, 64)
	if err != nil || seq == 0 {
		return 0, chat.ErrNotFound
	}
	st, err := s.read(ctx, c, window{from: seq, to: seq, count: 1})
	if err != nil {
		return 0, err
	}
	if len(st.changes) == 0 || st.changes[0].ID != id {
		return 0, chat.ErrNotFound
	}
	return seq, nil
}
