package redis

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/chat/enginetest"
	"github.com/hawser-ws/hawser/chat/redis/redistest"
)

var ctx = context.Background()

// startRedis starts a server that keeps everything in memory, and ends with the test.
func startRedis(t testing.TB) (address string) { return redistest.Start(t).Addr }

var places atomic.Int64

// place is a prefix of its own in a Redis.
type place struct {
	cfg    Config
	engine *Engine
}

func newPlace(addresses ...string) func(*testing.T) enginetest.Place {
	return func(*testing.T) enginetest.Place {
		return &place{cfg: Config{Addresses: addresses, Prefix: fmt.Sprintf("test%d:", places.Add(1)), RefLifetime: chat.RefLifetime, Log: slog.New(slog.DiscardHandler)}}
	}
}

func (p *place) Open(t *testing.T, c chat.Clock) chat.Engine {
	p.cfg.Clock = c
	e, err := Open(ctx, p.cfg)
	if err != nil {
		t.Fatal(err)
	}
	p.engine = e
	return e.Parts()
}

func (p *place) Close(t *testing.T) {
	if err := p.engine.Close(ctx); err != nil {
		t.Error(err)
	}
}

// Keep implements enginetest.Bounded.
func (p *place) Keep(messages int) { p.cfg.Messages = messages }

func (*place) Durable() bool { return true }
