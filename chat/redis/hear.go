package redis

import "github.com/hawser-ws/hawser/chat"

// heard is a change with its message, in one allocation.
type heard struct {
	change  chat.Change
	message chat.Message
}

// hearChanges hears what encodeChanges and the script of appends tell. Every node hears every
// change of its conversations, so what this takes is most of what a node costs.
func (b *broker) hearChanges(text string) error {
	p := packed{rest: text}
	c := chat.Conversation(p.text(int(p.uint(2))))
	epoch := p.text(int(p.uint(1)))
	before, number, count := uint32(p.uint(4)), p.uint(6), int(p.uint(1))
	sizes := packed{rest: p.text(4 * count)} // a later version may say more after the entries
	nodes := b.all()
	parser := newEntryParser(c, epoch)
	for range count {
		entry := p.text(int(sizes.uint(4)))
		if p.short {
			return errReply
		}
		one := new(heard)
		parser.parse(number, entry, &one.change, &one.message)
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
			node.bell.Offer(parser.c, ch, before)
		}
		before, number = tag, number+1
	}
	if p.short {
		return errReply
	}
	return nil
}
