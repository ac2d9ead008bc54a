package ports

import (
	"context"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/hawser-ws/hawser"
)

type request struct{ ID, A, B int }
type response struct{ ID, Sum int }

// An RPC server answers calls, which may take long and end with the connection, in any
// order. Eight calls of a connection run at once.
func rpcHawser(call func(context.Context, request) response) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := hawser.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		slots := make(chan struct{}, 8)
		for {
			var q request
			if err := c.ReadJSON(r.Context(), &q); err != nil {
				return
			}
			slots <- struct{}{}
			go func() {
				c.WriteJSON(r.Context(), call(r.Context(), q))
				<-slots
			}()
		}
	}
}

func rpcGorilla(call func(context.Context, request) response) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		c.SetReadLimit(64 << 10)
		var writing sync.Mutex
		slots := make(chan struct{}, 8)
		for {
			var q request
			if err := c.ReadJSON(&q); err != nil {
				return
			}
			slots <- struct{}{}
			go func() {
				answer := call(r.Context(), q)
				writing.Lock()
				c.WriteJSON(answer)
				writing.Unlock()
				<-slots
			}()
		}
	}
}
