package main

import (
	"net/http"
	"sync"
	"time"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
)

// nbio has three modes; its README describes them, and its examples set what is
// set here. In the blocking ones BlockingModAsyncWrite has a goroutine write, so
// that a broadcast does not wait for one receiver.

func nbioNonBlocking(addr string) error { return nbio(addr, nbhttp.IOModNonBlocking) }
func nbioBlocking(addr string) error    { return nbio(addr, nbhttp.IOModBlocking) }
func nbioMixed(addr string) error       { return nbio(addr, nbhttp.IOModMixed) }

// quiet is longer than any run: idle connections are to stay.
const quiet = 24 * time.Hour

func nbio(addr string, mode int) error {
	logging.SetLevel(logging.LevelNone)
	upgrader := func() *websocket.Upgrader {
		up := websocket.NewUpgrader()
		up.CheckOrigin = func(*http.Request) bool { return true }
		up.KeepaliveTime = quiet
		up.MessageLengthLimit = maxMessage
		up.BlockingModAsyncWrite = true
		return up
	}
	echo := upgrader()
	echo.OnMessage(func(c *websocket.Conn, op websocket.MessageType, p []byte) { c.WriteMessage(op, p) })

	fanout := upgrader()
	var mu sync.Mutex
	conns := map[*websocket.Conn]struct{}{}
	fanout.OnOpen(func(c *websocket.Conn) {
		mu.Lock()
		conns[c] = struct{}{}
		mu.Unlock()
	})
	fanout.OnClose(func(c *websocket.Conn, _ error) {
		mu.Lock()
		delete(conns, c)
		mu.Unlock()
	})
	fanout.OnMessage(func(_ *websocket.Conn, op websocket.MessageType, p []byte) {
		mu.Lock()
		defer mu.Unlock()
		for c := range conns {
			c.WriteMessage(op, p)
		}
	})

	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { echo.Upgrade(w, r, nil) })
	mux.HandleFunc("/fanout", func(w http.ResponseWriter, r *http.Request) { fanout.Upgrade(w, r, nil) })
	e := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{addr}, Handler: mux, IOMod: mode,
		MaxLoad: 1_000_000, ReleaseWebsocketPayload: true, KeepaliveTime: quiet,
	})
	if err := e.Start(); err != nil {
		return err
	}
	select {}
}
