package wsconn

import (
	"context"
	"slices"
	"strconv"
	"time"
)

// ping is a ping that has not been answered yet.
type ping struct {
	number uint64
	sent   time.Time
	trip   time.Duration // until its pong arrived; valid when done is closed
	done   chan struct{} // closed when its pong arrives
}

// Ping sends a ping, waits for its pong, and returns how long that took. The pong is seen
// only while something reads: another goroutine in Read, or CloseRead. If ctx ends while
// Ping waits for the pong, the connection is unaffected. If ctx ends while the ping is being
// written, the connection is closed, as by Write.
func (c *Conn) Ping(ctx context.Context) (time.Duration, error) {
	p := &ping{done: make(chan struct{})}
	err := c.send(ctx, func(dst []byte) ([]byte, error) {
		b, err := c.appendPing(dst)
		if err == nil {
			p.number, p.sent = c.pinged, time.Now()
			c.pings = append(c.pings, p)
		}
		return b, err
	})
	if err == nil {
		select {
		case <-p.done:
			return p.trip, nil
		case <-ctx.Done():
			err = ctx.Err()
		case <-c.over:
			err = c.failure()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-p.done:
		return p.trip, nil
	default:
	}
	if i := slices.Index(c.pings, p); i >= 0 {
		c.pings = slices.Delete(c.pings, i, i+1)
	}
	return 0, err
}

// sendPing queues a ping without waiting for its pong.
func (c *Conn) sendPing() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, err := c.appendPing(nil); err == nil && c.err == nil {
		c.queueFrames(b)
	}
}

// appendPing appends a ping frame with a payload that is unique on this connection. mu
// is held.
func (c *Conn) appendPing(dst []byte) ([]byte, error) {
	c.pinged++
	return c.proto.AppendPing(dst, strconv.AppendUint(nil, c.pinged, 10))
}

// pong wakes the Pings that a pong answers. mu is held.
func (c *Conn) pong(payload []byte) {
	number, err := strconv.ParseUint(string(payload), 10, 64)
	if err != nil || number > c.pinged {
		return // 5.5.3: "A Pong frame MAY be sent unsolicited."
	}
	// 5.5.3 lets the peer answer only the last of several pings, so a pong also answers
	// all earlier ones.
	for len(c.pings) > 0 && c.pings[0].number <= number {
		p := c.pings[0]
		c.pings = c.pings[1:]
		p.trip = time.Since(p.sent)
		close(p.done)
	}
}
