package bolt

import (
	"encoding/binary"
	"errors"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/chat"
)

var errDamaged = errors.New("chat/bolt: a record is damaged")

// conversation is the value of a conversation. Its number is never 0, which stands
// for one that does not exist.
type conversation struct {
	number   uint64
	seq      uint64 // of the last message
	serverTS int64  // of the last message
}

func (c conversation) exists() bool { return c.number != 0 }

// tail is the end of a conversation. Every change is a message so far.
func (c conversation) tail(epoch string) chat.Tail {
	return chat.Tail{Seq: c.seq, Change: c.seq, ServerTS: c.serverTS, Epoch: epoch}
}

func (c conversation) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 24), c.number)
	b = binary.BigEndian.AppendUint64(b, c.seq)
	return binary.BigEndian.AppendUint64(b, uint64(c.serverTS))
}

// decodeConversation decodes nil as a conversation that does not exist.
func decodeConversation(b []byte) (c conversation, err error) {
	if b == nil {
		return c, nil
	}
	if len(b) != 24 {
		return c, errDamaged
	}
	c.number = binary.BigEndian.Uint64(b)
	c.seq = binary.BigEndian.Uint64(b[8:])
	c.serverTS = int64(binary.BigEndian.Uint64(b[16:]))
	if !c.exists() {
		return c, errDamaged
	}
	return c, nil
}

// messageKey is the key of message seq of a conversation.
func messageKey(number, seq uint64) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 16), number)
	return binary.BigEndian.AppendUint64(b, seq)
}

// A message's record: server_ts in 8 bytes, then five fields, each after its
// length as a uvarint.
func encodeMessage(m *chat.Message) []byte {
	n := 8 + 5*binary.MaxVarintLen32 + len(m.Sender) + len(m.SenderName) + len(m.Timestamp) + len(m.Content) + len(m.Metadata)
	b := binary.BigEndian.AppendUint64(make([]byte, 0, n), uint64(m.ServerTS))
	for _, field := range []string{m.Sender, m.SenderName, m.Timestamp, m.Content} {
		b = appendField(b, field)
	}
	b = binary.AppendUvarint(b, uint64(len(m.Metadata)))
	return append(b, m.Metadata...)
}

// decodeMessage copies everything out of b, which is valid within a transaction
// only.
func decodeMessage(b []byte) (m chat.Message, err error) {
	if m.ServerTS, err = recordTime(b); err != nil {
		return m, err
	}
	b = b[8:]
	var metadata string
	for _, field := range []*string{&m.Sender, &m.SenderName, &m.Timestamp, &m.Content, &metadata} {
		if *field, b, err = cutField(b); err != nil {
			return m, err
		}
	}
	if len(b) != 0 {
		return m, errDamaged
	}
	m.Metadata = []byte(metadata)
	return m, nil
}

// recordTime is the server_ts of a message's record.
func recordTime(b []byte) (int64, error) {
	if len(b) < 8 {
		return 0, errDamaged
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// A user's record: created in 8 bytes, then the name.
func encodeUser(u *chat.User) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(u.Created))
	return append(b, u.Name...)
}

func decodeUser(id string, b []byte) (chat.User, error) {
	if len(b) < 8 {
		return chat.User{}, errDamaged
	}
	return chat.User{ID: id, Name: string(b[8:]), Created: int64(binary.BigEndian.Uint64(b))}, nil
}

func appendField(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutField(b []byte) (s string, rest []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return "", nil, errDamaged
	}
	b = b[used:]
	return string(b[:n]), b[n:], nil
}

// parseID is the seq in id, if it is one of conversation number.
func parseID(id, epoch string, number uint64) (seq uint64, ok bool) {
	seq, err := strconv.ParseUint(id[strings.LastIndexByte(id, '-')+1:], 36, 64)
	// There is one way to write an id, and it is not to be guessed at.
	return seq, err == nil && chat.MessageID(epoch, number, seq) == id
}
