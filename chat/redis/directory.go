package redis

import (
	"context"

	"github.com/hawser-ws/hawser/chat"
)

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
