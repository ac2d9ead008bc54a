package redis

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// window is what is read of a conversation's stream at a time.
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
}

// read reads a window, and the tail as of then.
func (s *store) read(ctx context.Context, c chat.Conversation, w window) (st stretch, err error) {
	if err := ctx.Err(); err != nil {
		return st, err
	}
	to, newest := "+", "0"
	if w.to > 0 {
		to = strconv.FormatUint(w.to, 10)
	}
	if w.newest {
		newest = "1"
	}
	values, err := s.run(ctx, readScript, []string{s.keys.tailsOf(c), s.keys.stream(c)},
		[]string{string(c), strconv.FormatUint(w.from, 10), to, strconv.Itoa(w.count), newest}).ToArray()
	if err != nil {
		return st, err
	}
	if len(values) != 3 {
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
	entries, err := values[2].ToArray()
	if err != nil {
		return st, err
	}
	st.changes = make([]chat.Change, len(entries))
	for i := range entries {
		if st.changes[i], err = parseEntry(c, &entries[i], tail.Epoch); err != nil {
			return st, err
		}
	}
	return st, nil
}

// parseEntry reads a change from its entry in a stream. One that cannot be read is damaged.
func parseEntry(c chat.Conversation, entry *rueidis.RedisMessage, epoch string) (ch chat.Change, err error) {
	e, err := entry.AsXRangeEntry()
	if err != nil {
		return ch, err
	}
	id, _, _ := strings.Cut(e.ID, "-")
	ch.Number, err = strconv.ParseUint(id, 10, 64)
	if err != nil {
		return ch, errReply
	}
	ch.Epoch = epoch
	tag, e1 := strconv.ParseUint(e.FieldValues["t"], 10, 32)
	ts, e2 := strconv.ParseInt(e.FieldValues["s"], 10, 64)
	m, e3 := parseRecord(e.FieldValues["m"])
	if e1 != nil || e2 != nil || e3 != nil {
		ch.Damaged = true
		return ch, nil
	}
	m.ServerTS = ts
	ch.Tag, ch.Seq, ch.ServerTS, ch.Message = uint32(tag), ch.Number, ts, m
	ch.ID = messageID(c, ch.Seq, ch.Tag)
	return ch, nil
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
