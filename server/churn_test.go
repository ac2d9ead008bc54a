package server

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// churn opens and closes connections to a server of its own. Each has a tag, which
// is in everything that is sent on it.
type churn struct {
	t  testing.TB
	ts *testServer

	tags           atomic.Int64
	opens, closes  atomic.Int64
	heard          atomic.Int64 // messages that came to clients
	reached, dead  atomic.Int64 // messages written late that were queued, or refused
	latest         chan tagged  // for those who write late
	seed           uint64
	slotsUsedTwice atomic.Int64
}

// tagged is a handle, and the tag of the connection that it was of.
type tagged struct {
	c   Conn
	tag string
}

func newChurn(t testing.TB) *churn {
	ch := &churn{t: t, latest: make(chan tagged, 256), seed: rand.Uint64()}
	t.Logf("seed %d", ch.seed)
	ch.ts = start(t, Config{PingInterval: Off, Handler: funcs{
		open: func(c LoopConn) {
			ch.opens.Add(1)
			if c.conn.gen() > 0 {
				ch.slotsUsedTwice.Add(1)
			}
		},
		message: ch.message,
		close:   func(LoopConn, error) { ch.closes.Add(1) },
	}})
	return ch
}

// message echoes. The first message is the connection's tag.
func (ch *churn) message(c LoopConn, op frame.Opcode, p []byte) {
	if c.Value() == nil {
		c.SetValue(string(p))
	}
	if tag, _, _ := strings.Cut(string(p), " "); c.Value() != tag {
		ch.t.Errorf("the connection of %v received %q", c.Value(), p)
	}
	c.Send(op, p)
}

// run opens and closes connections one after the other, on each of some goroutines,
// while more says so. Others write to what may be closed meanwhile.
func (ch *churn) run(workers int, more func() bool) {
	ctx, cancel := context.WithCancel(context.Background())
	var writers, openers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() { ch.writeLate(ctx, rand.New(rand.NewPCG(ch.seed, uint64(1000+i)))) })
	}
	for i := range workers {
		openers.Go(func() { ch.open(rand.New(rand.NewPCG(ch.seed, uint64(i))), more) })
	}
	openers.Wait()
	cancel()
	writers.Wait()
}

// writeLate sends to handles at random and closes some. Most are of connections
// that have ended, and many of slots that are others' now.
func (ch *churn) writeLate(ctx context.Context, r *rand.Rand) {
	var kept [1024]tagged
	for {
		var k tagged
		select {
		case <-ctx.Done():
			return
		case k = <-ch.latest:
		}
		kept[r.IntN(len(kept))] = k
		for range 4 {
			if r.IntN(2) == 0 {
				k = kept[r.IntN(len(kept))]
			}
			switch err := k.c.Send(frame.Text, []byte(k.tag+" late")); err {
			case nil:
				ch.reached.Add(1)
			case ErrClosed:
				ch.dead.Add(1)
			default:
				ch.t.Error(err)
			}
		}
		if r.IntN(4) == 0 {
			k.c.Close(wsproto.CloseNormal, k.tag)
		}
	}
}

// open opens connections over a Unix socket, because there is no end of its ports.
func (ch *churn) open(r *rand.Rand, more func() bool) {
	ln, err := net.Listen("unix", filepath.Join(ch.t.TempDir(), "s"))
	if err != nil {
		ch.t.Error(err)
		return
	}
	defer ln.Close()
	for more() {
		far, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			ch.t.Error(err)
			return
		}
		near, err := ln.Accept()
		if err != nil {
			ch.t.Error(err)
			return
		}
		c, err := ch.ts.Adopt(near, nil, handshake.Result{}, wsproto.Server)
		if err != nil {
			ch.t.Error(err)
			return
		}
		tag := fmt.Sprint("t", ch.tags.Add(1))
		ch.latest <- tagged{c, tag}
		ch.converse(&client{t: ch.t, nc: far, buf: make([]byte, 4<<10)}, tag, r)
		far.Close()
	}
}

// converse is a connection's life, as its client sees it: some messages, all of
// them its own, and an end of one kind or another.
func (ch *churn) converse(c *client, tag string, r *rand.Rand) {
	c.proto.Init(&wsproto.Config{Role: wsproto.Client, MaskKey: func() uint32 { return 1 }})
	c.nc.SetDeadline(time.Now().Add(patience))
	c.nc.Write(append(masked(0x81, tag), masked(0x81, tag+" again")...)) // it may be closed already
	if r.IntN(4) == 0 {
		return // before anything has come
	}
	for n, closing := r.IntN(6), false; n >= 0; n-- {
		ev := c.event()
		if ev.Kind == wsproto.Closed && closing && len(ev.Payload) == 0 {
			return // the answer to ours
		}
		switch text, _, _ := strings.Cut(string(ev.Payload), " "); {
		case ev.Kind == wsproto.Message && text == tag:
			ch.heard.Add(1)
		case ev.Kind == wsproto.Closed && text == tag:
			c.nc.Write(masked(0x88, "\x03\xe8"))
			return
		default:
			ch.t.Errorf("the client of %s received %v %q, %v", tag, ev.Kind, ev.Payload, ev.Err)
			return
		}
		if n == 1 {
			c.nc.Write(masked(0x88, "\x03\xe8"+tag))
			closing = true
		} else if n > 2 {
			c.nc.Write(masked(0x81, tag+" more"))
		}
	}
}

// check reports what is left when the churn is over.
func (ch *churn) check() {
	waitFor(ch.t, func() bool { return ch.ts.Stats().Open == 0 })
	opens, closes := ch.opens.Load(), ch.closes.Load()
	ch.t.Logf("%d connections, %d of them in a slot used before; clients heard %d messages; of those written late %d reached somebody, %d were refused",
		opens, ch.slotsUsedTwice.Load(), ch.heard.Load(), ch.reached.Load(), ch.dead.Load())
	if opens != closes || opens != ch.tags.Load() {
		ch.t.Errorf("%d connections were opened, %d closed, of %d", opens, closes, ch.tags.Load())
	}
	if ch.slotsUsedTwice.Load() < opens/2 || ch.dead.Load() == 0 || ch.reached.Load() == 0 || ch.heard.Load() == 0 {
		ch.t.Error("this shows nothing")
	}
}

// R02: while slots and descriptors pass from one connection to the next, nothing
// that is written to one that has ended reaches another. (make faults goes on for
// longer.)
func TestR02Churn(t *testing.T) {
	n := int64(20_000)
	if testing.Short() {
		n = 2_000
	}
	ch := newChurn(t)
	var begun atomic.Int64
	ch.run(8, func() bool { return begun.Add(1) <= n })
	ch.check()
}
