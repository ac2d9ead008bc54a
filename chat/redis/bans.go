package redis

import (
	"context"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// bans is the engine's chat.Bans.
type bans struct {
	s        *store
	sessions *sessions
}

// Banned implements chat.Bans.
func (b bans) Banned(ctx context.Context, userID string) (reason string, err error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	reason, err = b.s.client.Do(ctx, b.s.client.B().Get().Key(b.s.keys.ban(userID)).Build()).ToString()
	if rueidis.IsRedisNil(err) {
		return "", nil
	}
	return reason, err
}

// Ban implements chat.Bans. The ban comes first: if the process dies then, the user's sessions go
// on, but no new one begins, and the caller gets no answer.
func (b bans) Ban(ctx context.Context, userID, reason string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := b.s.client
	if reason == "" {
		return written(c.Do(ctx, c.B().Del().Key(b.s.keys.ban(userID)).Build()).Error())
	}
	if err := c.Do(ctx, c.B().Set().Key(b.s.keys.ban(userID)).Value(reason).Build()).Error(); err != nil {
		return written(err)
	}
	_, err := b.sessions.End(ctx, userID, "", chat.UserBanned)
	return err
}

// directory is the engine's chat.Directory.
type directory struct {
	*store
	sessions *sessions
}

// DeleteUser implements chat.Directory. If it fails halfway, it can be repeated.
func (d directory) DeleteUser(ctx context.Context, id string) error {
	u, _, err := d.user(ctx, id)
	unknown := err == chat.ErrNotFound
	if err != nil && !unknown {
		return err
	}
	if !unknown {
		if err := d.client.Do(ctx, d.client.B().Del().Key(d.keys.user(id)).Build()).Error(); err != nil {
			return written(err)
		}
		if err := d.run(ctx, unclaimScript, []string{d.keys.look(u.Name)}, []string{id, ""}).Error(); err != nil {
			return written(err)
		}
	}
	if err := d.leaveAll(ctx, id); err != nil {
		return written(err)
	}
	_, err = d.sessions.End(ctx, id, "", chat.UserDeleted)
	return written(err)
}
