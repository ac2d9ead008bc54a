package main

import (
	"time"
	"unicode/utf8"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"
)

// serveFast serves with gorilla's code on fasthttp's server.
func serveFast(addr string) error {
	up := websocket.FastHTTPUpgrader{CheckOrigin: func(*fasthttp.RequestCtx) bool { return true }, EnableCompression: true}
	echo := func(c *websocket.Conn) {
		defer c.Close()
		c.SetReadLimit(maxMessage)
		for {
			op, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			if op == websocket.TextMessage && !utf8.Valid(p) {
				c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseInvalidFramePayloadData, ""), time.Now().Add(time.Second))
				return
			}
			if c.WriteMessage(op, p) != nil {
				return
			}
		}
	}
	return fasthttp.ListenAndServe(addr, func(ctx *fasthttp.RequestCtx) { up.Upgrade(ctx, echo) })
}
