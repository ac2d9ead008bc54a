package redis

import (
	"context"

	"github.com/redis/rueidis"
)

// commit executes the append script for each of the calls, which are of different conversations,
// and calls each with its result.
func (s *store) commit(ctx context.Context, calls []call, each func(k int, r rueidis.RedisResult, err error)) {
	for k, r := range appendScript.runAll(ctx, s.client, calls) {
		each(k, r, r.Error())
	}
}
