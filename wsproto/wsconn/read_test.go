package wsconn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// A Read that is cancelled in the middle of a frame loses nothing.
func TestReadCancelled(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		for _, stream := range []bool{false, true} {
			c, p := pair(t, &Options{Stream: stream})
			ctx, cancel := context.WithCancel(context.Background())
			read := started(func() error {
				_, _, err := c.Read(ctx)
				return err
			})
			p.Send("\x01\x03abc\x80\x05de") // two fragments, the second cut
			cancel()
			if err := receive(t, read); err != context.Canceled {
				t.Fatalf("stream %v: Read = %v; want context.Canceled", stream, err)
			}
			if _, _, err := c.Read(ctx); err != context.Canceled {
				t.Fatalf("stream %v: Read = %v; want context.Canceled", stream, err)
			}
			go p.Write([]byte("fgh"))
			expectText(t, c, `text "abcdefgh"`)
			go p.Text("next")
			expectText(t, c, `text "next"`)
		}
	})
}

func TestReadLimit(t *testing.T) {
	over := strings.Repeat("x", 101)
	for name, stream := range map[string]bool{"F07 whole": false, "F07 streamed": true} {
		t.Run(name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, pair pairFunc) {
				c, p := pair(t, &Options{MaxMessage: 100, Stream: stream})
				go p.Frame(0x82, over[1:])
				if _, b, err := c.Read(bounded(t)); len(b) != 100 || err != nil {
					t.Fatalf("F08: Read = %d bytes, %v; want 100", len(b), err)
				}
				sent := started(func() bool { p.Frame(0x82, over); return true })
				_, _, err := c.Read(bounded(t))
				var fault *wsproto.PeerError
				if !errors.As(err, &fault) || fault.Code != wsproto.CloseMessageTooBig {
					t.Fatalf("Read = %v; want a PeerError with 1009", err)
				}
				receive(t, sent)
				p.Expect(`close 1009 "message over the size limit"`)
				if err := c.Write(bounded(t), frame.Text, nil); !errors.As(err, &fault) {
					t.Errorf("Write = %v; want the PeerError", err)
				}
			})
		})
	}
}

// A violation by the peer is reported to it and to every caller here.
func TestReadPeerError(t *testing.T) {
	for name, c := range map[string]struct {
		wire string
		code wsproto.CloseCode
	}{
		"mask":             {"", 1002},
		"F14 RSV2":         {"\xa1\x00", 1002},
		"F15 opcode 3":     {"\x83\x00", 1002},
		"F19 text":         {"\x81\x02\xc0\xaf", 1007},
		"C02 close 1005":   {"\x88\x02\x03\xed", 1002},
		"C05 close reason": {"\x88\x03\x03\xe8\xff", 1007},
	} {
		t.Run(name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, pair pairFunc) {
				conn, p := pair(t, nil)
				switch {
				case c.wire != "":
					go p.Send(c.wire)
				case conn.Role() == wsproto.Client:
					go p.Write([]byte("\x81\x80\x00\x00\x00\x00"))
				default:
					go p.Write([]byte("\x81\x00"))
				}
				_, _, err := conn.Read(bounded(t))
				var fault *wsproto.PeerError
				if !errors.As(err, &fault) || fault.Code != c.code {
					t.Fatalf("Read = %v; want a PeerError with %d", err, c.code)
				}
				if ev := p.Event(); ev.Kind != wsproto.Closed || ev.Code != c.code {
					t.Errorf("the peer received %v; want Close %d", ev, c.code)
				}
				p.Close()
				receive(t, conn.Gone())
				if err := conn.Close(wsproto.CloseNormal, ""); !errors.As(err, &fault) {
					t.Errorf("Close = %v; want the PeerError", err)
				}
			})
		})
	}
}

// A peer that vanishes is an io.EOF with 1006, also inside a message.
func TestReadVanished(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		for _, wire := range []string{"", "\x81", "\x81\x05ab", "\x01\x01a"} {
			c, p := pair(t, nil)
			go func() {
				p.Send(wire)
				p.Close()
			}()
			_, _, err := c.Read(bounded(t))
			var closed *CloseError
			if !errors.As(err, &closed) || closed.Code != wsproto.CloseAbnormal || !errors.Is(err, io.EOF) {
				t.Errorf("after %q: Read = %v; want 1006 and io.EOF", wire, err)
			}
			receive(t, c.Gone())
		}
	})
}

// Messages before the peer's Close are read, and its Close is answered.
func TestReadClosed(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		go p.Send("\x81\x01a\x81\x01b\x88\x05\x03\xe9bye\x81\x01c")
		expectText(t, c, `text "a"`)
		expectText(t, c, `text "b"`)
		_, _, err := c.Read(bounded(t))
		want := &CloseError{Code: wsproto.CloseGoingAway, Reason: "bye"}
		if d := cmp.Diff(error(want), err); d != "" {
			t.Fatalf("Read (-want +got):\n%s", d)
		}
		if errors.Is(err, io.EOF) {
			t.Error("a Close is io.EOF")
		}
		p.Expect(`close 1001 ""`)
		p.Close()
		receive(t, c.Gone())
		if err := c.Close(wsproto.CloseNormal, ""); err != nil {
			t.Errorf("Close after the peer's = %v; want nil", err)
		}
	})
}

// F18: a ping between fragments is answered, and the message intact.
func TestF18PingBetweenFragments(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		read := started(func() string { return readText(t, c) })
		p.Send("\x01\x02he\x89\x01!")
		p.Expect(`pong "!"`)
		p.Send("\x80\x03llo")
		if got := receive(t, read); got != `text "hello"` {
			t.Errorf("Read = %s", got)
		}
	})
}

// A stream is read as it arrives, whatever MaxMessage is.
func TestReaderStream(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, &Options{MaxMessage: 4, Stream: true})
		go p.Send("\x02\x03abc")
		op, r, err := c.Reader(bounded(t))
		if err != nil || op != frame.Binary {
			t.Fatalf("Reader = %v, %v", op, err)
		}
		buf := make([]byte, 2)
		n, err := io.ReadFull(r, buf)
		if n != 2 || err != nil || string(buf) != "ab" {
			t.Fatalf("Read = %q, %v", buf[:n], err)
		}
		go p.Send("\x00\x05defgh\x80\x00\x81\x02hi")
		rest, err := io.ReadAll(r)
		if string(rest) != "cdefgh" || err != nil {
			t.Fatalf("ReadAll = %q, %v", rest, err)
		}
		if n, err := r.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("Read behind the end = %d, %v", n, err)
		}
		expectText(t, c, `text "hi"`)
	})
}

// The next message ends the reader of this one.
func TestReaderPassed(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		for _, stream := range []bool{false, true} {
			c, p := pair(t, &Options{Stream: stream})
			go p.Send("\x01\x01a\x80\x01b\x81\x01c\x81\x01d")
			_, r, err := c.Reader(bounded(t))
			if err != nil {
				t.Fatal(err)
			}
			expectText(t, c, `text "c"`)
			if _, err := r.Read(make([]byte, 1)); err != ErrReaderPassed {
				t.Errorf("stream %v: Read = %v; want ErrReaderPassed", stream, err)
			}
			expectText(t, c, `text "d"`)
			c.CloseNow()
			if _, err := r.Read(make([]byte, 1)); err != ErrClosed {
				t.Errorf("stream %v: Read after the end = %v; want ErrClosed", stream, err)
			}
		}
	})
}

// Several readers share the messages.
func TestReadConcurrent(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		const readers, messages = 4, 100
		c, p := pair(t, nil)
		got := make(chan string, messages)
		for range readers {
			go func() {
				for {
					_, b, err := c.Read(context.Background())
					if err != nil {
						return
					}
					got <- string(b)
				}
			}()
		}
		counts := make(map[string]int)
		for i := range messages {
			p.Text(string(rune('a' + i%26)))
		}
		for range messages {
			counts[receive(t, got)]++
		}
		if counts["a"] != 4 || counts["z"] != 3 || len(counts) != 26 {
			t.Errorf("received %v", counts)
		}
	})
}

// A program that only writes answers pings and learns of the end.
func TestCloseRead(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		ctx := c.CloseRead(context.Background())
		p.Frame(0x89, "hi")
		p.Expect(`pong "hi"`)
		pinged := started(func() error { _, err := c.Ping(bounded(t)); return err })
		p.Expect(`ping "1"`)
		p.Frame(0x8a, "1")
		if err := receive(t, pinged); err != nil {
			t.Errorf("Ping = %v", err)
		}
		p.Text("surprise")
		p.Expect(`close 1008 "unexpected message"`)
		p.Frame(0x88, "\x03\xf0")
		p.Close()
		receive(t, ctx.Done())
		var closed *CloseError
		if err := context.Cause(ctx); !errors.As(err, &closed) || closed.Code != wsproto.ClosePolicyViolation || !closed.Local {
			t.Errorf("cause = %v; want 1008 of this side", err)
		}
	})
}

// The cause of CloseRead's context says how the connection ended.
func TestCloseReadCause(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		for name, tt := range map[string]struct {
			end  func(c *Conn, p *wstest.Peer)
			want error
		}{
			"the peer's Close": {func(c *Conn, p *wstest.Peer) { p.Frame(0x88, "\x0f\xa1expired") }, &CloseError{Code: 4001, Reason: "expired"}},
			"vanished":         {func(c *Conn, p *wstest.Peer) { p.Close() }, &CloseError{Code: wsproto.CloseAbnormal, Err: io.EOF}},
			"CloseNow":         {func(c *Conn, p *wstest.Peer) { c.CloseNow() }, ErrClosed},
		} {
			c, p := pair(t, nil)
			ctx := c.CloseRead(context.Background())
			tt.end(c, p)
			receive(t, ctx.Done())
			if err := context.Cause(ctx); !reflect.DeepEqual(err, tt.want) {
				t.Errorf("%s: cause = %v; want %v", name, err, tt.want)
			}
		}
		c, _ := pair(t, nil)
		own := errors.New("mine")
		parent, cancel := context.WithCancelCause(context.Background())
		ctx := c.CloseRead(parent)
		cancel(own)
		receive(t, ctx.Done())
		if err := context.Cause(ctx); err != own {
			t.Errorf("cause = %v; want the parent's", err)
		}
	})
}

// A limit that is changed applies to the next message, and to the rest of one that has
// begun.
func TestSetMaxMessage(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, &Options{MaxMessage: 4})
		go p.Text("1234")
		expectText(t, c, `text "1234"`)
		c.SetMaxMessage(8)
		go p.Text("12345678")
		expectText(t, c, `text "12345678"`)
		c.SetMaxMessage(0)
		big := strings.Repeat("x", wsproto.DefaultMaxMessage)
		go p.Text(big)
		if _, b, err := c.Read(bounded(t)); len(b) != len(big) || err != nil {
			t.Fatalf("Read = %d bytes, %v", len(b), err)
		}
		read := started(func() error { _, _, err := c.Read(bounded(t)); return err })
		p.Send("\x01\x03abc")
		synctest.Wait()
		c.SetMaxMessage(4)
		p.Send("\x80\x02de")
		p.Expect(`close 1009 "message over the size limit"`)
		if err := receive(t, read); !errors.As(err, new(*wsproto.PeerError)) {
			t.Errorf("Read = %v; want a PeerError", err)
		}
	})
}

// A large buffer is held while a message is incomplete, and not while nothing arrives.
func TestReadBuffer(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		for _, n := range []int{0, 1, 2<<10 - 8, 2 << 10, 3 << 10, 16 << 10, 60000} {
			read := started(func() string { return readText(t, c) })
			text := strings.Repeat("x", n)
			p.Text(text)
			if got := receive(t, read); got != fmt.Sprintf("text %q", text) {
				t.Fatalf("%d bytes: Read = %.20s", n, got)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		idle := started(func() error { _, _, err := c.Read(ctx); return err })
		synctest.Wait()
		if c.Busy() {
			t.Error("an idle connection holds a large buffer")
		}
		go p.Send("\x01\x01a\x80\x05b")
		synctest.Wait()
		if !c.Busy() {
			t.Error("the rest of a message is read into a small buffer")
		}
		cancel()
		if err := receive(t, idle); err != context.Canceled {
			t.Errorf("Read = %v", err)
		}
		go p.Write([]byte("cdef"))
		expectText(t, c, `text "abcdef"`)
	})
}
