package wsconn_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
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

// A deadline that is replaced at the moment when it passes does not end later calls.
func TestNetConnDeadlineReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, peer := wstest.Pipe(t, nil)
		nc := NetConn(t.Context(), c, frame.Binary)
		for range 500 {
			nc.SetReadDeadline(time.Now().Add(time.Second))
			time.Sleep(time.Second)
			nc.SetReadDeadline(time.Now().Add(time.Hour))
			if err := peer.Write(t.Context(), frame.Binary, []byte("x")); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if _, err := nc.Read(make([]byte, 1)); err != nil {
				t.Fatalf("Read = %v, an hour before the deadline", err)
			}
		}
	})
}

// children is a context that counts the contexts that depend on it.
type children struct {
	context.Context
	n atomic.Int32
}

func (c *children) Done() <-chan struct{} { return make(chan struct{}) }

func (c *children) AfterFunc(func()) func() bool {
	c.n.Add(1)
	return func() bool { c.n.Add(-1); return true }
}

// A net.Conn that has been closed leaves nothing in a context that lives on.
func TestNetConnCloseReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 100 {
			c, peer := wstest.Pipe(t, nil)
			parent := &children{Context: context.Background()}
			nc := NetConn(parent, c, frame.Binary)
			nc.SetDeadline(time.Now().Add(time.Hour))
			read := started(func() error { _, err := nc.Read(make([]byte, 1)); return err })
			go peer.Read(t.Context())
			synctest.Wait()
			if err := nc.Close(); err != nil {
				t.Errorf("Close = %v", err)
			}
			if err := receive(t, read); !errors.Is(err, net.ErrClosed) {
				t.Fatalf("the Read in progress = %v; want net.ErrClosed", err)
			}
			nc.SetDeadline(time.Now().Add(time.Hour))
			if _, err := nc.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Fatalf("Read = %v; want net.ErrClosed", err)
			}
			if _, err := nc.Write(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Fatalf("Write = %v; want net.ErrClosed", err)
			}
			if n := parent.n.Load(); n != 0 {
				t.Fatalf("%d contexts are left", n)
			}
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
