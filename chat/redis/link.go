package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// Subscriptions go in pipelines of so many.
const maxOrders = 256

// link is a connection that hears channels.
type link struct {
	// Immutable.
	l       *listener
	address string
	wake    chan struct{}

	// Guarded by l.mu.
	subs   map[string]*sub
	orders []order
	leaves map[string]int // how often it has unsubscribed from channels, and was not answered yet
	failed error          // why it hears nothing at the moment
	gone   bool           // no longer used
	missed time.Time      // since when some of its channels may not have been heard, by any connection; zero: all were

	probe       atomic.Pointer[string]    // the channel on which it hears its own questions
	asked       int64                     // of the goroutine of run
	heard       atomic.Int64              // the last question that was heard
	sure        atomic.Pointer[time.Time] // everything that was published before then was heard
	interrupted atomic.Bool               // something may not have been heard
}

var (
	errSilent = errors.New("chat/redis: a subscription hears nothing, although its connection is alive")
	errMoved  = errors.New("chat/redis: the server is no longer part of the cluster")
)

func newLink(l *listener, address string) *link {
	k := &link{l: l, address: address, wake: make(chan struct{}, 1), subs: make(map[string]*sub)}
	k.isSure(time.Now())
	return k
}

func (k *link) isSure(until time.Time) { k.sure.Store(&until) }

// enqueue gives the connection something to do. Called with l.mu held.
func (k *link) enqueue(o order) {
	k.orders = append(k.orders, o)
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// run keeps a connection, until the listener is closed, or the cluster no longer has the server.
func (k *link) run() {
	l := k.l
	for failures := 0; ; failures++ {
		begin := time.Now()
		err := k.serve()
		if l.ctx.Err() != nil {
			return
		}
		k.interrupted.Store(true)
		if time.Since(begin) > 10*time.Second {
			failures = 0
		}
		if l.owners != nil {
			ctx, cancel := context.WithTimeout(l.ctx, l.cfg.Timeout)
			l.owners.refresh(ctx)
			cancel()
		}
		if gone, unused := k.end(err, failures); gone {
			if unused { // no other connection has its channels, and says so
				l.gap(*k.sure.Load())
			}
			return
		}
		// Jitter, so that the nodes do not all come back at once.
		pause := 50 * time.Millisecond << min(failures, 5)
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-l.ctx.Done():
			return
		}
	}
}

// end takes note that a connection has ended. It reports whether this link ends, too, and whether it had no channel.
func (k *link) end(err error, failures int) (gone, unused bool) {
	l := k.l
	l.mu.Lock()
	defer l.mu.Unlock()
	if k.failed == nil {
		l.logger().Warn("chat/redis: a subscription has been cut, and is made again", "server", k.address, "error", err)
	}
	k.failed = fmt.Errorf("chat/redis: the subscription to %s: %w", k.describe(), err)
	var again []*sub
	for _, s := range k.subs {
		again = append(again, s)
	}
	k.orders = nil
	if gone = l.owners != nil && (errors.Is(err, errMoved) || failures > 2 && !l.owners.has(k.address)); gone {
		k.gone = true
		delete(l.links, k.address)
	}
	l.unheard(again)
	return k.gone, len(again) == 0
}

func (k *link) describe() string {
	if k.address != "" {
		return k.address
	}
	return "Redis"
}

// serve has one connection, until it breaks.
func (k *link) serve() error {
	l := k.l
	client := l.client.node(k.address)
	if client == nil || l.owners != nil && k.address == "" {
		return errMoved
	}
	conn, release, err := l.client.dedicate(l.ctx, client)
	if err != nil {
		return err
	}
	defer release()
	defer conn.Close()
	broken := conn.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: k.onMessage, OnSubscription: k.onSubscription})
	k.asked = 0
	k.heard.Store(0)
	l.mu.Lock()
	k.leaves = make(map[string]int)
	l.mu.Unlock()
	if err := k.ask(conn); err != nil {
		return err
	}
	tick := time.NewTicker(l.cfg.askEvery)
	defer tick.Stop()
	for {
		for {
			orders := k.take()
			if len(orders) == 0 {
				break
			}
			if err := k.do(conn, orders); err != nil {
				return err
			}
		}
		k.settled()
		select {
		case err := <-broken:
			if err == nil {
				err = errors.New("it was closed")
			}
			return err
		case <-l.ctx.Done():
			return l.ctx.Err()
		case <-k.wake:
		case <-tick.C:
			if k.asked != k.heard.Load() {
				return errSilent
			}
			if err := k.ask(conn); err != nil {
				return err
			}
		}
	}
}

// settled says that everything is heard again, if it was not.
func (k *link) settled() {
	k.l.mu.Lock()
	was, since := k.failed, *k.sure.Load()
	if !k.missed.IsZero() && k.missed.Before(since) {
		since = k.missed
	}
	k.failed, k.missed = nil, time.Time{}
	k.l.mu.Unlock()
	if was != nil {
		k.l.logger().Info("chat/redis: a subscription has been made again", "server", k.address)
	}
	if k.interrupted.Load() {
		k.l.gap(since)
		k.interrupted.Store(false)
	}
}

func (k *link) take() []order {
	k.l.mu.Lock()
	defer k.l.mu.Unlock()
	n := min(len(k.orders), maxOrders)
	orders := k.orders[:n:n]
	if k.orders = k.orders[n:]; len(k.orders) == 0 {
		k.orders = nil
	}
	return orders
}

// do subscribes and unsubscribes. An error means that the connection is not good any more.
func (k *link) do(conn rueidis.DedicatedClient, orders []order) error {
	ctx, cancel := context.WithTimeout(k.l.ctx, k.l.cfg.Timeout)
	defer cancel()
	cmds := make(rueidis.Commands, len(orders))
	for i, o := range orders {
		if o.sub != nil {
			cmds[i] = conn.B().Ssubscribe().Channel(o.channel).Build()
		} else {
			cmds[i] = conn.B().Sunsubscribe().Channel(o.channel).Build()
		}
	}
	k.leave(orders)
	results := conn.DoMulti(ctx, cmds...)
	moved := false
	for _, r := range results {
		reply, ok := rueidis.IsRedisErr(r.Error())
		if !ok && r.Error() != nil {
			return r.Error()
		}
		if ok {
			if _, is := reply.IsMoved(); !is {
				return reply
			}
			moved = true
		}
	}
	if moved {
		k.l.owners.refresh(ctx)
	}
	k.l.mu.Lock()
	defer k.l.mu.Unlock()
	var away []*sub
	for i, o := range orders {
		switch {
		case o.sub == nil && results[i].Error() != nil:
			k.left(o.channel) // there will be no answer
		case o.sub == nil || k.l.subs[o.channel] != o.sub || o.sub.link != k:
		case results[i].Error() != nil:
			away = append(away, o.sub)
		case !o.sub.heard:
			o.sub.heard = true
			close(o.sub.ready)
			if o.sub.again {
				o.sub.again = false
				if k.missed.IsZero() || o.sub.since.Before(k.missed) {
					k.missed = o.sub.since
				}
				k.interrupted.Store(true)
			}
		}
	}
	k.l.unheard(away)
	return nil
}

// leave takes note of the channels from which orders unsubscribe.
func (k *link) leave(orders []order) {
	k.l.mu.Lock()
	defer k.l.mu.Unlock()
	for _, o := range orders {
		if o.sub == nil {
			k.leaves[o.channel]++
		}
	}
}

// left reports whether the end of a subscription was asked for. Called with l.mu held.
func (k *link) left(channel string) bool {
	n := k.leaves[channel]
	if n > 1 {
		k.leaves[channel] = n - 1
	} else {
		delete(k.leaves, channel)
	}
	return n > 0
}

// ask publishes a question to itself, which tells whether the connection still hears.
func (k *link) ask(conn rueidis.DedicatedClient) error {
	l := k.l
	partition := 0
	if l.owners != nil {
		if partition = l.owners.partitionAt(k.address); partition < 0 {
			return errMoved
		}
	}
	channel := l.keys.probe(partition, l.id)
	ctx, cancel := context.WithTimeout(l.ctx, l.cfg.Timeout)
	defer cancel()
	if at := k.probe.Load(); k.asked == 0 || at == nil || *at != channel {
		k.probe.Store(&channel)
		if err := conn.Do(ctx, conn.B().Ssubscribe().Channel(channel).Build()).Error(); err != nil {
			return err
		}
	}
	k.asked++
	err := l.client.Do(ctx, l.client.B().Spublish().Channel(channel).Message(strconv.FormatInt(k.asked, 10)).Build()).Error()
	if err != nil {
		k.heard.Store(k.asked) // Redis is away: that says nothing about this connection
	}
	return nil
}

func (k *link) onMessage(m rueidis.PubSubMessage) {
	if at := k.probe.Load(); at != nil && m.Channel == *at {
		n, _ := strconv.ParseInt(m.Message, 10, 64)
		k.heard.Store(n)
		if !k.interrupted.Load() {
			k.isSure(time.Now().Add(-k.l.cfg.askEvery)) // the question may be as old as that
		}
		return
	}
	k.l.hear(m.Channel, m.Message)
}

// onSubscription learns that a slot has moved to another server, which ends the subscriptions to
// its channels.
func (k *link) onSubscription(s rueidis.PubSubSubscription) {
	if s.Kind != "sunsubscribe" {
		return
	}
	k.l.mu.Lock()
	defer k.l.mu.Unlock()
	if k.left(s.Channel) {
		return
	}
	if one := k.l.subs[s.Channel]; one != nil && one.link == k {
		one.deafen()
		k.interrupted.Store(true)
		k.enqueue(order{channel: s.Channel, sub: one}) // which finds out where the channel is now
	}
}
