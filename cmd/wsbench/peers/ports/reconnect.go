package ports

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hawser-ws/hawser"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

const (
	heartbeat   = 30 * time.Second
	backoffBase = 500 * time.Millisecond
	backoffMax  = 30 * time.Second
)

// A reconnecting client receives messages until ctx ends. It comes back after a random time,
// and gives up a server that is silent.
func receiveHawser(ctx context.Context, url string, message func([]byte)) error {
	r, err := wsconn.NewReconnector(wsconn.ReconnectorConfig{
		Dial:            func(ctx context.Context) (*hawser.Conn, error) { return hawser.Dial(ctx, url, nil) },
		Message:         func(_ hawser.Opcode, p []byte) { message(p) },
		Heartbeat:       heartbeat,
		HeartbeatMisses: 1,
		BackoffBase:     backoffBase,
		BackoffMax:      backoffMax,
	})
	if err != nil {
		return err
	}
	return r.Run(ctx)
}

func receiveGorilla(ctx context.Context, url string, message func([]byte)) error {
	once := func() error {
		c, _, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		defer context.AfterFunc(ctx, func() {
			text := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			c.WriteControl(websocket.CloseMessage, text, time.Now().Add(5*time.Second))
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
		})()
		done := make(chan struct{})
		defer close(done)
		go func() {
			for {
				select {
				case <-time.After(heartbeat):
					c.WriteControl(websocket.PingMessage, nil, time.Now().Add(heartbeat))
				case <-done:
					return
				}
			}
		}()
		c.SetReadLimit(64 << 10)
		c.SetPongHandler(func(string) error { return c.SetReadDeadline(time.Now().Add(2 * heartbeat)) })
		for c.SetReadDeadline(time.Now().Add(2 * heartbeat)); ; {
			_, p, err := c.ReadMessage()
			if err != nil {
				return err
			}
			message(p)
		}
	}
	for limit := backoffBase; ctx.Err() == nil; limit = min(2*limit, backoffMax) {
		opened := time.Now()
		once()
		if time.Since(opened) > backoffMax {
			limit = backoffBase
		}
		select {
		case <-time.After(rand.N(limit)):
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}
