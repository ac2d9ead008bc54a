// Command centrifugo is a server that speaks Centrifugo's protocol, by the library
// that Centrifugo is made of, so that wsbench's file for it can be tried out:
//
//	centrifugo -addr 127.0.0.1:8000
//	wsbench fanout --scenario centrifugo --url ws://127.0.0.1:8000/connection/websocket …
//
// Anybody may connect, subscribe and publish; a client is named "bench".
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/centrifugal/centrifuge"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8000", "`address` to listen on")
	flag.Parse()
	log.Fatal(serve(*addr))
}

func serve(addr string) error {
	node, err := centrifuge.New(centrifuge.Config{})
	if err != nil {
		return err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{UserID: "bench"}}, nil
	})
	node.OnConnect(func(c *centrifuge.Client) {
		c.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{}, nil)
		})
		c.OnPublish(func(_ centrifuge.PublishEvent, done centrifuge.PublishCallback) {
			done(centrifuge.PublishReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		CheckOrigin: func(*http.Request) bool { return true },
		// Often, so that a short run meets one.
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: 500 * time.Millisecond, PongTimeout: 400 * time.Millisecond},
	}))
	return http.ListenAndServe(addr, mux)
}
