package redis

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/doorbell"
)

// hintLife is how long a hint leads a node to a conversation: longer than an append may take
// after its hint was put, which is hintAgain and the time of one call.
const (
	hintLife  = 30 * time.Second
	hintAgain = 10 * time.Second
)

// hintKey is a conversation and one of its people.
type hintKey struct {
	c    chat.Conversation
	user string
}

// hint puts hints for the private conversations among batches, before they are stored: they and
// the people's lists are in different slots. Where that fails, nothing is stored. What has a hint
// that is so recent that nodes watch the conversation anyway needs no other, unless a failover may
// have lost it.
func (s *store) hint(ctx context.Context, batches []*batch) {
	now := time.Now()
	need := make(map[chat.Conversation]*batch)
	begun := s.cfg.begun.Load()
	s.mu.Lock()
	if s.begun != begun {
		clear(s.hinted)
		s.begun = begun
	}
	for _, b := range batches {
		if one, other, ok := b.c.Users(); ok && b.early == nil {
			for _, user := range []string{one, other} {
				if now.Sub(s.hinted[hintKey{b.c, user}]) >= hintAgain {
					need[b.c] = b
				}
			}
		}
	}
	s.mu.Unlock()
	if len(need) == 0 {
		return
	}
	cs := slices.Collect(maps.Keys(need))
	var calls []call
	var puts []hintKey
	s.tails(ctx, cs, func(i int, t tail, err error) {
		one, other, _ := cs[i].Users()
		if err = cmp.Or(err, s.refuses(s.keys.hints(partition(one))), s.refuses(s.keys.hints(partition(other)))); err != nil {
			need[cs[i]].early = err
			return
		}
		for _, user := range slices.Compact([]string{one, other}) {
			calls = append(calls, s.hintCall(user, cs[i], t.Tail))
			puts = append(puts, hintKey{cs[i], user})
		}
	})
	s.commit(ctx, work{hintScript, acknowledged}, calls, func(i int, _ rueidis.RedisResult, err error) {
		if err != nil {
			need[puts[i].c].early = fmt.Errorf("chat/redis: nothing was stored, as the hint to it is not safe: %v", err)
		}
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cfg.begun.Load() != begun || s.begun != begun {
		return // perhaps some were put at a server that is not asked any more
	}
	for _, k := range puts {
		if need[k.c].early == nil {
			s.hinted[k] = now
		}
	}
}

func (s *store) hintCall(user string, c chat.Conversation, t chat.Tail) call {
	return call{
		keys: []string{s.keys.hints(partition(user)), s.keys.inbox(user), s.keys.talks(user)},
		args: []string{user, c.Receiver(user), string(c), strconv.FormatUint(t.Change, 10), strconv.FormatUint(uint64(t.Tag), 10), t.Epoch,
			strconv.FormatInt(hintLife.Milliseconds(), 10)},
	}
}

// forgetHint has the next append to a conversation put new hints.
func (s *store) forgetHint(c chat.Conversation) {
	if one, other, ok := c.Users(); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.hinted, hintKey{c, one})
		delete(s.hinted, hintKey{c, other})
	}
}

// forgetHints forgets which hints were put: those that are old, or all of them, as Redis may
// have lost them.
func (s *store) forgetHints(all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(s.hinted, func(_ hintKey, at time.Time) bool { return all || now.Sub(at) >= hintAgain })
}

// Hints implements doorbell.Source.
func (s *store) Hints(ctx context.Context, userID string, after uint64, limit int) (hints []doorbell.Hint, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	entries, err := s.client.Do(ctx, s.client.B().Zrangebyscore().Key(s.keys.inbox(userID)).
		Min("("+strconv.FormatUint(after, 10)).Max("+inf").Limit(0, int64(limit+1)).Build()).AsStrSlice()
	if err != nil {
		return nil, false, err
	}
	for _, e := range entries[:min(len(entries), limit)] {
		h, err := parseHint(e)
		if err != nil {
			return nil, false, err
		}
		hints = append(hints, h)
	}
	return hints, len(entries) > limit, nil
}

// parseHint reads "conversation change tag epoch time number before". An earlier version counts,
// and leaves out the number before.
func parseHint(text string) (h doorbell.Hint, err error) {
	f := strings.Fields(text)
	if len(f) < 6 {
		return h, errReply
	}
	change, e1 := strconv.ParseUint(f[1], 10, 64)
	tag, e2 := strconv.ParseUint(f[2], 10, 32)
	number, e3 := strconv.ParseUint(f[5], 10, 64)
	if e1 != nil || e2 != nil || e3 != nil {
		return h, errReply
	}
	before := number - 1
	if len(f) > 6 {
		if before, e1 = strconv.ParseUint(f[6], 10, 64); e1 != nil {
			return h, errReply
		}
	}
	return doorbell.Hint{Number: number, Before: before, Conversation: chat.Conversation(f[0]), Tail: chat.Tail{Change: change, Tag: uint32(tag), Epoch: f[3]}}, nil
}

// Recent implements doorbell.Source.
func (s *store) Recent(ctx context.Context, userID string) (hints []doorbell.Hint, last uint64, err error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	values, err := s.run(ctx, recentScript, []string{s.keys.hints(partition(userID)), s.keys.inbox(userID)},
		[]string{userID, strconv.FormatInt(hintLife.Milliseconds(), 10)}).ToArray()
	if err != nil {
		return nil, 0, err
	}
	if len(values) != 2 {
		return nil, 0, errReply
	}
	if last, err = values[0].AsUint64(); err != nil {
		return nil, 0, err
	}
	entries, err := values[1].AsStrSlice()
	if err != nil {
		return nil, 0, err
	}
	for _, e := range slices.Backward(entries) {
		h, err := parseHint(e)
		if err != nil {
			return nil, 0, err
		}
		hints = append(hints, h)
	}
	return hints, last, nil
}

// LastHints implements doorbell.Source.
func (s *store) LastHints(ctx context.Context, userIDs []string, each func(int, uint64, error)) {
	for groups := range slices.Chunk(groupBy(userIDs, partition), maxCommands) {
		s.lastHints(ctx, userIDs, groups, each)
	}
}

func (s *store) lastHints(ctx context.Context, userIDs []string, groups []group, each func(int, uint64, error)) {
	cmds := make(rueidis.Commands, len(groups))
	for g, group := range groups {
		var fields []string
		for _, i := range group.members {
			fields = append(fields, userIDs[i])
		}
		cmds[g] = s.client.B().Hmget().Key(s.keys.hints(group.partition)).Field(fields...).Build()
	}
	for g, r := range s.client.DoMulti(ctx, cmds...) {
		values, err := r.ToArray()
		for j, i := range groups[g].members {
			if err != nil || values[j].IsNil() {
				each(i, 0, err)
				continue
			}
			last, err := values[j].AsUint64()
			each(i, last, err)
		}
	}
}

// Talks implements chat.Directory. A talk is listed before its first message is stored: those
// that came to nothing are left out.
func (s *store) Talks(ctx context.Context, user string, since int64, after string, limit int) (talks []chat.Talk, more bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	from := "-"
	if after != "" {
		from = "(" + after
	}
	for {
		others, err := s.client.Do(ctx, s.client.B().Zrangebylex().Key(s.keys.talks(user)).Min(from).Max("+").
			Limit(0, int64(limit+1)).Build()).AsStrSlice()
		if err != nil || len(others) == 0 {
			return talks, false, err
		}
		cs := make([]chat.Conversation, len(others))
		for i, other := range others {
			cs[i] = chat.PrivateConversation(user, other)
		}
		tails := make([]chat.Tail, len(cs))
		s.Tails(ctx, cs, func(i int, t chat.Tail, e error) {
			if tails[i] = t; e != nil {
				err = e
			}
		})
		if err != nil {
			return nil, false, err
		}
		for i, t := range tails {
			if t.Seq == 0 || t.ServerTS < since {
				continue
			}
			if len(talks) == limit {
				return talks, true, nil
			}
			talks = append(talks, chat.Talk{UserID: others[i], Seq: t.Seq, ServerTS: t.ServerTS})
		}
		if len(others) <= limit {
			return talks, false, nil
		}
		from = "(" + others[len(others)-1]
	}
}
