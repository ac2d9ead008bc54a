package main

import (
	"net"
	"strings"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// gobwas follows its README: the zero-copy upgrade on the accepted connection,
// and the wsutil helpers with a limit. A broadcast is a frame compiled once.
func gobwas(addr string) error {
	wsutil.SetMaxMessageSize(maxMessage)
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	var h hub[[]byte]
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer c.Close()
			fanout := false
			up := ws.Upgrader{OnRequest: func(uri []byte) error {
				fanout = strings.HasPrefix(string(uri), "/fanout")
				return nil
			}}
			if _, err := up.Upgrade(c); err != nil {
				return
			}
			if fanout {
				defer h.join(func(b []byte) error { _, err := c.Write(b); return err })()
			}
			for {
				p, op, err := wsutil.ReadClientData(c)
				if err != nil {
					return
				}
				if !fanout {
					if wsutil.WriteServerMessage(c, op, p) != nil {
						return
					}
					continue
				}
				b, err := ws.CompileFrame(ws.NewFrame(op, true, p))
				if err != nil {
					return
				}
				h.send(b)
			}
		}()
	}
}
