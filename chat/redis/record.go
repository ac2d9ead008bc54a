package redis

import (
	"encoding/binary"
	"errors"

	"github.com/hawser-ws/hawser/chat"
)

// A record is a message as the logs hold it: a version, then the sender, their name, the
// timestamp, the content and the metadata, each after its length. What a later version adds
// comes after that, and is left alone.
const recordVersion = 1

// appendEntry appends a change as a log has it: its tag, its time and its record ("<I4i6", and the
// rest).
func appendEntry(dst []byte, tag uint32, ts int64, m *chat.Message) []byte {
	return appendRecord(appendInt(appendUint(dst, uint64(tag), 4), ts, 6), m)
}

var errRecord = errors.New("chat/redis: a record is damaged")

func appendRecord(dst []byte, m *chat.Message) []byte {
	dst = append(dst, recordVersion)
	for _, s := range [...]string{m.Sender, m.SenderName, m.Timestamp, m.Content} {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.Metadata)))
	return append(dst, m.Metadata...)
}

// parseRecord reads a record into m, which keeps s.
func parseRecord(s string, m *chat.Message) error {
	if s == "" || s[0] < recordVersion {
		return errRecord
	}
	var metadata string
	rest := s[1:]
	for _, field := range [...]*string{&m.Sender, &m.SenderName, &m.Timestamp, &m.Content, &metadata} {
		n, size := uvarint(rest)
		if size <= 0 || n > uint64(len(rest)-size) {
			return errRecord
		}
		*field, rest = rest[size:size+int(n)], rest[size+int(n):]
	}
	m.Metadata = []byte(metadata)
	return nil
}

// uvarint is binary.Uvarint for a string.
func uvarint(s string) (n uint64, size int) {
	for i := 0; i < len(s) && i < binary.MaxVarintLen64; i++ {
		n |= uint64(s[i]&0x7f) << (7 * i)
		if s[i] < 0x80 {
			return n, i + 1
		}
	}
	return 0, 0
}
