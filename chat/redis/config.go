package redis

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/chat"
)

// Ack says when a message counts as stored, which is when it is acknowledged.
type Ack struct {
	// Disk waits until the primary has the message on its disk. The server must append to a
	// file: with appendfsync always, or, from Redis 7.2 on, with anything, as WAITAOF waits.
	Disk bool

	// Replicas waits until so many replicas have the message in memory. With Disk, and from
	// Redis 7.2 on, they must have it on their disks.
	Replicas int
}

// Config is how an engine uses Redis. All nodes of a service must have the same Prefix,
// RefLifetime, Messages, Age and PresenceTTL.
type Config struct {
	// Addresses of the server; of some servers of a cluster; or, if Master is set, of the
	// Sentinels. host:port, or the path of a Unix socket.
	Addresses []string

	Username, Password                 string
	SentinelUsername, SentinelPassword string
	Master                             string      // the name by which the Sentinels know the primary
	Database                           int         // not in a cluster
	TLS                                *tls.Config // nil: none

	Prefix string // of all keys and channels; default "hawser:"

	Ack         Ack           // default: in the primary's memory
	RefLifetime time.Duration // how long a ref is known; default 1 h
	Messages    int           // how many a conversation keeps, or some more; default 10,000
	Age         time.Duration // how long messages are kept, or somewhat longer; default 30 days, negative: no limit
	SessionLife time.Duration // how long a session lives without a connection; default chat.SessionLife
	PresenceTTL time.Duration // within what time a node that dies is gone from presence; default 12 s. One that is silent for half of it is dead
	Timeout     time.Duration // of one command, and of dialling; default 5 s
	ProbeEvery  time.Duration // how late a change may be whose doorbell was lost; default 10 s

	// Inherit is for a process that takes over from another one: the engine begins nothing by itself before
	// Takeover.Start. Then its only node is the other process's, under the same id.
	Inherit bool

	// Clock gives the messages their times. By default that is Redis's.
	Clock chat.Clock
	Log   *slog.Logger // default: slog.Default()

	// How often a subscription is asked whether it hears anything. If it has not heard the
	// question when the next one is due, it is replaced. Default 10 s.
	askEvery time.Duration

	// How often a connection has begun, or may not have heard everything. What Redis had stored
	// before may have been lost then: by a failover.
	begun *atomic.Uint64

	maxBans int // how many bans there may be; default chat.MaxBans

	// Dial replaces the dialling of a server. For tests.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

const defaultAge = 30 * 24 * time.Hour

func (c Config) withDefaults() Config {
	c.Prefix = cmp.Or(c.Prefix, "hawser:")
	c.RefLifetime = cmp.Or(c.RefLifetime, time.Hour)
	c.Messages = cmp.Or(c.Messages, 10_000)
	c.Age = max(0, cmp.Or(c.Age, defaultAge))
	c.SessionLife = cmp.Or(c.SessionLife, chat.SessionLife)
	c.PresenceTTL = cmp.Or(c.PresenceTTL, 12*time.Second)
	c.Timeout = cmp.Or(c.Timeout, 5*time.Second)
	c.ProbeEvery = cmp.Or(c.ProbeEvery, 10*time.Second)
	c.askEvery = cmp.Or(c.askEvery, 10*time.Second)
	if c.Log == nil {
		c.Log = slog.Default()
	}
	c.begun = new(atomic.Uint64)
	return c
}
