package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
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

// anywhere executes a command that any server can answer. In a cluster, it asks all of them, and
// returns the first answer.
func (c *bounded) anywhere(ctx context.Context, command func(rueidis.Builder) rueidis.Completed) (r rueidis.RedisResult) {
	if c.Mode() != rueidis.ClientModeCluster {
		return c.Do(ctx, command(c.B()))
	}
	ctx, cancel := c.limit(ctx)
	r = rueidis.NewErrorResult(rueidis.ErrNoSlot)
	servers := c.Nodes()
	answers := make(chan rueidis.RedisResult, len(servers))
	var all sync.WaitGroup
	for _, server := range servers {
		all.Go(func() { answers <- server.Do(ctx, command(server.B())) })
	}
	go func() { // not sooner: others may wait for a connection that is being made for one of these
		all.Wait()
		cancel()
	}()
	for range servers {
		if r = <-answers; !unreachable(r.Error()) {
			break
		}
	}
	return r
}

// unreachable reports whether an error says that a server does not answer, or that nobody serves some
// of the slots of a cluster: it passes when the server is there again, or another one in its place.
func unreachable(err error) bool {
	if err == nil {
		return false
	}
	if reply, said := rueidis.IsRedisErr(err); said {
		word, _, _ := strings.Cut(reply.Error(), " ")
		return slices.Contains([]string{"CLUSTERDOWN", "LOADING", "MASTERDOWN", "TRYAGAIN"}, word)
	}
	var network net.Error
	return broken(err) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, rueidis.ErrNoSlot)
}

// dedicate takes a connection of a server for the caller alone, and returns how it is given back. It
// dials one if none is free; a connection that comes after the context has ended is given back.
func (c *bounded) dedicate(ctx context.Context, server rueidis.Client) (rueidis.DedicatedClient, func(), error) {
	ctx, cancel := c.limit(ctx)
	defer cancel()
	type dedicated struct {
		conn    rueidis.DedicatedClient
		release func()
	}
	got := make(chan dedicated, 1)
	go func() { // Dedicate takes no context
		conn, release := server.Dedicate()
		got <- dedicated{conn, release}
	}()
	select {
	case d := <-got:
		return d.conn, d.release, nil
	case <-ctx.Done():
		go func() { (<-got).release() }()
		return nil, nil, &net.OpError{Op: "dial", Net: "tcp", Err: ctx.Err()} // nothing was sent
	}
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
