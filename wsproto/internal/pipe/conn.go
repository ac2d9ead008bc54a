package pipe

import (
	"io"
	"net"
	"time"
)

// Conn is one end of a connection in memory.
type Conn struct{ in, out *Stream }

// New returns the two ends of a connection whose directions hold up to limit bytes each.
func New(limit int) (a, b *Conn) {
	ab, ba := NewStream(limit), NewStream(limit)
	return &Conn{in: ba, out: ab}, &Conn{in: ab, out: ba}
}

func (c *Conn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *Conn) Write(p []byte) (int, error) { return c.out.Write(p) }

// CloseWrite ends the direction to the other end.
func (c *Conn) CloseWrite() error {
	c.out.CloseWrite(io.EOF)
	return nil
}

// Close ends both directions.
func (c *Conn) Close() error {
	c.out.CloseWrite(io.EOF)
	c.in.CloseRead()
	return nil
}

func (c *Conn) SetReadDeadline(t time.Time) error {
	c.in.SetReadDeadline(t)
	return nil
}

func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.out.SetWriteDeadline(t)
	return nil
}

func (c *Conn) SetDeadline(t time.Time) error {
	c.in.SetReadDeadline(t)
	c.out.SetWriteDeadline(t)
	return nil
}

func (c *Conn) LocalAddr() net.Addr  { return addr{} }
func (c *Conn) RemoteAddr() net.Addr { return addr{} }

type addr struct{}

func (addr) Network() string { return "pipe" }
func (addr) String() string  { return "pipe" }
