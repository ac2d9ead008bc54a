package redis

import (
	"strconv"
	"strings"

	"github.com/hawser-ws/hawser/chat"
)

// heard is a change with its message, in one allocation.
type heard struct {
	change  chat.Change
	message chat.Message
}

// hearChanges hears what encodeChanges and the script of appends tell. Every node hears every
// change of its conversations, so what this takes is most of what a node costs.
func (b *broker) hearChanges(text string) error {
	head, entries, _ := strings.Cut(text, "\n")
	name, head, _ := strings.Cut(head, " ")
	epoch, head, _ := strings.Cut(head, " ")
	tag, head, _ := strings.Cut(head, " ")
	first, head, _ := strings.Cut(head, " ")
	sizes, _, _ := strings.Cut(head, " ") // a later version may say more
	before, e1 := strconv.ParseUint(tag, 10, 32)
	number, e2 := strconv.ParseUint(first, 10, 64)
	if e1 != nil || e2 != nil {
		return errReply
	}
	nodes := b.all()
	parser := newEntryParser(chat.Conversation(name), epoch)
	for more := true; more; number++ {
		var size string
		size, sizes, more = strings.Cut(sizes, ",")
		n, err := strconv.Atoi(size)
		if err != nil || n < 0 || n > len(entries) {
			return errReply
		}
		one := new(heard)
		parser.parse(number, entries[:n], &one.change, &one.message)
		if one.change.Damaged {
			return errRecord
		}
		tag := one.change.Tag
		for i, node := range nodes {
			ch := &one.change
			if i < len(nodes)-1 { // each node has its own
				ch = new(chat.Change)
				*ch = one.change
			}
			node.bell.Offer(parser.c, ch, uint32(before))
		}
		entries, before = entries[n:], uint64(tag)
	}
	return nil
}
