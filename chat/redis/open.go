package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// Open connects to Redis, and checks that it is what the engine needs. The error says what is
// wrong, and never contains a password.
//
// If only some servers of a cluster answer, Open succeeds. Healthy says what is missing. Conversations
// and users whose servers answer are served. But nobody can log in until the servers with the bans,
// the nodes and the epoch have been read: they are asked again every second.
func Open(ctx context.Context, cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if len(cfg.Addresses) == 0 {
		return nil, errors.New("chat/redis: no address of a Redis server is given")
	}
	client, err := rueidis.NewClient(cfg.options(cfg.Timeout))
	if err != nil {
		return nil, cfg.explain(err)
	}
	heart, err := rueidis.NewClient(cfg.options(cfg.beatTimeout()))
	if err != nil {
		client.Close()
		return nil, cfg.explain(err)
	}
	e := newEngine(cfg, &bounded{client, cfg.Timeout}, &bounded{heart, cfg.beatTimeout()})
	if err = e.suits(ctx); err == nil && cfg.Inherit {
		err = e.prepare(ctx)
	} else if err == nil {
		err = e.getReady(ctx)
		if e.store.owners != nil && unreachable(err) {
			e.note(err)
			e.wg.Go(e.getReadyLater)
			return e, nil
		}
	}
	if err != nil {
		e.Close(ctx)
		return nil, cfg.explain(err)
	}
	return e, nil
}

// getReady verifies and reads what nobody can log in without, and begins what goes on in the
// background. After an error, it can be called again.
func (e *Engine) getReady(ctx context.Context) error {
	if !e.begun {
		if err := e.start(ctx); err != nil {
			return err
		}
		e.begun = true
	}
	if err := e.bans.start(ctx); err != nil { // which takes long if there are many
		return err
	}
	e.store.ready.Store(true)
	return nil
}

// getReadyLater tries until the servers are there.
func (e *Engine) getReadyLater() {
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-time.After(startEvery):
		}
		err := e.getReady(e.ctx)
		if err == nil {
			e.check(e.ctx) // which notes that
			return
		}
		e.note(err)
	}
}

// explain makes an error of Redis one that says what to do.
func (c *Config) explain(err error) error {
	reply, ok := rueidis.IsRedisErr(err)
	switch {
	case ok:
	case strings.Contains(err.Error(), "tls: certificate required"): // an alert, for which crypto/tls has no type
		return fmt.Errorf("chat/redis: the server expects a certificate, and none is set: %w", err)
	case !broken(err) && !errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("chat/redis: %w", err)
	case c.TLS == nil:
		return fmt.Errorf("chat/redis: the server does not answer; perhaps it expects TLS there: %w", err)
	default:
		return fmt.Errorf("chat/redis: the server does not answer; perhaps it has no TLS there, or expects a certificate: %w", err)
	}
	word, _, _ := strings.Cut(reply.Error(), " ")
	for _, said := range []string{"can't run this command", "can't access at least one", "ACL failure in script"} {
		if strings.Contains(reply.Error(), said) {
			word = "NOPERM" // a script has met it, before Redis 7.2 and from then on
		}
	}
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

// start verifies that the user may do what is needed, and begins.
func (e *Engine) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*e.cfg.Timeout)
	defer cancel()
	if err := e.permitted(ctx); err != nil {
		return err
	}
	if _, err := e.store.readEpoch(ctx); err != nil {
		return err
	}
	return e.begin(ctx)
}

// suits verifies a server's version and commands.
func (e *Engine) suits(ctx context.Context) error {
	info, err := e.client.anywhere(ctx, func(b rueidis.Builder) rueidis.Completed { return b.Info().Section("server").Build() }).ToString()
	if err != nil {
		return err
	}
	version := infoField(info, "redis_version")
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < 7 {
		return fmt.Errorf("the server is Redis %s; version 7.0 or later is needed", version)
	}
	return e.hasCommands(ctx)
}

// commands are those that are used of every server. Some services that offer Redis lack some of
// them, and rename-command takes them away.
var commands = strings.Fields(`DEL EVAL EVALSHA EXISTS GET HDEL HGET HGETALL HINCRBY HKEYS HLEN HMGET HSCAN HSET HSETNX HVALS
	INFO LINDEX LLEN LRANGE LTRIM PEXPIRE RPUSH SADD SET SPUBLISH SRANDMEMBER SREM SSUBSCRIBE SUNSUBSCRIBE TIME XADD XRANGE
	XREVRANGE ZADD ZINCRBY ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZREM ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZSCORE`)

// hasCommands verifies that the server has all commands, and finds out whether it has WAITAOF.
func (e *Engine) hasCommands(ctx context.Context) error {
	all := append([]string{"WAITAOF", "WAIT"}, commands...)
	reply, err := e.client.anywhere(ctx, func(b rueidis.Builder) rueidis.Completed { return b.CommandInfo().CommandName(all...).Build() }).ToArray()
	if err != nil {
		return err
	}
	if len(reply) != len(all) {
		return errReply
	}
	e.store.waitaof = !reply[0].IsNil()
	var lacking []string
	for i, name := range all {
		if reply[i].IsNil() && name != "WAITAOF" && (name != "WAIT" || e.cfg.Ack.Replicas > 0) {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		return fmt.Errorf("the server lacks commands that are needed: %s", strings.Join(lacking, ", "))
	}
	return nil
}

// permitted verifies that the user may do what appends do. An access list that lacks something
// would otherwise be noticed only later.
func (e *Engine) permitted(ctx context.Context) error {
	k := e.store.keys
	key := k.in(0) + "try"
	const try = `redis.call('XADD', KEYS[1], 'MAXLEN', '~', 1, '*', 'a', 'b')
redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'a', 'b')
redis.call('HMGET', KEYS[1], 'a')
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], '1', 'PX', 1000)
redis.call('GET', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('ZADD', KEYS[1], 0, 'a')
redis.call('DEL', KEYS[1])
redis.call('SPUBLISH', KEYS[1], 'a')
return 1`
	return e.client.Do(ctx, e.client.B().Eval().Script(try).Numkeys(1).Key(key).Build()).Error()
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
