package redis

import (
	"context"
	"strconv"
	"strings"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// presence answers who is there, from what the nodes have stored. What dead nodes have stored
// does not count, also before it is removed.
type presence struct{ b *broker }

// ready waits until Redis knows what the nodes of this process know.
func (b *broker) ready(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, n := range b.all() {
		if err := n.roster.flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Users implements chat.Presence.
func (p presence) Users(ctx context.Context, room string, limit int) (users []chat.User, more bool, err error) {
	b := p.b
	if err := b.ready(ctx); err != nil {
		return nil, false, err
	}
	c := chat.RoomConversation(room)
	from := "-"
	for {
		ids, err := b.client.Do(ctx, b.client.B().Zrangebylex().Key(b.keys.present(c)).Min(from).Max("+").Limit(0, int64(limit+1)).Build()).AsStrSlice()
		if err != nil || len(ids) == 0 {
			return users, false, err
		}
		values, err := b.client.Do(ctx, b.client.B().Hmget().Key(b.keys.presence(c)).Field(ids...).Build()).ToArray()
		if err != nil {
			return nil, false, err
		}
		for i, id := range ids {
			text, err := values[i].ToString()
			if err != nil {
				continue // they have left meanwhile
			}
			u, nodes, err := parsePresent(id, text)
			if err != nil {
				return nil, false, err
			}
			if !b.anyAlive(ctx, nodes) {
				b.hide(move{room, id}, nodes)
				continue
			}
			if len(users) == limit {
				return users, true, nil
			}
			users = append(users, u)
		}
		if len(ids) <= limit {
			return users, false, nil
		}
		from = "(" + ids[len(ids)-1]
	}
}

// parsePresent reads "revision created nodes name".
func parsePresent(id, text string) (u chat.User, nodes []string, err error) {
	f := strings.SplitN(text, " ", 4)
	if len(f) < 4 {
		return u, nil, errReply
	}
	created, err := strconv.ParseInt(f[1], 10, 64)
	return chat.User{ID: id, Name: f[3], Created: created}, strings.Split(f[2], ","), err
}

// Counts implements chat.Presence.
func (p presence) Counts(ctx context.Context, rooms []string) ([]int, error) {
	b := p.b
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	exact := b.anyDead() // then those must be left out that are only there
	cmds := make(rueidis.Commands, len(rooms))
	for i, room := range rooms {
		c := chat.RoomConversation(room)
		if exact {
			cmds[i] = b.client.B().Hvals().Key(b.keys.presence(c)).Build()
		} else {
			cmds[i] = b.client.B().Hlen().Key(b.keys.presence(c)).Build()
		}
	}
	counts := make([]int, len(rooms))
	for i, r := range b.client.DoMulti(ctx, cmds...) {
		if !exact {
			n, err := r.AsInt64()
			if err != nil {
				return nil, err
			}
			counts[i] = int(n)
			continue
		}
		texts, err := r.AsStrSlice()
		if err != nil {
			return nil, err
		}
		for _, text := range texts {
			if _, nodes, err := parsePresent("", text); err == nil && b.anyAlive(ctx, nodes) {
				counts[i]++
			}
		}
	}
	return counts, nil
}

// Online implements chat.Presence.
func (p presence) Online(ctx context.Context, userIDs []string) (map[string]chat.User, error) {
	b := p.b
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	cmds := make(rueidis.Commands, 0, 2*len(userIDs))
	for _, id := range userIDs {
		cmds = append(cmds, b.client.B().Hkeys().Key(b.keys.online(id)).Build(), b.users.userCommand(id))
	}
	online := make(map[string]chat.User)
	results := b.client.DoMulti(ctx, cmds...)
	for i, id := range userIDs {
		nodes, err := results[2*i].AsStrSlice()
		if err != nil {
			return nil, err
		}
		if !b.anyAlive(ctx, nodes) {
			continue
		}
		u, _, err := b.users.parseUser(id, results[2*i+1])
		if err == nil {
			online[id] = u
		} else if err != chat.ErrNotFound {
			return nil, err
		}
	}
	return online, nil
}
