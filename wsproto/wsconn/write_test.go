package wsconn_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

func TestWrite(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		for _, s := range []string{"", "hello", strings.Repeat("x", 70_000)} {
			sent := started(func() error { return c.Write(bounded(t), frame.Binary, []byte(s)) })
			if ev := p.Event(); ev.Kind != wsproto.Message || ev.Opcode != frame.Binary || string(ev.Payload) != s {
				t.Errorf("%d bytes sent: the peer received %v %d bytes", len(s), ev.Opcode, len(ev.Payload))
			}
			if err := receive(t, sent); err != nil {
				t.Error(err)
			}
		}
	})
}

// Sending what is forbidden is this program's own mistake, and changes nothing.
func TestWriteUsage(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		ctx := bounded(t)
		for name, err := range map[string]error{
			"opcode":       c.Write(ctx, frame.Ping, nil),
			"text":         c.Write(ctx, frame.Text, []byte("\xff")),
			"close code":   c.Close(1005+1, ""),
			"close reason": c.Close(1000, strings.Repeat("x", 124)),
		} {
			if !errors.As(err, new(*wsproto.UsageError)) {
				t.Errorf("%s: error %v; want a UsageError", name, err)
			}
		}
		if _, err := c.Writer(ctx, frame.Continuation); !errors.As(err, new(*wsproto.UsageError)) {
			t.Errorf("Writer = %v; want a UsageError", err)
		}
		go c.Write(ctx, frame.Text, []byte("ok"))
		p.Expect(`text "ok"`)
	})
}

// Nothing follows a frame that was cut short, and waiting callers are told.
func TestWriteCutShort(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		reading := started(func() error { _, _, err := c.Read(bounded(t)); return err })
		ctx, cancel := context.WithCancel(context.Background())
		written := started(func() error { return c.Write(ctx, frame.Binary, make([]byte, 100)) })
		if _, err := io.ReadFull(p.NetConn(), make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		cancel()
		err := receive(t, written)
		if !errors.Is(err, context.Canceled) || !errors.Is(err, ErrClosed) {
			t.Errorf("Write = %v; want context.Canceled and ErrClosed", err)
		}
		if got := receive(t, reading); !errors.Is(got, ErrClosed) {
			t.Errorf("Read = %v; want ErrClosed", got)
		}
		if err := c.Write(bounded(t), frame.Text, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("the next Write = %v; want ErrClosed", err)
		}
		if rest, _ := io.ReadAll(p.NetConn()); len(rest) > 0 {
			t.Errorf("%d bytes follow", len(rest))
		}
	})
}

// A Write that is cancelled while it waits for its turn has sent nothing, and
// the connection goes on.
func TestWriteCancelledBefore(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		first := started(func() error { return c.Write(bounded(t), frame.Text, []byte("first")) })
		firstByte := make([]byte, 1)
		if _, err := io.ReadFull(p.NetConn(), firstByte); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		second := started(func() error { return c.Write(ctx, frame.Text, []byte("second")) })
		cancel()
		if err := receive(t, second); err != context.Canceled {
			t.Errorf("Write = %v; want context.Canceled", err)
		}
		p.Feed(firstByte)
		p.Expect(`text "first"`)
		if err := receive(t, first); err != nil {
			t.Error(err)
		}
		go c.Write(bounded(t), frame.Text, []byte("third"))
		p.Expect(`text "third"`)
	})
}

// A context that ends when everything is written has no effect any more.
func TestWriteCancelledAfter(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		for range 100 {
			ctx, cancel := context.WithCancel(context.Background())
			written := started(func() error { return c.Write(ctx, frame.Text, []byte("x")) })
			p.Expect(`text "x"`)
			cancel()
			if err := receive(t, written); err != nil {
				t.Fatalf("Write = %v", err)
			}
		}
	})
}

// A reader does not wait for a writer that the peer does not read from, and the
// pongs, which have to wait, are bounded.
func TestReadWhileWriteBlocks(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		written := started(func() error { return c.Write(bounded(t), frame.Text, []byte("blocked")) })
		firstByte := make([]byte, 1)
		if _, err := io.ReadFull(p.NetConn(), firstByte); err != nil {
			t.Fatal(err)
		}
		go func() {
			for i := range 1000 {
				p.Frame(0x89, string(bytes.Repeat([]byte{'a' + byte(i%26)}, 100)))
			}
			p.Text("through")
		}()
		expectText(t, c, `text "through"`)
		if n := c.PendingBytes(); n > MaxPending {
			t.Errorf("%d bytes of pongs wait; want at most %d", n, MaxPending)
		}
		p.Feed(firstByte)
		p.Expect(`text "blocked"`)
		if err := receive(t, written); err != nil {
			t.Error(err)
		}
		var last wsproto.Event
		for last.Kind != wsproto.Message {
			go c.Write(bounded(t), frame.Text, []byte("end"))
			ev := p.Event()
			if ev.Kind != wsproto.Pong && ev.Kind != wsproto.Message {
				t.Fatalf("the peer received %v", ev)
			}
			if ev.Kind == wsproto.Message && (last.Kind != wsproto.Pong || last.Payload[0] != 'a'+999%26) {
				t.Errorf("the last pong answers %q; want the last ping's", last.Payload)
			}
			last = ev
		}
	})
}

// R19: messages in one frame and in fragments, pings and pongs of many
// goroutines never interleave against RFC 6455 §5.4.
func TestR19ConcurrentWriters(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		const writers, each = 8, 20
		c.CloseRead(context.Background())
		var writing sync.WaitGroup
		for i := range writers {
			writing.Go(func() {
				s := strings.Repeat(string(rune('a'+i)), 3*FragmentSize)
				for n := range each {
					if i%2 == 0 {
						if err := c.Write(context.Background(), frame.Text, []byte(s[:n])); err != nil {
							t.Error(err)
						}
						continue
					}
					w, err := c.Writer(context.Background(), frame.Text)
					if err != nil {
						t.Error(err)
						continue
					}
					io.WriteString(w, s[:len(s)/2])
					w.Flush()
					io.WriteString(w, s[len(s)/2:])
					if err := w.Close(); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writing.Go(func() {
			for range each {
				p.Frame(0x89, "?")
			}
		})
		for messages := 0; messages < writers*each; {
			switch ev := p.Event(); ev.Kind {
			case wsproto.Message:
				messages++
				if s := string(ev.Payload); s != "" && strings.Trim(s, s[:1]) != "" {
					t.Error("messages are mixed up")
				}
			case wsproto.Pong:
			default:
				t.Fatalf("the peer received %v", ev.Err)
			}
		}
		writing.Wait()
	})
}

// brokenConn refuses to write.
type brokenConn struct{ net.Conn }

var errBroken = errors.New("broken pipe")

func (brokenConn) Write([]byte) (int, error) { return 0, errBroken }

// R26: a write that fails because the peer is gone says so, and the reader still
// finds out why.
func TestR26WriteFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		c := New(brokenConn{ours}, wsproto.Client, nil, handshake.Result{}, nil)
		p := wstest.NewPeer(t, theirs, wsproto.Server, nil, handshake.Result{})
		for range 2 {
			err := c.Write(bounded(t), frame.Text, nil)
			var closed *CloseError
			if !errors.As(err, &closed) || !errors.Is(err, io.EOF) || !errors.Is(err, errBroken) {
				t.Errorf("Write = %v; want 1006 for a broken pipe", err)
			}
		}
		go func() {
			p.Frame(0x88, "\x03\xf4restart")
			p.Close()
		}()
		var closed *CloseError
		if _, _, err := c.Read(bounded(t)); !errors.As(err, &closed) || closed.Code != 1012 {
			t.Errorf("Read = %v; want 1012", err)
		}
		receive(t, c.Gone())
	})
}
