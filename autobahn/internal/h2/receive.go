package h2

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/http2"

	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// This file owns what the peer may send.

func violatef(format string, args ...any) error { return &Violation{fmt.Sprintf(format, args...)} }

// read handles frames until the connection ends, and then tells every stream.
func (c *Conn) read() {
	defer close(c.done)
	err := c.begin()
	fr := http2.NewFramer(io.Discard, c.br)
	fr.SetMaxReadFrameSize(maxFrame)
	for first := true; err == nil; first = false {
		var f http2.Frame
		if f, err = fr.ReadFrame(); err != nil {
			err = illegal(err)
			break
		}
		if _, ok := f.(*http2.SettingsFrame); first && !ok {
			err = violatef("the first frame is %v, not SETTINGS", f.Header().Type)
			break
		}
		err = c.frame(fr, f)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	var v *Violation
	if errors.As(err, &v) && c.violation == nil {
		c.violation = v
		c.fr.WriteGoAway(c.newest, http2.ErrCodeProtocol, []byte(v.What))
	}
	if c.err = err; err == io.EOF {
		c.err = errors.New("the HTTP/2 connection was closed")
	}
	c.closing = true
	c.cond.Broadcast()
}

// begin reads the rest of a client's preface, and notices a server that answers in HTTP/1.
func (c *Conn) begin() error {
	if !c.cfg.Client {
		const rest = "SM\r\n\r\n"
		b := make([]byte, len(rest))
		if _, err := io.ReadFull(c.br, b); err != nil || string(b) != rest {
			return violatef("the client's preface ends with %q", b)
		}
		return nil
	}
	if b, err := c.br.Peek(5); err == nil && string(b) == "HTTP/" {
		return fmt.Errorf("%w: it is HTTP/1", ErrNotHTTP2)
	}
	return nil
}

// illegal translates the framer's errors.
func illegal(err error) error {
	var conn http2.ConnectionError
	var stream http2.StreamError
	switch {
	case errors.Is(err, http2.ErrFrameTooLarge):
		return violatef("a frame of more than %d bytes, the SETTINGS_MAX_FRAME_SIZE", maxFrame)
	case errors.As(err, &conn):
		return violatef("a malformed frame: %v", http2.ErrCode(conn))
	case errors.As(err, &stream):
		return violatef("a malformed frame on stream %d: %v", stream.StreamID, stream.Code)
	}
	return err
}

// frame takes a frame.
func (c *Conn) frame(fr *http2.Framer, f http2.Frame) error {
	switch f := f.(type) {
	case *http2.HeadersFrame:
		return c.headers(fr, f)
	case *http2.PushPromiseFrame:
		return violatef("a PUSH_PROMISE frame, although SETTINGS_ENABLE_PUSH is 0")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.cond.Broadcast()
	switch f := f.(type) {
	case *http2.DataFrame:
		return c.data(f)
	case *http2.SettingsFrame:
		return c.set(f)
	case *http2.PingFrame:
		return c.ping(f)
	case *http2.GoAwayFrame:
		c.log(false, "GOAWAY, last stream %d, %v %q", f.LastStreamID, f.ErrCode, f.DebugData())
		c.goAway = &GoAway{f.ErrCode}
	case *http2.WindowUpdateFrame:
		c.log(false, "WINDOW_UPDATE, stream %d, %d", f.StreamID, f.Increment)
		if f.StreamID == 0 {
			c.window += int64(f.Increment)
		} else if s := c.streams[f.StreamID]; s != nil {
			s.window += int64(f.Increment)
		} else if c.idle(f.StreamID) {
			return violatef("a WINDOW_UPDATE frame on stream %d, which is idle", f.StreamID)
		}
	case *http2.RSTStreamFrame:
		c.log(false, "RST_STREAM, stream %d, %v", f.StreamID, f.ErrCode)
		if s := c.streams[f.StreamID]; s != nil {
			s.wasReset(f.ErrCode)
		} else if c.idle(f.StreamID) {
			return violatef("an RST_STREAM frame on stream %d, which is idle", f.StreamID)
		}
	}
	return nil
}

// idle reports whether a stream has not been opened. mu is held.
func (c *Conn) idle(id uint32) bool {
	if (id%2 == 1) == c.cfg.Client {
		return id >= c.nextID
	}
	return id > c.newest
}

// data takes a DATA frame. mu is held.
func (c *Conn) data(f *http2.DataFrame) error {
	n := int64(f.Length) // with its padding
	if c.allowed -= n; c.allowed < 0 {
		return violatef("DATA of %d bytes, %d more than the connection's window", n, -c.allowed)
	}
	if !c.cfg.HoldConn && n > 0 {
		c.allowed += n
		c.fr.WriteWindowUpdate(0, uint32(n))
	}
	s := c.streams[f.StreamID]
	if s == nil {
		return violatef("a DATA frame on stream %d, which is idle", f.StreamID)
	}
	return s.data(f.Data(), n, f.StreamEnded())
}

// set takes a SETTINGS frame. mu is held.
func (c *Conn) set(f *http2.SettingsFrame) error {
	if f.IsAck() {
		if len(c.changing) == 0 {
			return violatef("a SETTINGS acknowledgement without SETTINGS")
		}
		c.log(false, "SETTINGS acknowledged")
		for _, s := range c.streams {
			s.allowed += c.changing[0] - c.ours
		}
		c.ours, c.changing = c.changing[0], c.changing[1:]
		return nil
	}
	values := map[http2.SettingID]uint32{}
	var text []string
	err := f.ForeachSetting(func(s http2.Setting) error {
		if s.Valid() != nil {
			return violatef("the setting %v", s)
		}
		values[s.ID] = s.Val
		text = append(text, s.String())
		switch s.ID {
		case http2.SettingInitialWindowSize:
			for _, st := range c.streams {
				st.window += int64(s.Val) - c.initial
			}
			c.initial = int64(s.Val)
		case http2.SettingMaxFrameSize:
			c.maxFrame = int(min(s.Val, 1<<20))
		case http2.SettingHeaderTableSize:
			c.enc.SetMaxDynamicTableSize(min(s.Val, 4096))
		}
		return nil
	})
	c.log(false, "SETTINGS %s", strings.Join(text, " "))
	c.settings = append(c.settings, values)
	c.fr.WriteSettingsAck()
	return err
}

// ping takes a PING frame. mu is held.
func (c *Conn) ping(f *http2.PingFrame) error {
	if !f.IsAck() {
		c.fr.WritePing(true, f.Data)
		return nil
	}
	done, ok := c.pings[f.Data]
	if !ok {
		return violatef("a PING acknowledgement with %x, which was not sent", f.Data)
	}
	c.log(false, "PING %x acknowledged", f.Data)
	delete(c.pings, f.Data)
	if done != nil {
		go done()
	}
	return nil
}

// headers reads a header block, which may span several frames.
func (c *Conn) headers(fr *http2.Framer, f *http2.HeadersFrame) error {
	id, ended := f.StreamID, f.StreamEnded()
	c.fields = nil
	_, err := c.dec.Write(f.HeaderBlockFragment())
	size := len(f.HeaderBlockFragment())
	for done := f.HeadersEnded(); !done && err == nil; {
		next, readErr := fr.ReadFrame()
		if readErr != nil {
			return illegal(readErr)
		}
		more, ok := next.(*http2.ContinuationFrame) // the framer sees to that
		if !ok {
			return violatef("a %v frame inside a header block", next.Header().Type)
		}
		if size += len(more.HeaderBlockFragment()); size > wire.MaxHead {
			return violatef("a header block of more than %d bytes", wire.MaxHead)
		}
		_, err = c.dec.Write(more.HeaderBlockFragment())
		done = more.HeadersEnded()
	}
	if err == nil {
		err = c.dec.Close()
	}
	if err != nil {
		return violatef("a header block that cannot be decoded: %v", err)
	}
	h := &wire.Head{Fields: c.fields}
	h.Raw = rawHead(c.fields)
	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.cond.Broadcast()
	if s := c.streams[id]; s != nil {
		return s.headers(h, ended)
	}
	if c.cfg.Client || id%2 == 0 || id <= c.newest {
		return violatef("a HEADERS frame on stream %d, which the peer cannot open", id)
	}
	c.newest = id
	if !c.announced && h.Get(":protocol") != "" {
		c.early = true
	}
	s := c.newStream(id)
	s.head, s.ended = h, ended
	if c.cfg.Accept != nil {
		c.accept.Go(func() {
			c.Announced()
			c.cfg.Accept(s)
		})
	}
	return nil
}

// rawHead is a head in the form in which it is shown, one field a line.
func rawHead(fields []wire.Field) []byte {
	var b strings.Builder
	for _, f := range fields {
		b.WriteString(f.Name + ": " + f.Value + "\r\n")
	}
	return []byte(b.String() + "\r\n")
}
