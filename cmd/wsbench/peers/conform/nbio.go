package main

import (
	"net/http"
	"sync"
	"time"

	"github.com/lesismal/nbio/logging"
	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
)

func serveNbio(addr string) error {
	logging.SetLevel(logging.LevelNone)
	up := nbioOptions()
	e := nbhttp.NewEngine(nbhttp.Config{Network: "tcp", Addrs: []string{addr}, ReleaseWebsocketPayload: true,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { up.Upgrade(w, r, nil) })})
	if err := e.Start(); err != nil {
		return err
	}
	select {}
}

// nbioEngine reads for all clients.
var nbioEngine = sync.OnceValues(func() (*nbhttp.Engine, error) {
	logging.SetLevel(logging.LevelNone)
	e := nbhttp.NewEngine(nbhttp.Config{ReleaseWebsocketPayload: true})
	return e, e.Start()
})

func echoNbio(url string) error {
	e, err := nbioEngine()
	if err != nil {
		return err
	}
	closed := make(chan struct{})
	o := nbioOptions()
	ended := sync.OnceFunc(func() { close(closed) })
	o.OnClose(func(*websocket.Conn, error) { ended() })
	d := websocket.Dialer{Engine: e, Options: o, DialTimeout: 10 * time.Second, EnableCompression: true}
	if _, _, err := d.Dial(url, nil); err != nil {
		return err
	}
	<-closed
	return nil
}

// nbioOptions are both roles'.
func nbioOptions() *websocket.Options {
	o := websocket.NewOptions()
	o.CheckOrigin = func(*http.Request) bool { return true }
	o.MessageLengthLimit = maxMessage
	o.EnableCompression(true)
	o.OnMessage(func(c *websocket.Conn, op websocket.MessageType, p []byte) {
		c.EnableWriteCompression(true)
		c.WriteMessage(op, p)
	})
	return o
}
