package main

import (
	"sync"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"
)

// fast is gorilla's code on fasthttp's server, used as its examples do: the
// connection is the handler's that Upgrade is given.
func fast(addr string) error {
	up := websocket.FastHTTPUpgrader{CheckOrigin: func(*fasthttp.RequestCtx) bool { return true }, WriteBufferPool: &sync.Pool{}}
	var h hub[*websocket.PreparedMessage]
	echo := func(c *websocket.Conn) {
		defer c.Close()
		c.SetReadLimit(maxMessage)
		for {
			op, p, err := c.ReadMessage()
			if err != nil || c.WriteMessage(op, p) != nil {
				return
			}
		}
	}
	fanout := func(c *websocket.Conn) {
		defer c.Close()
		defer h.join(c.WritePreparedMessage)()
		c.SetReadLimit(maxMessage)
		for {
			op, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			m, err := websocket.NewPreparedMessage(op, p)
			if err != nil {
				return
			}
			h.send(m)
		}
	}
	s := &fasthttp.Server{Handler: func(ctx *fasthttp.RequestCtx) {
		if string(ctx.Path()) == "/fanout" {
			up.Upgrade(ctx, fanout)
		} else {
			up.Upgrade(ctx, echo)
		}
	}}
	return s.ListenAndServe(addr)
}
