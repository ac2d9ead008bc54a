package main

import (
	"context"
	"net/http"
	"time"

	"github.com/coder/websocket"
)

// coder follows its examples echo and chat: a queue and a goroutine for each
// subscriber, and five seconds for a write. Compression is off by default.
func coder(addr string) error {
	type message struct {
		op websocket.MessageType
		p  []byte
	}
	var h hub[message]
	accept := func(w http.ResponseWriter, r *http.Request) *websocket.Conn {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true}) // any origin
		if err != nil {
			return nil
		}
		c.SetReadLimit(maxMessage)
		return c
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c := accept(w, r)
		if c == nil {
			return
		}
		defer c.CloseNow()
		ctx := context.Background()
		for {
			op, p, err := c.Read(ctx)
			if err != nil || c.Write(ctx, op, p) != nil {
				return
			}
		}
	})
	mux.HandleFunc("/fanout", func(w http.ResponseWriter, r *http.Request) {
		c := accept(w, r)
		if c == nil {
			return
		}
		defer c.CloseNow()
		defer h.join(func(m message) error {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			return c.Write(ctx, m.op, m.p)
		})()
		for {
			op, p, err := c.Read(context.Background())
			if err != nil {
				return
			}
			h.send(message{op, p})
		}
	})
	return http.ListenAndServe(addr, mux)
}
