package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/redis/rueidis"
)

// An epoch names a history of a conversation. Clients only compare it for equality. To the engine,
// epochs also have an order, so that a store that has lost the newest one is recognized: an epoch
// is the time at which it began, in ms since 1970, as nine digits of base 36, and four random
// ones. The time is Redis's, and at least 1 ms later than all epochs that are known where it
// begins. Earlier versions made epochs of letters and the digits 2 to 7 alone: they are earlier
// than all others, and have no order among themselves. The script epoch.lua knows all this, too.
const epochLength = 13

// later reports whether one epoch is later than another.
func later(a, b string) bool { return ordered(a) > ordered(b) }

// ordered is an epoch that can be compared, or "".
func ordered(epoch string) string {
	if len(epoch) == epochLength && (epoch[0] == '0' || epoch[0] == '1') {
		return epoch
	}
	return ""
}

// epochSalt is the random part of an epoch.
func epochSalt() string { return base36(rand.Uint64N(36*36*36*36), 4) }

func base36(n uint64, digits int) string {
	return fmt.Sprintf("%0*s", digits, strconv.FormatUint(n, 36))
}

// newEpoch makes an epoch for what has none yet.
func (s *store) newEpoch(ctx context.Context) (string, error) {
	now, err := s.redisTime(ctx)
	if err != nil {
		return "", err
	}
	return base36(uint64(max(0, now)), epochLength-4) + epochSalt(), nil
}

// redisTime asks Redis for its time, in ms since 1970.
func (s *store) redisTime(ctx context.Context) (int64, error) {
	values, err := s.client.anywhere(ctx, func(b rueidis.Builder) rueidis.Completed { return b.Time().Build() }).AsIntSlice()
	if err != nil {
		return 0, err
	}
	if len(values) != 2 {
		return 0, errReply
	}
	return values[0]*1000 + values[1]/1000, nil
}
