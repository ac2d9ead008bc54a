package main

import (
	"net/http"

	"golang.org/x/net/websocket"
)

// xnet uses a Codec of its own, which keeps messages whole and knows text from
// binary. A Server without a Handshake function asks for no Origin header. The
// package's documentation itself recommends other libraries.
func xnet(addr string) error {
	type message struct {
		p  []byte
		op byte
	}
	codec := websocket.Codec{
		Marshal: func(v any) ([]byte, byte, error) {
			m := v.(*message)
			return m.p, m.op, nil
		},
		Unmarshal: func(p []byte, op byte, v any) error {
			*v.(*message) = message{p, op}
			return nil
		},
	}
	echo := websocket.Server{Handler: func(c *websocket.Conn) {
		c.MaxPayloadBytes = maxMessage
		for m := new(message); codec.Receive(c, m) == nil && codec.Send(c, m) == nil; {
		}
	}}
	var h hub[*message]
	fanout := websocket.Server{Handler: func(c *websocket.Conn) {
		c.MaxPayloadBytes = maxMessage
		defer h.join(func(m *message) error { return codec.Send(c, m) })()
		for {
			m := new(message)
			if codec.Receive(c, m) != nil {
				return
			}
			h.send(m)
		}
	}}
	mux := http.NewServeMux()
	mux.Handle("/", echo)
	mux.Handle("/fanout", fanout)
	return http.ListenAndServe(addr, mux)
}
