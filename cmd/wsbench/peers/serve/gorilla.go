package main

import (
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// gorilla follows its examples/chat: a reading and a writing goroutine for each
// connection, a queue between. Of the documentation it takes the pool of write
// buffers ("most useful when the application has a modest volume of writes
// across a large number of connections") and PreparedMessage for broadcasts.
func gorilla(addr string) error {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, WriteBufferPool: &sync.Pool{}}
	var h hub[*websocket.PreparedMessage]
	open := func(w http.ResponseWriter, r *http.Request) *websocket.Conn {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return nil
		}
		c.SetReadLimit(maxMessage)
		return c
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c := open(w, r)
		if c == nil {
			return
		}
		defer c.Close()
		for {
			op, p, err := c.ReadMessage()
			if err != nil || c.WriteMessage(op, p) != nil {
				return
			}
		}
	})
	mux.HandleFunc("/fanout", func(w http.ResponseWriter, r *http.Request) {
		c := open(w, r)
		if c == nil {
			return
		}
		defer c.Close()
		defer h.join(c.WritePreparedMessage)()
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
	})
	return http.ListenAndServe(addr, mux)
}
