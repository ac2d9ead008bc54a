package wsconn_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// A stream passes through messages, whatever their boundaries, and ends as it should.
func TestNetConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := wstest.Pipe(t, nil)
		a := NetConn(t.Context(), client, frame.Binary)
		b := NetConn(t.Context(), server, frame.Binary)
		sent := strings.Repeat("0123456789", 30_000)
		go func() {
			io.Copy(a, strings.NewReader(sent))
			a.Write(nil) // nothing
			a.Close()
		}()
		got, err := io.ReadAll(b)
		if string(got) != sent || err != nil {
			t.Errorf("received %d bytes, %v; want %d", len(got), err, len(sent))
		}
		client, server = wstest.Pipe(t, nil)
		a, b = NetConn(t.Context(), client, frame.Text), NetConn(t.Context(), server, frame.Text)
		sent = "x" + strings.Repeat("€", 30_000)
		go func() {
			if n, err := io.WriteString(a, sent); n != len(sent) || err != nil {
				t.Errorf("Write = %d, %v", n, err)
			}
			a.Close()
		}()
		if got, err := io.ReadAll(b); string(got) != sent || err != nil {
			t.Errorf("received %d bytes of text, %v; want %d", len(got), err, len(sent))
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write after Close = %v; want net.ErrClosed", err)
		}
	})
}

// A deadline interrupts a Read, which loses nothing, in the middle of a frame, too.
func TestNetConnReadDeadline(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, &Options{Stream: true})
		nc := NetConn(t.Context(), c, frame.Binary)
		start := time.Now()
		nc.SetReadDeadline(start.Add(time.Hour))
		buf := make([]byte, 10)
		read := started(func() error { _, err := nc.Read(buf); return err })
		synctest.Wait()
		nc.SetReadDeadline(start.Add(time.Second)) // of the Read in progress
		if err := receive(t, read); err != os.ErrDeadlineExceeded || time.Since(start) != time.Second {
			t.Errorf("Read = %v after %v; want the deadline after 1 s", err, time.Since(start))
		}
		if _, err := nc.Read(buf); err != os.ErrDeadlineExceeded {
			t.Errorf("Read = %v; want the deadline", err)
		}
		nc.SetDeadline(time.Time{})
		go p.Send("\x82\x04ab")
		if n, err := nc.Read(buf); string(buf[:n]) != "ab" || err != nil {
			t.Errorf("Read = %q, %v", buf[:n], err)
		}
		nc.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := nc.Read(buf); err != os.ErrDeadlineExceeded {
			t.Errorf("Read = %v; want the deadline", err)
		}
		nc.SetReadDeadline(time.Time{})
		go p.Write([]byte("cd"))
		if n, err := nc.Read(buf); string(buf[:n]) != "cd" || err != nil {
			t.Errorf("Read = %q, %v", buf[:n], err)
		}
	})
}

func TestNetConnWriteDeadline(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		nc := NetConn(t.Context(), c, frame.Binary)
		nc.SetWriteDeadline(time.Unix(1, 0))
		if _, err := nc.Write([]byte("early")); err != os.ErrDeadlineExceeded {
			t.Errorf("Write = %v; want the deadline", err)
		}
		nc.SetWriteDeadline(time.Time{})
		written := started(func() error { _, err := nc.Write([]byte("sent")); return err })
		p.Expect(`binary "sent"`)
		if err := receive(t, written); err != nil {
			t.Errorf("Write = %v", err)
		}
		nc.SetWriteDeadline(time.Now().Add(time.Second))
		written = started(func() error { _, err := nc.Write([]byte("cut")); return err })
		io.ReadFull(p.NetConn(), make([]byte, 1))
		if err := receive(t, written); err != os.ErrDeadlineExceeded {
			t.Errorf("Write = %v; want the deadline", err)
		}
		if _, err := nc.Write([]byte("late")); !errors.Is(err, net.ErrClosed) && err != os.ErrDeadlineExceeded {
			t.Errorf("Write after a cut = %v", err)
		}
	})
}

func TestNetConnEnds(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		for wire, want := range map[string]error{"\x88\x02\x03\xe8": io.EOF, "\x88\x02\x03\xe9": io.EOF, "\x88\x00": io.EOF, "\x88\x02\x0f\xa1": &CloseError{Code: 4001}} {
			c, p := pair(t, nil)
			nc := NetConn(t.Context(), c, frame.Binary)
			go p.Send(wire)
			if _, err := nc.Read(make([]byte, 1)); err.Error() != want.Error() {
				t.Errorf("Read = %v; want %v", err, want)
			}
		}
		c, p := pair(t, nil)
		nc := NetConn(t.Context(), c, frame.Binary)
		read := started(func() error { _, err := nc.Read(make([]byte, 1)); return err })
		p.Text("text")
		p.Expect(`close 1003 "unexpected text message"`)
		p.Close()
		var end *CloseError
		if err := receive(t, read); !errors.As(err, &end) || end.Code != wsproto.CloseUnsupportedData || !end.Local {
			t.Errorf("Read = %v; want 1003 of this side", err)
		}

		c, _ = pair(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		nc = NetConn(ctx, c, frame.Binary)
		cancel()
		if _, err := nc.Read(make([]byte, 1)); err != context.Canceled {
			t.Errorf("Read = %v; want context.Canceled", err)
		}
	})
}

func TestJSON(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		type greeting struct{ Hello string }
		go c.WriteJSON(t.Context(), greeting{"world"})
		p.Expect(`text "{\"Hello\":\"world\"}"`)
		if err := c.WriteJSON(t.Context(), make(chan int)); !errors.As(err, new(*json.UnsupportedTypeError)) {
			t.Errorf("WriteJSON = %v; want an UnsupportedTypeError", err)
		}
		go p.Send("\x82\x01{\x81\x0d{\"Hello\":\"x\"}")
		var g greeting
		if err := c.ReadJSON(t.Context(), &g); !errors.As(err, new(*json.SyntaxError)) {
			t.Errorf("ReadJSON = %v; want a SyntaxError", err)
		}
		if err := c.ReadJSON(t.Context(), &g); g.Hello != "x" || err != nil {
			t.Errorf("ReadJSON = %+v, %v", g, err)
		}
		go p.Frame(0x88, "")
		if err := c.ReadJSON(t.Context(), &g); !errors.As(err, new(*CloseError)) {
			t.Errorf("ReadJSON = %v; want a CloseError", err)
		}
	})
}
