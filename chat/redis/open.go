package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// Open connects to Redis, and checks that it is what the engine needs. The error says what is
// wrong, and never contains a password.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if len(cfg.Addresses) == 0 {
		return nil, errors.New("chat/redis: no address of a Redis server is given")
	}
	client, err := rueidis.NewClient(cfg.options())
	if err != nil {
		return nil, explain(err)
	}
	e := newEngine(cfg, client)
	if err := e.check(ctx); err != nil {
		e.Close(ctx)
		return nil, explain(err)
	}
	return e, nil
}

// explain makes an error of Redis one that says what to do.
func explain(err error) error {
	reply, ok := rueidis.IsRedisErr(err)
	if !ok {
		return fmt.Errorf("chat/redis: %w", err)
	}
	word, _, _ := strings.Cut(reply.Error(), " ")
	switch word {
	case "WRONGPASS":
		return fmt.Errorf("chat/redis: Redis refuses the user name and password: %w", err)
	case "NOAUTH":
		return fmt.Errorf("chat/redis: Redis asks for a password, and none is set: %w", err)
	case "NOPERM":
		return fmt.Errorf("chat/redis: the user's access list (ACL) does not allow what is needed: %w", err)
	}
	return fmt.Errorf("chat/redis: %w", err)
}

// check verifies the server's version, and gets ready.
func (e *Engine) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.Timeout)
	defer cancel()
	info, err := e.client.Do(ctx, e.client.B().Info().Section("server").Build()).ToString()
	if err != nil {
		return err
	}
	version := infoField(info, "redis_version")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < 7 {
		return fmt.Errorf("the server is Redis %s; version 7.0 or later is needed", version)
	}
	if _, err := e.store.readEpoch(ctx); err != nil {
		return err
	}
	return e.begin(ctx)
}

// infoField returns a field of what INFO returns; "" if it is not there.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			return value
		}
	}
	return ""
}
