package main

import (
	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

// adapter ties the chat to the reactor: neither knows the other. A connection's
// value is its session.
type adapter struct{ hub *chat.Hub }

func (a *adapter) OnOpen(c server.Conn) {
	info := chat.PeerInfo{RemoteAddr: c.RemoteAddr()}
	info.UserID, _ = c.Value().(string) // what certified returned, if it was asked
	c.SetValue(a.hub.Open(peer{c}, info))
}

func (a *adapter) OnMessage(c server.Conn, op frame.Opcode, p []byte) {
	c.Value().(*chat.Session).Handle(op, p)
}

func (a *adapter) OnClose(c server.Conn, err error) {
	if s, ok := c.Value().(*chat.Session); ok { // unless OnOpen failed
		s.Closed()
	}
}

// peer is a connection as the hub sees it.
type peer struct{ c server.Conn }

func (p peer) SendPrepared(m *wsproto.Prepared) error      { return p.c.SendPrepared(m) }
func (p peer) Close(code wsproto.CloseCode, reason string) { p.c.Close(code, reason) }
func (p peer) Pause(on bool)                               { p.c.Pause(on) }

// group is a server.Group as the hub sees it. Who does not keep up is closed,
// and comes back for what it missed.
type group struct{ g *server.Group }

func (g group) Join(p chat.Peer)         { g.g.Join(p.(peer).c) } // fails only for one that is gone
func (g group) Leave(p chat.Peer)        { g.g.Leave(p.(peer).c) }
func (g group) Send(m *wsproto.Prepared) { g.g.Send(m, server.Evict) }
