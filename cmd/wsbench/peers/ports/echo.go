package ports

import (
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/hawser-ws/hawser"
)

func echoHawser(w http.ResponseWriter, r *http.Request) {
	c, err := hawser.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	for {
		op, p, err := c.Read(r.Context())
		if err != nil {
			return
		}
		if err := c.Write(r.Context(), op, p); err != nil {
			return
		}
	}
}

func echoGorilla(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	c.SetReadLimit(64 << 10)
	for {
		op, p, err := c.ReadMessage()
		if err != nil {
			return
		}
		if err := c.WriteMessage(op, p); err != nil {
			return
		}
	}
}
