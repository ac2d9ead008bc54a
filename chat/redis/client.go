package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/redis/rueidis"

	"github.com/hawser-ws/hawser/chat"
)

// options are a client's. Every command has a limit of its own: a connection that does not
// answer in time is closed, also if the network drops everything that is sent.
func (c *Config) options(timeout time.Duration) rueidis.ClientOption {
	o := rueidis.ClientOption{
		InitAddress:      c.Addresses,
		Username:         c.Username,
		Password:         c.Password,
		SelectDB:         c.Database,
		TLSConfig:        c.TLS,
		ClientName:       "hawser",
		DisableCache:     true,
		DisableRetry:     true, // callers try again themselves; Redis away must be an error soon
		ConnWriteTimeout: timeout,
		Dialer:           net.Dialer{Timeout: timeout, KeepAlive: time.Second},
		BlockingPoolSize: 256,
	}
	if c.Master != "" {
		o.Sentinel = rueidis.SentinelOption{MasterSet: c.Master, Username: c.SentinelUsername, Password: c.SentinelPassword, TLSConfig: c.TLS}
	}
	o.DialCtxFn = func(ctx context.Context, address string, d *net.Dialer, t *tls.Config) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		defer c.begun.Add(1) // before anything is sent
		switch {
		case c.Dial != nil:
			conn, err := c.Dial(ctx, address)
			if err != nil || t == nil {
				return conn, err
			}
			return tls.Client(conn, t), nil
		case strings.HasPrefix(address, "/"):
			return d.DialContext(ctx, "unix", address)
		case t != nil:
			return (&tls.Dialer{NetDialer: d, Config: t}).DialContext(ctx, "tcp", address)
		}
		return d.DialContext(ctx, "tcp", address)
	}
	return o
}

// bounded is a client whose commands have a limit, whatever context they are given.
type bounded struct {
	rueidis.Client
	timeout time.Duration
}

func (c *bounded) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= c.timeout {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.timeout)
}

// Do executes a command.
func (c *bounded) Do(ctx context.Context, cmd rueidis.Completed) rueidis.RedisResult {
	ctx, cancel := c.limit(ctx)
	defer cancel()
	return c.Client.Do(ctx, cmd)
}

// DoMulti executes commands in a pipeline.
func (c *bounded) DoMulti(ctx context.Context, cmds ...rueidis.Completed) []rueidis.RedisResult {
	ctx, cancel := c.limit(ctx)
	defer cancel()
	return c.Client.DoMulti(ctx, cmds...)
}

// node is the client of one server of a cluster; of the server, if it is not a cluster. It is nil
// if there is no such server.
func (c *bounded) node(address string) rueidis.Client {
	if address == "" {
		return c.Client
	}
	return c.Nodes()[address]
}

// broken reports whether a command has met a connection that was closed before, after a restart of
// the server for example. What only reads is tried again then, on another connection.
func broken(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

func brokenResult(r rueidis.RedisResult) bool { return broken(r.Error()) }

// notDone are the errors of Redis, and of the scripts, that say that a command had no effect.
var notDone = []string{"ASK", "BUSY", "CLUSTERDOWN", "CROSSSLOT", "LOADING", "MASTERDOWN", "MISCONF", "MOVED", "NEWER", "NOAUTH", "NOGOODSLAVE",
	"NOPERM", "NOREPLICAS", "NOSCRIPT", "OOM", "READONLY", "TRYAGAIN", "WRONGPASS"}

// written is the error of a command that writes, with chat.ErrOutcomeUnknown unless it certainly
// had no effect.
func written(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, chat.ErrOutcomeUnknown) {
		return fmt.Errorf("chat/redis: %w", err)
	}
	var dial *net.OpError
	if reply, ok := rueidis.IsRedisErr(err); ok {
		word, _, _ := strings.Cut(reply.Error(), " ")
		for _, w := range notDone {
			if word == w {
				return fmt.Errorf("chat/redis: %w", err)
			}
		}
	} else if errors.As(err, &dial) && dial.Op == "dial" || errors.Is(err, rueidis.ErrClosing) || errors.Is(err, rueidis.ErrNoSlot) {
		return fmt.Errorf("chat/redis: %w", err)
	}
	return fmt.Errorf("chat/redis: %w: %w", chat.ErrOutcomeUnknown, err)
}
