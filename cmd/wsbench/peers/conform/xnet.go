package main

import (
	"net/http"
	"net/url"

	"golang.org/x/net/websocket"
)

func serveXnet(addr string) error {
	return http.ListenAndServe(addr, websocket.Server{Handler: xnetEcho})
}

func echoXnet(target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return err
	}
	c, err := websocket.Dial(target, "", "http://"+u.Host)
	if err != nil {
		return err
	}
	xnetEcho(c)
	return nil
}

// xnetMessage keeps messages whole, and text apart from binary.
type xnetMessage struct {
	p  []byte
	op byte
}

var xnetCodec = websocket.Codec{
	Marshal: func(v any) ([]byte, byte, error) {
		m := v.(*xnetMessage)
		return m.p, m.op, nil
	},
	Unmarshal: func(p []byte, op byte, v any) error {
		*v.(*xnetMessage) = xnetMessage{p, op}
		return nil
	},
}

func xnetEcho(c *websocket.Conn) {
	defer c.Close()
	c.MaxPayloadBytes = maxMessage
	for m := new(xnetMessage); xnetCodec.Receive(c, m) == nil && xnetCodec.Send(c, m) == nil; {
	}
}
