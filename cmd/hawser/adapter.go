package main

import (
	"github.com/hawser-ws/hawser/chat"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
)

// adapter ties the chat to the reactor: neither knows the other. A connection's
// value is its part in the chat.
type adapter struct {
	hub   *chat.Hub
	watch *watch

	inheritance *inheritance // while connections are taken over; otherwise nil
}

func (a *adapter) OnOpen(c server.LoopConn) {
	info := chat.ConnectionInfo{RemoteAddr: c.RemoteAddr()}
	info.UserID, _ = c.Value().(string) // what certified returned, if it was asked
	c.SetValue(a.hub.Open(socket{c.Conn()}, info))
}

func (a *adapter) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) {
	if conn, ok := c.Value().(*chat.Connection); ok { // unless OnOpen failed
		conn.Handle(op, p)
	}
}

func (a *adapter) OnClose(c server.LoopConn, err error) {
	if conn, ok := c.Value().(*chat.Connection); ok { // unless OnOpen failed
		a.watch.ended(conn, err)
		conn.Closed()
	}
}

// Freeze implements server.Freezer.
func (a *adapter) Freeze(c server.LoopConn) []byte {
	if conn, ok := c.Value().(*chat.Connection); ok {
		return conn.Freeze()
	}
	return nil // it is about to end
}

// Thaw implements server.Freezer.
func (a *adapter) Thaw(c server.LoopConn, state []byte) error {
	if len(state) == 0 {
		return nil
	}
	in := a.inheritance
	conn, err := in.hub.Open(in.ctx, socket{c.Conn()}, c.RemoteAddr, state)
	c.SetValue(conn)
	return err
}

// socket is a connection as the hub sees it.
type socket struct{ c server.Conn }

// SendPrepared evicts a connection that has no room for the message.
func (p socket) SendPrepared(m *wsproto.Prepared) error {
	err := p.c.SendPrepared(m)
	if err == server.ErrQueueFull || err == server.ErrBusy {
		p.c.Evict()
	}
	return err
}

func (p socket) Close(code wsproto.CloseCode, reason string) { p.c.Close(code, reason) }
func (p socket) Flushed(f func(int))                         { p.c.Flushed(f) }
func (p socket) Pause(on bool)                               { p.c.Pause(on) }

// group is a server.Group as the hub sees it.
type group struct{ g *server.Group }

func (g group) Join(p chat.Socket)  { g.g.Join(p.(socket).c) } // fails only for one that is gone
func (g group) Leave(p chat.Socket) { g.g.Leave(p.(socket).c) }

func (g group) Send(m *wsproto.Prepared, u chat.Urgency) {
	switch u.Level {
	case chat.NewestOnly:
		g.g.SendNewest(m, u.State)
	case chat.MayBeDropped:
		g.g.Send(m, server.Drop)
	default:
		if g.g.Send(m, server.Evict) == server.ErrBusy {
			// Members that miss a message must load the history again.
			g.g.Close(wsproto.CloseTryAgainLater, "server is overloaded")
		}
	}
}
