package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
)

// object is a message, decoded.
type object map[string]any

func (o object) text(key string) string { s, _ := o[key].(string); return s }

func (o object) number(key string) uint64 { n, _ := o[key].(float64); return uint64(n) }

// chatClient is a blocking client of the chat. Any goroutine may send.
type chatClient struct {
	nc    net.Conn
	buf   []byte
	queue []wsproto.Event

	mu    sync.Mutex
	proto wsproto.Conn // Guarded by mu.
}

func dialChat(url string) (*chatClient, error) { return dialChatWith(url, nil) }

func dialChatWith(url string, o *handshake.DialOptions) (*chatClient, error) {
	c, _, err := dialChatResult(url, o)
	return c, err
}

// dialChatResult also returns what the server answered.
func dialChatResult(url string, o *handshake.DialOptions) (*chatClient, handshake.Result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	nc, left, result, err := handshake.Dial(ctx, url, o)
	if err != nil {
		return nil, result, err
	}
	c := &chatClient{nc: nc, buf: make([]byte, 64<<10)}
	c.proto.Init(&wsproto.Config{Role: wsproto.Client, MaxMessage: 1 << 20, MaskKey: func() uint32 { return 0x5a17c3e9 }})
	return c, result, c.feed(left)
}

// send writes one message.
func (c *chatClient) send(o object) error {
	p, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return c.sendRaw(p)
}

func (c *chatClient) sendRaw(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := c.proto.AppendMessage(nil, frame.Text, p)
	if err != nil {
		return err
	}
	return c.write(b)
}

func (c *chatClient) write(b []byte) error {
	c.nc.SetWriteDeadline(time.Now().Add(patience))
	_, err := c.nc.Write(b)
	return err
}

func (c *chatClient) feed(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proto.Feed(p)
	for {
		ev := c.proto.Next()
		if out := c.proto.Output(); out != nil {
			if err := c.write(out); err != nil {
				return err
			}
		}
		if ev.Kind == wsproto.NeedData {
			return nil
		}
		ev.Payload = append([]byte(nil), ev.Payload...)
		c.queue = append(c.queue, ev)
	}
}

// closedError is the peer's Close.
type closedError struct {
	code   wsproto.CloseCode
	reason string
}

func (e *closedError) Error() string { return "closed with " + e.code.String() + " " + e.reason }

// next returns the next message. Pings are answered on the way; a Close is a
// *closedError, the end of the stream io.EOF.
func (c *chatClient) next() (object, error) {
	for {
		for len(c.queue) > 0 {
			ev := c.queue[0]
			c.queue = c.queue[1:]
			switch ev.Kind {
			case wsproto.Message:
				var o object
				err := json.Unmarshal(ev.Payload, &o)
				return o, err
			case wsproto.Closed:
				return nil, &closedError{ev.Code, string(ev.Payload)}
			case wsproto.Failed:
				return nil, ev.Err
			}
		}
		c.nc.SetReadDeadline(time.Now().Add(patience))
		n, err := c.nc.Read(c.buf)
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				return nil, err
			}
			return nil, io.EOF // or a reset: the server is gone
		}
		if err := c.feed(c.buf[:n]); err != nil {
			return nil, err
		}
	}
}

// until reads messages up to the first of this type.
func (c *chatClient) until(kind string) (object, error) {
	for {
		o, err := c.next()
		if err != nil || o.text("type") == kind {
			return o, err
		}
	}
}

// enter connects, authenticates and waits for the answer.
func enter(url, token string, features ...string) (*chatClient, object, error) {
	return enterWith(url, nil, token, features...)
}

func enterWith(url string, o *handshake.DialOptions, token string, features ...string) (*chatClient, object, error) {
	c, err := dialChatWith(url, o)
	if err != nil {
		return nil, nil, err
	}
	if err := c.send(object{"type": "auth", "token": token, "features": features}); err != nil {
		return nil, nil, err
	}
	ok, err := c.until("auth_ok")
	return c, ok, err
}
