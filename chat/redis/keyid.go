package redis

import (
	"context"

	"github.com/redis/rueidis"
)

// KeyID stores the identifier of the key that signs the users' tokens, if none is stored. It
// returns the one that is stored: if that is another one, the nodes do not have the same key.
func (e *Engine) KeyID(ctx context.Context, id string) (stored string, err error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.Timeout)
	defer cancel()
	name := e.cfg.Prefix + "tokenkey"
	results := e.client.DoMulti(ctx,
		e.client.B().Set().Key(name).Value(id).Nx().Build(),
		e.client.B().Get().Key(name).Build())
	if err := results[0].Error(); err != nil && !rueidis.IsRedisNil(err) {
		return "", e.cfg.explain(err)
	}
	if stored, err = results[1].ToString(); err != nil {
		return "", e.cfg.explain(err)
	}
	return stored, nil
}
