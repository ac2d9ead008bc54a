package main

import (
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

func serveGorilla(addr string) error {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }, EnableCompression: true}
	return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r, nil); err == nil {
			gorillaEcho(c)
		}
	}))
}

func echoGorilla(url string) error {
	dialer := websocket.Dialer{HandshakeTimeout: 10 * time.Second, EnableCompression: true}
	c, _, err := dialer.Dial(url, nil)
	if err != nil {
		return err
	}
	gorillaEcho(c)
	return nil
}

// gorillaEcho checks UTF-8, which the library leaves to its users.
func gorillaEcho(c *websocket.Conn) {
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
