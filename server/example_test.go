package server_test

import (
	"log"
	"net/http"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
)

type echo struct{}

func (echo) OnOpen(c server.LoopConn)                               {}
func (echo) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) { c.Send(op, p) }
func (echo) OnClose(c server.LoopConn, err error)                   {}

// An echo server beside whatever else an http.Server serves.
func Example() {
	s, err := server.New(server.Config{Handler: echo{}})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/ws", s)
	log.Fatal(http.ListenAndServe("127.0.0.1:9001", nil))
}
