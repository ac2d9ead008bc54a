package main

import (
	"net/http"
	"time"

	"github.com/lxzan/gws"
)

var gwsDeflate = gws.PermessageDeflate{Enabled: true, ServerContextTakeover: true, ClientContextTakeover: true, ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}

func serveGWS(addr string) error {
	up := gws.NewUpgrader(gwsEcho{}, &gws.ServerOption{
		Recovery: gws.Recovery, ReadMaxPayloadSize: maxMessage, WriteMaxPayloadSize: maxMessage,
		CheckUtf8Enabled: true, PermessageDeflate: gwsDeflate,
	})
	return http.ListenAndServe(addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := up.Upgrade(w, r); err == nil {
			go c.ReadLoop()
		}
	}))
}

func echoGWS(url string) error {
	c, _, err := gws.NewClient(gwsEcho{}, &gws.ClientOption{
		Addr: url, HandshakeTimeout: 10 * time.Second, Recovery: gws.Recovery,
		ReadMaxPayloadSize: maxMessage, WriteMaxPayloadSize: maxMessage,
		CheckUtf8Enabled: true, PermessageDeflate: gwsDeflate,
	})
	if err != nil {
		return err
	}
	c.ReadLoop()
	return nil
}

type gwsEcho struct{ gws.BuiltinEventHandler }

func (gwsEcho) OnMessage(c *gws.Conn, m *gws.Message) {
	defer m.Close()
	c.WriteMessage(m.Opcode, m.Bytes())
}

// OnPing answers, which gws leaves to its users.
func (gwsEcho) OnPing(c *gws.Conn, p []byte) { c.WritePong(p) }
