package bolt

import (
	"encoding/binary"
	"fmt"

	"github.com/hawser-ws/hawser/chat"
)

// batches reads the changes that are not in the index yet.
func (c *checker) batches() {
	c.batched = make(map[uint64]entry)
	c.next = c.checkpoint + 1
	c.each(bucketBatches, func(k, v []byte) {
		b, err := openRecord(bucketBatches, k, v)
		if err != nil || len(k) != 8 {
			c.lose(fmt.Sprintf("what was written from record %x of the log on: the list of it is damaged", k))
			c.next = 0
			return
		}
		at := binary.BigEndian.Uint64(k)
		if at <= c.checkpoint { // to be deleted
			return
		}
		if c.next != 0 && at != c.next {
			c.lose(fmt.Sprintf("the lists of what was written from record %d to %d of the log are missing", c.next, at-1))
		}
		c.next = at
		for d := (decoder{b: b}); len(d.b) > 0; c.next++ {
			var e entry
			if e.decodeHead(&d); d.bad {
				c.lose(fmt.Sprintf("what was written from record %d of the log on: the list of it is damaged", c.next))
				c.next = 0
				return
			}
			c.batched[c.next] = e
			if e.kind == kindConversation && c.places[e.number] == nil {
				c.places[e.number] = &checked{place: place{conversation: conversation{number: e.number}}, name: chat.Conversation(e.name)}
			}
		}
	})
}

// log reads the messages. The changes of each conversation must come one by one.
func (c *checker) log() {
	c.each(bucketLog, func(k, v []byte) {
		if len(k) != 8 || binary.BigEndian.Uint64(k) <= c.position {
			c.lose(fmt.Sprintf("a record of the log has the key %x", k))
			return
		}
		at := binary.BigEndian.Uint64(k)
		c.position = at
		e, err := decodeEntry(k, v)
		if err != nil { // a gap in its conversation
			c.damaged++
			return
		}
		if b, ok := c.batched[at]; ok && (b.number != e.number || b.change != e.change || b.kind != e.kind) {
			c.lose(fmt.Sprintf("record %d of the log is not what was written there", at))
		}
		if e.kind == kindConversation {
			return
		}
		p := c.places[e.number]
		if p == nil {
			c.lose(fmt.Sprintf("message %d of conversation %d, which is missing", e.seq, e.number))
			return
		}
		if e.change <= p.change {
			c.lose(fmt.Sprintf("message %d of %s is there twice", e.seq, p.name))
			return
		}
		p.to(e.change - 1)
		p.change, p.positions = e.change, append(p.positions, at)
		c.contents.Messages++
	})
}

// afterBatches finds records of the log after the last list: then another list is missing.
func (c *checker) afterBatches() {
	if c.next != 0 && c.position >= c.next {
		c.lose(fmt.Sprintf("the lists of what was written from record %d to %d of the log are missing", c.next, c.position))
	}
}

// to notes that the changes up to n are lost.
func (p *checked) to(n uint64) {
	for ; p.change < n; p.change++ {
		p.positions = append(p.positions, 0)
	}
}

// index compares the blocks with the log.
func (c *checker) index() {
	c.each(bucketIndex, func(k, v []byte) {
		block, err := decodeBlock(k, v)
		if len(k) != 16 {
			c.lose(fmt.Sprintf("a block of the index has the key %x", k))
			return
		}
		number, n := binary.BigEndian.Uint64(k), binary.BigEndian.Uint64(k[8:])
		p := c.places[number]
		switch {
		case p == nil:
			c.lose(fmt.Sprintf("block %d of the index is of conversation %d, which is missing", n, number))
			return
		case n != c.indexed[number]:
			c.lose(fmt.Sprintf("messages %d to %d of %s cannot be found: their block of the index is missing", c.indexed[number]*blockSize+1, n*blockSize, p.name))
		case err != nil:
			c.lose(fmt.Sprintf("messages %d to %d of %s cannot be found: their block of the index is damaged", n*blockSize+1, (n+1)*blockSize, p.name))
		default:
			c.compare(p, n*blockSize, block)
		}
		c.indexed[number] = n + 1
	})
}

// compare compares positions of the changes after one with those in the log.
func (c *checker) compare(p *checked, after uint64, positions []uint64) {
	p.to(after + uint64(len(positions)))
	for i, at := range positions {
		if got := p.positions[after+uint64(i)]; got != 0 && got != at {
			c.lose(fmt.Sprintf("message %d of %s cannot be found: the index leads elsewhere", after+uint64(i)+1, p.name))
		}
	}
}

// ends compares the records of the conversations with the log, and reports the messages
// that are lost.
func (c *checker) ends() {
	for _, e := range c.batched { // the last ones may be lost
		if p := c.places[e.number]; p != nil && e.kind != kindConversation {
			p.to(e.change)
		}
	}
	found, private := 0, 0
	for number, p := range c.places {
		found++
		if a, b, ok := p.name.Users(); ok {
			private++
			if a != b {
				private++
			}
		}
		if p.stored {
			if blocks := p.place.change / blockSize; c.indexed[number] != blocks {
				c.lose(fmt.Sprintf("messages of %s cannot be found: the index has %d blocks of %d", p.name, c.indexed[number], blocks))
			}
			c.compare(p, p.place.change-p.place.change%blockSize, p.place.positions)
			p.to(p.place.change)
		}
		for i, at := range p.positions {
			if at == 0 {
				c.lost++
				c.lose(fmt.Sprintf("message %d of %s is damaged or missing", i+1, p.name))
			}
		}
		p.positions = nil
	}
	if c.damaged > c.lost {
		c.lose(fmt.Sprintf("%d records of the log are damaged, and it is not known what they were", c.damaged-c.lost))
	}
	if found != c.contents.Conversations {
		c.lose(fmt.Sprintf("%d conversations are there, of %d", found, c.contents.Conversations))
	}
	c.peers = private
	c.each(bucketPeers, func(k, v []byte) {
		if c.peers--; checkMark(bucketPeers, k, v) != nil {
			c.lose(fmt.Sprintf("that two people have a conversation: %q", k))
		}
	})
	if c.peers != 0 {
		c.lose("that some people have a conversation")
	}
}
