package redis

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// What one call of the script may contain: Redis does nothing else meanwhile.
const (
	maxCallConversations = 8
	maxCallEntries       = 64
	maxCallBytes         = 256 << 10
)

// published is a change as it is told to nodes, with the tag of the change before it.
type published struct {
	change *chat.Change
	before uint32
}

// batch is the entries of one conversation that are stored by one call, perhaps with those of others.
type batch struct {
	c       chat.Conversation
	entries []int // indices of Append's
	bytes   int
	call    call     // what is in it of this conversation
	tags    []uint32 // of the entries
	early   error    // why it cannot be stored
}

// Append implements chat.Log. The batches of a round are of different conversations, and go in one
// pipeline; what of a conversation is too much for one call goes in the next round.
func (s *store) Append(ctx context.Context, entries []chat.Entry, done func(int, chat.Result)) {
	ctx, cancel := s.client.limit(ctx)
	defer cancel()
	rounds := s.rounds(entries)
	for n, batches := range rounds {
		if err := ctx.Err(); err != nil {
			refuse(rounds[n:], err, done)
			return
		}
		for _, b := range batches {
			b.early = s.refuses(s.keys.log(b.c))
		}
		s.hint(ctx, batches)
		s.store(ctx, batches, entries, done)
	}
}

// addressOf is the server of a key; "" where it is not a cluster.
func (s *store) addressOf(key string) string {
	if s.owners == nil {
		return ""
	}
	return s.owners.of(key)
}

// refuses is why nothing may be stored at the moment at the server of a key.
func (s *store) refuses(key string) error {
	if !s.cfg.Ack.Disk {
		return nil
	}
	address := s.addressOf(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.standingOf(address).unsafe
}

func refuse(rounds [][]*batch, err error, done func(int, chat.Result)) {
	for _, batches := range rounds {
		for _, b := range batches {
			for _, i := range b.entries {
				done(i, chat.Result{Err: err})
			}
		}
	}
}

// rounds divides entries into batches.
func (s *store) rounds(entries []chat.Entry) (rounds [][]*batch) {
	type at struct {
		round int
		last  *batch
	}
	open := make(map[chat.Conversation]*at)
	for i := range entries {
		c, m := entries[i].Conversation, entries[i].Message
		size := len(m.Content) + len(m.Metadata) + 256
		o := open[c]
		switch {
		case o == nil:
			o = &at{round: -1}
			open[c] = o
			fallthrough
		case len(o.last.entries) == maxCallEntries || o.last.bytes+size > maxCallBytes:
			o.round++
			o.last = &batch{c: c}
			if o.round == len(rounds) {
				rounds = append(rounds, nil)
			}
			rounds[o.round] = append(rounds[o.round], o.last)
		}
		o.last.bytes += size
		o.last.entries = append(o.last.entries, i)
	}
	return rounds
}

// prepare makes a batch's part of its call.
func (s *store) prepare(b *batch, entries []chat.Entry) {
	now, at := s.Now(), s.position(b.c)
	head := appendInt(appendUint(nil, uint64(len(b.entries)), 1), now, 6)
	head = appendUint(appendUint(head, at.Change, 6), uint64(at.Tag), 4)
	head = append(append(head, epochSalt()...), at.Epoch...)
	log := s.keys.log(b.c)
	b.call.keys = append(make([]string, 0, 2+len(b.entries)), s.keys.tailsOf(b.c), log)
	b.call.args = append(make([]string, 0, 2+len(b.entries)), string(b.c), string(head))
	b.tags = make([]uint32, len(b.entries))
	var entry []byte
	for k, i := range b.entries {
		m, ref := entries[i].Message, log
		if m.Ref != "" {
			ref = s.keys.ref(b.c, m.Sender, m.Ref)
		}
		b.tags[k] = rand.Uint32() | 1
		entry = appendEntry(entry[:0], b.tags[k], now, m)
		b.call.keys, b.call.args = append(b.call.keys, ref), append(b.call.args, string(entry))
	}
}

// store stores batches of different conversations.
func (s *store) store(ctx context.Context, batches []*batch, entries []chat.Entry, done func(int, chat.Result)) {
	pending := make([]*batch, 0, len(batches))
	for _, b := range batches {
		if b.early != nil {
			refuse([][]*batch{{b}}, b.early, done)
			continue
		}
		s.prepare(b, entries)
		pending = append(pending, b)
	}
	together := s.together(pending)
	calls := make([]call, len(together))
	for k, some := range together {
		for _, b := range some {
			calls[k].keys, calls[k].args = append(calls[k].keys, b.call.keys...), append(calls[k].args, b.call.args...)
		}
	}
	s.commit(ctx, work{s.append, acknowledged}, calls, func(k int, r rueidis.RedisResult, err error) {
		s.finishCall(together[k], r, err, entries, done)
	})
}

// together divides batches into those of a call: to begin a script takes a third as long as what
// it does with an entry. In a cluster, what a call touches must be in one slot.
func (s *store) together(batches []*batch) (calls [][]*batch) {
	type last struct{ call, entries, bytes int }
	open := make(map[int]*last)
	for _, b := range batches {
		slot := 0
		if s.owners != nil {
			slot = partition(string(b.c))
		}
		o := open[slot]
		if o == nil || len(calls[o.call]) == maxCallConversations || o.entries+len(b.entries) > maxCallEntries || o.bytes+b.bytes > maxCallBytes {
			o = &last{call: len(calls)}
			open[slot], calls = o, append(calls, nil)
		}
		calls[o.call] = append(calls[o.call], b)
		o.entries, o.bytes = o.entries+len(b.entries), o.bytes+b.bytes
	}
	return calls
}

// finishCall tells the results of batches that were in one call.
func (s *store) finishCall(some []*batch, r rueidis.RedisResult, err error, entries []chat.Entry, done func(int, chat.Result)) {
	replies, failed := r.ToArray()
	if failed == nil && len(replies) != len(some) {
		failed = errReply
	}
	for i, b := range some {
		text, of := "", failed
		if of == nil {
			text, of = replies[i].ToString()
		}
		s.finish(b, text, of, cmp.Or(of, err), entries, done)
	}
}

// errEarlier says that the store has lost the epoch of a conversation while something was appended.
// The next attempt tells in which one that is.
var errEarlier = fmt.Errorf("%w: the store has lost its last changes", chat.ErrOutcomeUnknown)

// finish tells the results of a batch. What must be at replicas is told to nodes only now, as
// nobody must see what a failover may lose.
//
// failed is why there is no reply; err is that, or why what was stored is not safe.
func (s *store) finish(b *batch, reply string, failed, err error, entries []chat.Entry, done func(int, chat.Result)) {
	var results []chat.Result
	var news []published
	if err == nil {
		results, news, err = b.results(reply, entries)
	}
	if err == nil && !s.result(b.c, newest(results), func() {
		for k, i := range b.entries {
			done(i, results[k])
		}
	}) {
		err = errEarlier
	}
	if err != nil {
		s.forgetHint(b.c)
		for _, i := range b.entries {
			done(i, chat.Result{Err: written(err)})
		}
		if failed == nil {
			s.ring(b.c)
		}
		return
	}
	if len(news) > 0 {
		s.list(b.c, news[len(news)-1].change)
		s.appended(b.c, news)
	}
	if len(news) < len(results) { // the node that stored the others may not have told of them
		s.ring(b.c)
	}
}

// newest is the last change in results.
func newest(results []chat.Result) (t chat.Tail) {
	for i := range results {
		if ch := &results[i].Change; ch.Number > t.Change {
			t = chat.Tail{Seq: ch.Seq, Change: ch.Number, Tag: ch.Tag, ServerTS: ch.ServerTS, Epoch: ch.Epoch}
		}
	}
	return t
}

// results reads the reply of the script.
func (b *batch) results(reply string, entries []chat.Entry) (results []chat.Result, news []published, err error) {
	p := packed{rest: reply}
	next := chat.Change{Number: p.uint(6), Seq: p.uint(6)}
	before := uint32(p.uint(4))
	next.ServerTS = p.int(6)
	next.Epoch = p.text(int(p.uint(1)))
	earlier := b.earlier(&p)
	if p.short {
		return nil, nil, errReply
	}
	for k, i := range b.entries {
		if ch, ok := earlier[k]; ok {
			ch.Epoch, ch.ID = next.Epoch, messageID(b.c, ch.Seq, ch.Tag)
			results = append(results, chat.Result{Change: ch, Duplicate: true})
			continue
		}
		ch := next
		ch.Tag = b.tags[k]
		ch.ID = messageID(b.c, ch.Seq, ch.Tag)
		ch.Message = entries[i].Message
		ch.Message.ServerTS = ch.ServerTS
		results = append(results, chat.Result{Change: ch})
		news = append(news, published{&ch, before})
		next.Number, next.Seq, before = ch.Number+1, ch.Seq+1, ch.Tag
	}
	return results, news, nil
}

// earlier reads the changes of those entries that had been stored before.
func (b *batch) earlier(p *packed) map[int]chat.Change {
	var all map[int]chat.Change
	for p.rest != "" {
		k := int(p.uint(1))
		ref := packed{rest: p.text(int(p.uint(1)))}
		ch := chat.Change{Number: ref.uint(6), Seq: ref.uint(6), Tag: uint32(ref.uint(4)), ServerTS: ref.int(6)}
		p.short = p.short || ref.short || k >= len(b.entries)
		if all == nil {
			all = make(map[int]chat.Change)
		}
		all[k] = ch
	}
	return all
}

// messageID is made of the conversation, the seq and the tag: so two messages that got the same
// seq, because Redis lost the first, have different ones.
func messageID(c chat.Conversation, seq uint64, tag uint32) string {
	return messageIDIn(conversationID(c), seq, tag)
}

// messageIDIn is messageID for a conversation whose conversationID is known.
func messageIDIn(conversation string, seq uint64, tag uint32) string {
	var buf [48]byte // enough
	id := append(append(buf[:0], conversation...), '-')
	id = append(strconv.AppendUint(id, seq, 36), '-')
	return string(strconv.AppendUint(id, uint64(tag), 36))
}
