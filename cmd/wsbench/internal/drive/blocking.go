package drive

import (
	"context"
	"errors"
	"sync"

	"github.com/hawser-ws/hawser/cmd/wsbench/internal/load"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// blocking drives a connection by two goroutines: one reads, one writes. It is for TLS,
// which the event loops support only on connections from their own listeners.
type blocking struct {
	conn *wsconn.Conn
	wake chan struct{} // there is something for the writer, or it has to end

	mu     sync.Mutex
	queue  []outgoing    // Guarded by mu.
	closed bool          // Guarded by mu. Nothing may follow.
	gate   chan struct{} // Guarded by mu. Closed while reading is allowed; nil: always was.
}

type outgoing struct {
	op     frame.Opcode
	p      []byte
	close  bool
	code   wsproto.CloseCode
	reason string
}

// adoptBlocking starts the goroutines, which end with the connection.
func adoptBlocking(m *load.Member, c *wsconn.Conn, tcp int64, ended func()) {
	b := &blocking{conn: c, wake: make(chan struct{}, 1)}
	go b.write()
	go func() {
		defer ended()
		m.Shard.Opened(m, b, tcp)
		b.read(m)
	}()
}

func (b *blocking) read(m *load.Member) {
	for {
		b.mu.Lock()
		gate := b.gate
		b.mu.Unlock()
		if gate != nil {
			<-gate
		}
		op, p, err := b.conn.Read(context.Background())
		if err == nil {
			m.Shard.Message(m, b, op, p)
			continue
		}
		b.mu.Lock()
		local := b.closed
		b.mu.Unlock()
		b.end()
		b.conn.CloseNow()
		code, reason := wsproto.CloseAbnormal, ""
		var end *wsconn.CloseError
		switch {
		case errors.As(err, &end):
			code, reason, local, err = end.Code, end.Reason, local || end.Local, end.Err
		case local:
			code, err = wsproto.CloseNormal, nil
		}
		m.Shard.Closed(m, code, reason, local, err)
		return
	}
}

func (b *blocking) write() {
	for range b.wake {
		b.mu.Lock()
		queue := b.queue
		b.queue = nil
		b.mu.Unlock()
		for _, o := range queue {
			if o.close {
				b.conn.Close(o.code, o.reason)
				return
			}
			if b.conn.Write(context.Background(), o.op, o.p) != nil {
				return // the reader says why
			}
		}
	}
}

func (b *blocking) put(o outgoing) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return wsconn.ErrClosed
	}
	b.closed = o.close
	b.queue = append(b.queue, o)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return nil
}

// end ends both goroutines.
func (b *blocking) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.queue = true, []outgoing{{close: true, code: wsproto.CloseNormal}}
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Send is load.Link's.
func (b *blocking) Send(op frame.Opcode, p []byte) error {
	return b.put(outgoing{op: op, p: append([]byte(nil), p...)})
}

// Close is load.Link's.
func (b *blocking) Close(code wsproto.CloseCode, reason string) error {
	b.Pause(false)
	return b.put(outgoing{close: true, code: code, reason: reason})
}

// Pause is load.Link's. A read that has begun is finished.
func (b *blocking) Pause(paused bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case paused && b.gate == nil:
		b.gate = make(chan struct{})
	case !paused && b.gate != nil:
		close(b.gate)
		b.gate = nil
	}
}
