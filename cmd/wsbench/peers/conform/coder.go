package main

import (
	"context"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

func serveCoder(addr string) error {
	o := &websocket.AcceptOptions{InsecureSkipVerify: true, CompressionMode: websocket.CompressionContextTakeover} // any origin
	return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, o); err == nil {
			coderEcho(c)
		}
	}))
}

func echoCoder(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{CompressionMode: websocket.CompressionContextTakeover})
	if err != nil {
		return err
	}
	coderEcho(c)
	return nil
}

// coderEcho checks UTF-8, which the library leaves to its users.
func coderEcho(c *websocket.Conn) {
	defer c.CloseNow()
	c.SetReadLimit(maxMessage)
	ctx := context.Background()
	for {
		op, p, err := c.Read(ctx)
		if err != nil {
			return
		}
		if op == websocket.MessageText && !utf8.Valid(p) {
			c.Close(websocket.StatusInvalidFramePayloadData, "")
			return
		}
		if c.Write(ctx, op, p) != nil {
			return
		}
	}
}
