package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// A tail is stored as a version, change, seq, tag, ts, back and epoch ("<I1I6I6I4i6I6I1c0"), and
// perhaps more that a later version knows: a script that changes a tail keeps that. A later version that
// changes the rest has another number, and this one leaves such a tail alone. back is the last change
// whose time was before that of the one before it; 0 if there is none. The field "#" of the same hash
// is the epoch in which the partition's next conversation begins.
type tail struct {
	chat.Tail
	back uint64
}

const tailVersion = 1

func parseTail(s string) (t tail, err error) {
	p := packed{rest: s}
	version := p.uint(1)
	t.Change, t.Seq, t.Tag, t.ServerTS, t.back = p.uint(6), p.uint(6), uint32(p.uint(4)), p.int(6), p.uint(6)
	t.Epoch = p.text(int(p.uint(1)))
	if p.short || version != tailVersion {
		return tail{}, fmt.Errorf("chat/redis: %q is not a tail of version %d", s, tailVersion)
	}
	return t, nil
}

// tailOf reads a tail from what HMGET returned for "#" and the conversation. marked is false if
// the partition has no epoch yet.
func tailOf(epoch, stored *rueidis.RedisMessage) (t tail, marked bool, err error) {
	if !stored.IsNil() {
		s, err := stored.ToString()
		if err != nil {
			return t, true, err
		}
		t, err = parseTail(s)
		return t, true, err
	}
	if epoch.IsNil() {
		return t, false, nil
	}
	t.Epoch, err = epoch.ToString()
	return t, true, err
}

// mark gives a partition an epoch, if it has none, and returns it.
func (s *store) mark(ctx context.Context, partition int) (string, error) {
	fresh, err := s.newEpoch(ctx)
	if err != nil {
		return "", err
	}
	key := s.keys.tails(partition)
	results := s.client.DoMulti(ctx,
		s.client.B().Hsetnx().Key(key).Field("#").Value(fresh).Build(),
		s.client.B().Hget().Key(key).Field("#").Build())
	if err := results[0].Error(); err != nil {
		return "", err
	}
	return results[1].ToString()
}

// Tails implements doorbell.Source.
func (s *store) Tails(ctx context.Context, cs []chat.Conversation, each func(int, chat.Tail, error)) {
	s.tails(ctx, cs, func(i int, t tail, err error) { each(i, t.Tail, err) })
}

// tails reads the tails of conversations, those of a partition together.
func (s *store) tails(ctx context.Context, cs []chat.Conversation, each func(int, tail, error)) {
	if err := ctx.Err(); err != nil {
		for i := range cs {
			each(i, tail{}, err)
		}
		return
	}
	groups := groupBy(cs, func(c chat.Conversation) int { return partition(string(c)) })
	for some := range slices.Chunk(groups, maxCommands) {
		s.tailsOf(ctx, cs, some, each)
	}
}

// maxCommands is how many commands go in one pipeline, so that others get their turn.
const maxCommands = 256

func (s *store) tailsOf(ctx context.Context, cs []chat.Conversation, groups []group, each func(int, tail, error)) {
	results := s.client.DoMulti(ctx, s.tailCommands(cs, groups)...)
	for try := 0; try < maxBroken && slices.ContainsFunc(results, brokenResult); try++ {
		results = s.client.DoMulti(ctx, s.tailCommands(cs, groups)...)
	}
	for g, result := range results {
		group := groups[g]
		values, err := result.ToArray()
		epoch := ""
		if err == nil && values[0].IsNil() {
			epoch, err = s.mark(ctx, group.partition)
		}
		for j, i := range group.members {
			if err != nil {
				each(i, tail{}, err)
				continue
			}
			t, marked, err := tailOf(&values[0], &values[j+1])
			if !marked {
				t.Epoch = epoch
			}
			each(i, t, err)
		}
	}
}

func (s *store) tailCommands(cs []chat.Conversation, groups []group) rueidis.Commands {
	cmds := make(rueidis.Commands, len(groups))
	for g, group := range groups {
		cmd := s.client.B().Hmget().Key(s.keys.tails(group.partition)).Field("#")
		for _, i := range group.members {
			cmd = cmd.Field(string(cs[i]))
		}
		cmds[g] = cmd.Build()
	}
	return cmds
}

// group is what falls into one partition, by index.
type group struct {
	partition int
	members   []int
}

// groupBy groups things by their partition, in the order of the first of each.
func groupBy[T any](all []T, partition func(T) int) (groups []group) {
	if len(all) == 1 {
		return []group{{partition(all[0]), []int{0}}}
	}
	at := make(map[int]int)
	for i, one := range all {
		p := partition(one)
		g, ok := at[p]
		if !ok {
			g = len(groups)
			at[p] = g
			groups = append(groups, group{partition: p})
		}
		groups[g].members = append(groups[g].members, i)
	}
	return groups
}

// tail reads one tail.
func (s *store) tail(ctx context.Context, c chat.Conversation) (t tail, err error) {
	s.tails(ctx, []chat.Conversation{c}, func(_ int, one tail, e error) { t, err = one, e })
	return t, err
}

// Tail implements chat.Log.
func (s *store) Tail(ctx context.Context, c chat.Conversation) (chat.Tail, error) {
	t, err := s.tail(ctx, c)
	return t.Tail, err
}

// Later implements doorbell.Source.
func (s *store) Later(epoch, other string) bool { return later(epoch, other) }

// Check implements doorbell.Source. The epoch that it returns is as safe as all that people see:
// otherwise the next failover could lose it, and some would have heard of it.
func (s *store) Check(ctx context.Context, c chat.Conversation, at chat.Tail) (chat.Tail, error) {
	values, err := s.keep(ctx, checkScript, []string{s.keys.tailsOf(c), s.keys.log(c)},
		[]string{string(c), strconv.FormatUint(at.Change, 10), strconv.FormatUint(uint64(at.Tag), 10), at.Epoch, epochSalt()}).ToArray()
	if err != nil {
		return chat.Tail{}, err
	}
	if len(values) < 2 {
		return chat.Tail{}, errReply
	}
	t, _, err := tailOf(&values[0], &values[1])
	return t.Tail, err
}
