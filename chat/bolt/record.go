package bolt

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/chat"
)

// Every value begins with a checksum of 4 bytes: CRC-32C of the bucket's name, the key and
// the rest of the value. So a record under the wrong key does not pass either. Numbers are
// uvarints unless stated otherwise.

var errDamaged = errors.New("chat/bolt: a record is damaged")

const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(bucket, key, rest []byte) uint32 {
	return crc32.Update(crc32.Update(crc32.Checksum(bucket, castagnoli), castagnoli, key), castagnoli, rest)
}

// newRecord makes room for a record; append its value, then call sealed, which sets the
// checksum.
func newRecord(size int) []byte { return make([]byte, checksumSize, checksumSize+size) }

func sealed(bucket, key, record []byte) []byte {
	binary.BigEndian.PutUint32(record, checksum(bucket, key, record[checksumSize:]))
	return record
}

// openRecord is what a record holds, after its checksum.
func openRecord(bucket, key, record []byte) ([]byte, error) {
	if len(record) < checksumSize || binary.BigEndian.Uint32(record) != checksum(bucket, key, record[checksumSize:]) {
		return nil, errDamaged
	}
	return record[checksumSize:], nil
}

// numberKey is the key of a number, in the order of numbers.
func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// pairKey is the key of two numbers.
func pairKey(a, b uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(make([]byte, 0, 16), a), b)
}

// decoder reads what a record holds. After the first missing value, all values are zero
// and bad is set.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.b, d.bad = nil, true
		return nil
	}
	p := d.b[:n]
	d.b = d.b[n:]
	return p
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	if b := d.bytes(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) field() string { return string(d.bytes(d.uvarint())) }

// end is the error of the record, which must have been read completely.
func (d *decoder) end() error {
	if d.bad || len(d.b) != 0 {
		return errDamaged
	}
	return nil
}

// conversation is the end of a conversation. Its number is never 0, which stands for one
// that does not exist.
type conversation struct {
	number   uint64
	seq      uint64 // of the last message
	change   uint64 // number of the last change
	tag      uint32 // of the last change
	serverTS int64  // of the last message
}

func (c conversation) exists() bool { return c.number != 0 }

func (c conversation) tail(epoch string) chat.Tail {
	return chat.Tail{Seq: c.seq, Change: c.change, Tag: c.tag, ServerTS: c.serverTS, Epoch: epoch}
}

// blockSize is how many changes of a conversation have their positions in one block of the
// index.
const blockSize = 64

// place is a conversation, and where its last changes are: those that do not fill a block
// yet.
type place struct {
	conversation
	positions []uint64
}

// first is the number of the change whose position is the first.
func (p *place) first() uint64 { return p.change - p.change%blockSize + 1 }

func (p *place) encode(name chat.Conversation) []byte {
	b := newRecord(40 + 4*len(p.positions))
	for _, n := range []uint64{p.number, p.seq, p.change, uint64(p.serverTS)} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.BigEndian.AppendUint32(b, p.tag)
	return sealed(bucketConversations, []byte(name), appendPositions(b, p.positions))
}

// decodePlace decodes nil as a conversation that does not exist.
func decodePlace(name []byte, record []byte) (p place, err error) {
	if record == nil {
		return p, nil
	}
	b, err := openRecord(bucketConversations, name, record)
	if err != nil {
		return p, err
	}
	d := decoder{b: b}
	p.number, p.seq, p.change, p.serverTS = d.uvarint(), d.uvarint(), d.uvarint(), int64(d.uvarint())
	p.tag = d.uint32()
	p.positions = d.positions(int(p.change % blockSize))
	if !p.exists() || d.end() != nil {
		return place{}, errDamaged
	}
	return p, nil
}

// Positions ascend: each is written as the difference from the previous one.
func appendPositions(b []byte, positions []uint64) []byte {
	before := uint64(0)
	for _, at := range positions {
		b = binary.AppendUvarint(b, at-before)
		before = at
	}
	return b
}

func (d *decoder) positions(n int) []uint64 {
	if n > len(d.b) {
		d.b, d.bad = nil, true
		return nil
	}
	positions := make([]uint64, 0, n)
	before := uint64(0)
	for range n {
		before += d.uvarint()
		positions = append(positions, before)
	}
	return positions
}

// encodeBlock is block n of the index of a conversation: the positions of the changes from
// n*blockSize + 1 on.
func encodeBlock(key []byte, positions []uint64) []byte {
	return sealed(bucketIndex, key, appendPositions(newRecord(4*blockSize), positions))
}

func decodeBlock(key, record []byte) ([]uint64, error) {
	b, err := openRecord(bucketIndex, key, record)
	if err != nil {
		return nil, err
	}
	d := decoder{b: b}
	positions := d.positions(blockSize)
	return positions, d.end()
}

// A record of the log begins with its kind, in the low bits, and flags.
const (
	kindConversation = 1 // a conversation was made: its number, and its name
	kindMessage      = 2
	kindMask         = 0x0F

	flagRef        = 0x10 // a message has a ref
	flagNoMetadata = 0x20 // its metadata are {}
)

// noMetadata is the metadata of most messages.
const noMetadata = "{}"

// entry is a record of the log.
type entry struct {
	kind   byte
	number uint64 // of the conversation

	name string // of the conversation, for kindConversation

	// For changes.
	change, seq uint64
	tag         uint32
	serverTS    int64
	ref         refHash // zero: none

	message chat.Message // for kindMessage
}

func (e *entry) encode(key []byte) []byte {
	m := &e.message
	b := newRecord(64 + len(e.name) + len(m.Sender) + len(m.SenderName) + len(m.Timestamp) + len(m.Content) + len(m.Metadata))
	b = e.appendHead(b)
	if e.kind == kindMessage {
		b = appendField(appendField(appendField(b, m.Sender), m.SenderName), m.Timestamp)
		if string(m.Metadata) != noMetadata {
			b = binary.AppendUvarint(b, uint64(len(m.Metadata)))
			b = append(b, m.Metadata...)
		}
		b = append(b, m.Content...)
	}
	return sealed(bucketLog, key, b)
}

// appendHead appends everything except the message.
func (e *entry) appendHead(b []byte) []byte {
	head := e.kind
	if e.ref != (refHash{}) {
		head |= flagRef
	}
	if string(e.message.Metadata) == noMetadata {
		head |= flagNoMetadata
	}
	b = binary.AppendUvarint(append(b, head), e.number)
	if e.kind == kindConversation {
		return appendField(b, e.name)
	}
	// As long as there are only messages, the change's number is the seq.
	for _, n := range []uint64{e.change, e.change - e.seq, uint64(e.serverTS)} {
		b = binary.AppendUvarint(b, n)
	}
	b = binary.BigEndian.AppendUint32(b, e.tag)
	if head&flagRef != 0 {
		b = append(b, e.ref[:]...)
	}
	return b
}

// decodeEntry copies everything out of the record, which is valid within a transaction
// only.
func decodeEntry(key, record []byte) (e entry, err error) {
	b, err := openRecord(bucketLog, key, record)
	if err != nil {
		return e, err
	}
	d := decoder{b: b}
	flags := e.decodeHead(&d)
	if e.kind == kindMessage {
		e.decodeMessage(&d, flags)
	}
	return e, d.end()
}

// decodeMessage decodes what follows the head. All strings share one copy.
func (e *entry) decodeMessage(d *decoder, flags byte) {
	m := &e.message
	all := string(d.b)
	cut := func() string {
		field := d.bytes(d.uvarint())
		end := len(all) - len(d.b)
		return all[end-len(field) : end]
	}
	m.ServerTS = e.serverTS
	m.Sender, m.SenderName, m.Timestamp = cut(), cut(), cut()
	m.Metadata = []byte(noMetadata)
	if flags&flagNoMetadata == 0 {
		m.Metadata = []byte(cut())
	}
	m.Content = all[len(all)-len(d.b):]
	d.b = nil
}

// decodeHead decodes what appendHead has appended.
func (e *entry) decodeHead(d *decoder) (flags byte) {
	head := d.bytes(1)
	if head == nil {
		return 0
	}
	e.kind, e.number = head[0]&kindMask, d.uvarint()
	switch e.kind {
	case kindConversation:
		e.name = d.field()
	case kindMessage:
		e.change = d.uvarint()
		e.seq = e.change - d.uvarint()
		e.serverTS = int64(d.uvarint())
		e.tag = d.uint32()
		if head[0]&flagRef != 0 {
			copy(e.ref[:], d.bytes(refSize))
		}
	default:
		d.b, d.bad = nil, true // a newer program would have written another format
	}
	return head[0]
}

// decodeHeadOf decodes a record of the log except the message.
func decodeHeadOf(key, record []byte) (e entry, err error) {
	b, err := openRecord(bucketLog, key, record)
	if err != nil {
		return e, err
	}
	d := decoder{b: b}
	e.decodeHead(&d)
	if d.bad {
		return e, errDamaged
	}
	return e, nil
}

// mark is the record for a key that needs no value.
func mark(bucket, key []byte) []byte { return sealed(bucket, key, newRecord(0)) }

func checkMark(bucket, key, record []byte) error {
	b, err := openRecord(bucket, key, record)
	if err == nil && len(b) != 0 {
		err = errDamaged
	}
	return err
}

func appendField(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// parseID is the seq in id, if it is one of conversation number.
func parseID(id, epoch string, number uint64) (seq uint64, ok bool) {
	seq, err := strconv.ParseUint(id[strings.LastIndexByte(id, '-')+1:], 36, 64)
	// There is only one way to write an id.
	return seq, err == nil && chat.MessageID(epoch, number, seq) == id
}
