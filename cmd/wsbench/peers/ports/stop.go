package ports

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/hawser-ws/hawser"
)

// A stopping server tells the clients that it goes away, and waits for their answer and for
// its handlers.
func stopHawser(stopping context.Context, open *sync.WaitGroup) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := hawser.Accept(w, r, nil)
		if err != nil {
			return
		}
		open.Add(1)
		defer open.Done()
		defer c.CloseNow()
		defer context.AfterFunc(stopping, func() { c.Close(hawser.CloseGoingAway, "restart") })()
		for {
			op, p, err := c.Read(r.Context())
			if err != nil {
				return
			}
			c.Write(r.Context(), op, p)
		}
	}
}

func stopGorilla(stopping context.Context, open *sync.WaitGroup) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		up := websocket.Upgrader{}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		open.Add(1)
		defer open.Done()
		defer c.Close()
		defer context.AfterFunc(stopping, func() {
			text := websocket.FormatCloseMessage(websocket.CloseGoingAway, "restart")
			c.WriteControl(websocket.CloseMessage, text, time.Now().Add(5*time.Second))
			c.SetReadDeadline(time.Now().Add(5 * time.Second))
		})()
		c.SetReadLimit(64 << 10)
		for {
			op, p, err := c.ReadMessage()
			if err != nil {
				return
			}
			c.WriteMessage(op, p)
		}
	}
}
