package bolt

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"github.com/hawser-ws/hawser/chat"
)

// An undamaged file of format 1 says in three ways how long a conversation is: by its record,
// by the key of its last message, and by the number of messages. If they disagree, one of them
// is damaged:
//
//	a message is not under its key   what is there instead is not taken for it
//	the record says too few          keys that follow each other are believed
//	the record says too many         a few are believed to be lost, or more where pages are;
//	                                 otherwise the keys are believed, and a new epoch begins
//	the record's number is wrong     messages without a record and a record without messages
//	                                 belong together if they end at the same message

var oldMessages = []byte("messages")

// oldRecord is the record of a conversation.
type oldRecord struct {
	name     chat.Conversation
	number   uint64
	seq      uint64
	serverTS int64
}

// oldThread is a conversation, up to the message that was read last.
type oldThread struct {
	place
	start   uint64 // position before the first message
	end     uint64 // the last seq according to its record; 0: it has none
	skip    bool   // there can be no conversation of this number
	whole   bool   // the last message is
	count   uint64 // messages
	doubted uint64 // the seq of a message that was not believed
}

// oldMessageSize is the size that a message takes in a page at least.
const oldMessageSize = elementSize + 16 + 8 + 5

// conversations writes all of them, with their messages.
func (m *migration) conversations() error {
	count, before := uint64(0), m.losses
	m.each(bucketConversations, func(e element) error {
		count++
		m.readRecord(e)
		return nil
	})
	said := m.buckets[string(bucketConversations)].sequence // numbers are given one by one
	sequence := max(said, count)
	m.each(oldMessages, func(e element) error {
		if len(e.key) != 16 {
			m.lose(fmt.Sprintf("a message, whose key is %x", e.key))
			return nil
		}
		return m.message(binary.BigEndian.Uint64(e.key), binary.BigEndian.Uint64(e.key[8:]), e.value, sequence)
	})
	if m.err != nil {
		return m.err
	}
	if err := m.finish(); err != nil {
		return err
	}
	if err := m.match(sequence); err != nil {
		return err
	}
	said = max(said, m.highest)
	if m.losses == before && m.placed == m.highest && said != m.highest {
		m.lose(fmt.Sprintf("how many conversations there are: the file says %d, and all of %d are there", said, m.highest))
		said = m.highest
	} else if m.losses == before && m.placed != said {
		m.lose(fmt.Sprintf("%d conversations are there, of %d", m.placed, said))
	}
	return m.tx.Bucket(bucketConversations).SetSequence(said)
}

func (m *migration) readRecord(e element) {
	r := &oldRecord{name: chat.Conversation(e.key)}
	_, room := r.name.Room()
	_, _, private := r.name.Users()
	if len(e.value) != 24 || !room && !private || !utf8.Valid(e.key) {
		m.lose(fmt.Sprintf("the conversation %q: its record is damaged", e.key))
		return
	}
	r.number, r.seq, r.serverTS = binary.BigEndian.Uint64(e.value), binary.BigEndian.Uint64(e.value[8:]), int64(binary.BigEndian.Uint64(e.value[16:]))
	m.records[r.number] = append(m.records[r.number], r)
}

// message handles the next record of the old bucket. sequence is the highest number that a
// conversation has.
func (m *migration) message(number, seq uint64, record []byte, sequence uint64) error {
	if m.current == nil || number > m.current.number {
		if err := m.finish(); err != nil {
			return err
		}
		t := &oldThread{start: m.position}
		t.number = number
		for _, r := range m.records[number] {
			t.end = max(t.end, r.seq)
		}
		t.skip = number == 0 || number > sequence && t.end == 0
		m.current = t
	}
	t := m.current
	switch {
	case t.skip:
		m.lose(fmt.Sprintf("message %d of conversation %d, which there was never", seq, number))
		return nil
	case number < t.number || seq <= t.change:
		m.lose(fmt.Sprintf("a message under the key of message %d of conversation %d, which is out of order", seq, number))
		return nil
	case !m.follows(t, seq):
		t.doubted = seq
		m.lose(fmt.Sprintf("a message under the key of message %d of conversation %d, which goes up to %d", seq, number, max(t.end, t.change)))
		return nil
	}
	for t.change < seq-1 {
		if err := m.hole(t); err != nil {
			return err
		}
	}
	message, err := decodeOldMessage(record)
	if err != nil {
		return m.hole(t)
	}
	if err := m.next(t); err != nil {
		return err
	}
	m.stored++
	t.count++
	t.whole, t.serverTS = true, message.ServerTS
	key := numberKey(m.position)
	e := entry{kind: kindMessage, number: number, change: seq, seq: seq, tag: t.tag, serverTS: message.ServerTS, message: message}
	return m.put(bucketLog, key, e.encode(key), 1)
}

// follows reports whether a message may be the next surviving one.
func (m *migration) follows(t *oldThread, seq uint64) bool {
	switch lost := seq - t.change - 1; {
	case lost == 0:
		return true
	case lost > m.room():
		return false
	case seq <= t.end, m.broken > 0, seq == t.doubted+1:
		return true
	default:
		return t.end == 0 && lost <= m.likely()
	}
}

// room is how many messages the old file has room for.
func (m *migration) room() uint64 {
	return m.pages.meta.high * uint64(m.pages.size) / oldMessageSize
}

// likely is how many messages may be lost in one place: those of a page if its length is
// wrong, or any number if pages are lost.
func (m *migration) likely() uint64 {
	if m.broken > 0 {
		return m.room()
	}
	return uint64(m.pages.size) / oldMessageSize
}

// hole leaves out the next message, which is lost.
func (m *migration) hole(t *oldThread) error {
	t.whole = false
	return m.next(t)
}

// next makes room in the log for the next message.
func (m *migration) next(t *oldThread) error {
	m.position++
	t.change++
	t.seq, t.tag = t.change, rand.Uint32()
	t.positions = append(t.positions, m.position)
	if len(t.positions) < blockSize {
		return nil
	}
	key := pairKey(t.number, t.change/blockSize-1)
	block := encodeBlock(key, t.positions)
	t.positions = t.positions[:0]
	return m.put(bucketIndex, key, block, 0.9)
}

// finish ends the current conversation.
func (m *migration) finish() error {
	t := m.current
	if t == nil || t.skip {
		return nil
	}
	records := m.records[t.number]
	if len(records) == 0 {
		m.unnamed = append(m.unnamed, t)
		m.starts[t.number], m.ends[t.number] = t.start, t.change
		return nil
	}
	i := max(0, slices.IndexFunc(records, t.endsAs))
	r := records[i]
	m.left = append(m.left, slices.Delete(slices.Clone(records), i, i+1)...)
	delete(m.records, t.number)
	return m.end(t, r)
}

// endsAs reports whether a record agrees with the messages.
func (t *oldThread) endsAs(r *oldRecord) bool {
	return t.whole && r.seq == t.change && r.serverTS == t.serverTS
}

// end writes the record of a conversation.
func (m *migration) end(t *oldThread, r *oldRecord) error {
	had := t.change
	if r.seq > had && r.seq-had <= m.likely() {
		for t.change < r.seq {
			if err := m.hole(t); err != nil {
				return err
			}
		}
	}
	if r.seq != t.change {
		m.lose(fmt.Sprintf("how many messages %s has: its record says %d, and there are %d", r.name, r.seq, t.change))
		m.newEpoch = m.newEpoch || r.seq > t.change
	} else if t.whole && t.serverTS != r.serverTS {
		m.lose(fmt.Sprintf("when the last message of %s was stored", r.name))
	}
	if !t.whole {
		t.serverTS = max(t.serverTS, r.serverTS)
	}
	m.placed++
	m.highest = max(m.highest, t.number)
	m.starts[t.number], m.ends[t.number] = t.start, t.change
	if err := putPeers(m.tx, r.name); err != nil {
		return err
	}
	return m.put(bucketConversations, []byte(r.name), t.encode(r.name), 0.7)
}

// match pairs the records without messages with the messages without a record.
func (m *migration) match(sequence uint64) error {
	for _, records := range m.records {
		m.left = append(m.left, records...)
	}
	slices.SortFunc(m.left, func(a, b *oldRecord) int { return cmp.Compare(a.name, b.name) })
	for _, r := range m.left {
		i := slices.IndexFunc(m.unnamed, func(t *oldThread) bool { return t.endsAs(r) })
		var t *oldThread
		_, taken := m.ends[r.number]
		switch {
		case i >= 0:
			t = m.unnamed[i]
			m.unnamed = slices.Delete(m.unnamed, i, i+1)
			m.lose(fmt.Sprintf("the number of %s: its record says %d, and it is %d", r.name, r.number, t.number))
		case m.broken > 0 && !taken && r.number > 0 && r.number <= sequence && r.seq <= m.room():
			t = &oldThread{start: m.position} // all of its messages are lost
			t.number = r.number
		default:
			m.lose(fmt.Sprintf("the conversation %s: its record is damaged", r.name))
			continue
		}
		if err := m.end(t, r); err != nil {
			return err
		}
	}
	for _, t := range m.unnamed {
		m.nameless += t.count
		m.lose(fmt.Sprintf("the record of conversation %d, which has %d messages", t.number, t.count))
	}
	return nil
}

// decodeOldMessage decodes a record. Without a checksum, damage shows only where a text is
// invalid.
func decodeOldMessage(b []byte) (m chat.Message, err error) {
	d := decoder{b: b}
	if ts := d.bytes(8); ts != nil {
		m.ServerTS = int64(binary.BigEndian.Uint64(ts))
	}
	m.Sender, m.SenderName, m.Timestamp, m.Content = d.field(), d.field(), d.field(), d.field()
	m.Metadata = []byte(d.field())
	if err := d.end(); err != nil {
		return m, err
	}
	for _, text := range []string{m.Sender, m.SenderName, m.Timestamp, m.Content, string(m.Metadata)} {
		if !utf8.ValidString(text) {
			return m, errDamaged
		}
	}
	isNumber := json.Valid([]byte(m.Timestamp)) && (m.Timestamp[0] == '-' || m.Timestamp[0] >= '0' && m.Timestamp[0] <= '9')
	isObject := json.Valid(m.Metadata) && m.Metadata[0] == '{'
	if !isNumber || !isObject || m.ServerTS < 0 {
		return m, errDamaged
	}
	return m, nil
}

// newestMigrated is the server_ts of the newest message, as long as none has been stored since
// a migration, which wrote the log one conversation after the other. A time in the future
// comes from a clock that was wrong.
func newestMigrated(tx *bbolt.Tx, now time.Time) (ts int64) {
	c := tx.Bucket(bucketConversations).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if p, err := decodePlace(k, v); err == nil && p.serverTS <= now.Add(time.Minute).UnixMilli() {
			ts = max(ts, p.serverTS)
		}
	}
	return ts
}
