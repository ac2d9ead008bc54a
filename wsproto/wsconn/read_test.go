package wsconn

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// A Read that is cancelled in the middle of a frame loses nothing.
func TestReadCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, stream := range []bool{false, true} {
			c, p := pair(t, &Options{Stream: stream})
			ctx, cancel := context.WithCancel(context.Background())
			read := started(func() error {
				_, _, err := c.Read(ctx)
				return err
			})
			p.raw([]byte("\x01\x03abc\x80\x05de")) // two fragments, the second cut
			cancel()
			if err := receive(t, read); err != context.Canceled {
				t.Fatalf("stream %v: Read = %v; want context.Canceled", stream, err)
			}
			if _, _, err := c.Read(ctx); err != context.Canceled {
				t.Fatalf("stream %v: Read = %v; want context.Canceled", stream, err)
			}
			go p.raw([]byte("fgh"))
			expectText(t, c, `text "abcdefgh"`)
			go p.text("next")
			expectText(t, c, `text "next"`)
		}
	})
}

func TestReadLimit(t *testing.T) {
	over := strings.Repeat("x", 101)
	for name, stream := range map[string]bool{"F07 whole": false, "F07 streamed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, p := pair(t, &Options{MaxMessage: 100, Stream: stream})
				go p.frame(0x82, over[1:])
				if _, b, err := c.Read(bounded(t)); len(b) != 100 || err != nil {
					t.Fatalf("F08: Read = %d bytes, %v; want 100", len(b), err)
				}
				sent := started(func() bool { p.frame(0x82, over); return true })
				_, _, err := c.Read(bounded(t))
				var fault *wsproto.PeerError
				if !errors.As(err, &fault) || fault.Code != wsproto.CloseMessageTooBig {
					t.Fatalf("Read = %v; want a PeerError with 1009", err)
				}
				receive(t, sent)
				p.expect(`close 1009 "message over the size limit"`)
				if err := c.Write(bounded(t), frame.Text, nil); !errors.As(err, &fault) {
					t.Errorf("Write = %v; want the PeerError", err)
				}
			})
		})
	}
}

// What the peer did wrong is told to it and to everybody here.
func TestReadPeerError(t *testing.T) {
	for name, c := range map[string]struct {
		wire string
		code wsproto.CloseCode
	}{
		"masked":           {"\x81\x80\x00\x00\x00\x00", 1002},
		"F14 RSV2":         {"\xa1\x00", 1002},
		"F15 opcode 3":     {"\x83\x00", 1002},
		"F19 text":         {"\x81\x02\xc0\xaf", 1007},
		"C02 close 1005":   {"\x88\x02\x03\xed", 1002},
		"C05 close reason": {"\x88\x03\x03\xe8\xff", 1007},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				conn, p := pair(t, nil)
				go p.raw([]byte(c.wire))
				_, _, err := conn.Read(bounded(t))
				var fault *wsproto.PeerError
				if !errors.As(err, &fault) || fault.Code != c.code {
					t.Fatalf("Read = %v; want a PeerError with %d", err, c.code)
				}
				if ev := p.event(); ev.Kind != wsproto.Closed || ev.Code != c.code {
					t.Errorf("the peer received %v; want Close %d", ev, c.code)
				}
				p.nc.Close()
				receive(t, conn.gone)
				if err := conn.Close(wsproto.CloseNormal, ""); !errors.As(err, &fault) {
					t.Errorf("Close = %v; want the PeerError", err)
				}
			})
		})
	}
}

// A peer that vanishes is an io.EOF with 1006, also inside a message.
func TestReadVanished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, wire := range []string{"", "\x81", "\x81\x05ab", "\x01\x01a"} {
			c, p := pair(t, nil)
			go func() {
				p.raw([]byte(wire))
				p.nc.Close()
			}()
			_, _, err := c.Read(bounded(t))
			var closed *CloseError
			if !errors.As(err, &closed) || closed.Code != wsproto.CloseAbnormal || !errors.Is(err, io.EOF) {
				t.Errorf("after %q: Read = %v; want 1006 and io.EOF", wire, err)
			}
			receive(t, c.gone)
		}
	})
}

// Messages before the peer's Close are read, and its Close is answered.
func TestReadClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pair(t, nil)
		go p.raw([]byte("\x81\x01a\x81\x01b\x88\x05\x03\xe9bye\x81\x01c"))
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
		p.expect(`close 1001 ""`)
		p.nc.Close()
		receive(t, c.gone)
		if err := c.Close(wsproto.CloseNormal, ""); err != nil {
			t.Errorf("Close after the peer's = %v; want nil", err)
		}
	})
}

// F18: a ping between fragments is answered, and the message intact.
func TestF18PingBetweenFragments(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pair(t, nil)
		read := started(func() string { return readText(t, c) })
		p.raw([]byte("\x01\x02he\x89\x01!"))
		p.expect(`pong "!"`)
		p.raw([]byte("\x80\x03llo"))
		if got := receive(t, read); got != `text "hello"` {
			t.Errorf("Read = %s", got)
		}
	})
}

// A stream is read as it comes, whatever MaxMessage is.
func TestReaderStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pair(t, &Options{MaxMessage: 4, Stream: true})
		go p.raw([]byte("\x02\x03abc"))
		op, r, err := c.Reader(bounded(t))
		if err != nil || op != frame.Binary {
			t.Fatalf("Reader = %v, %v", op, err)
		}
		buf := make([]byte, 2)
		n, err := io.ReadFull(r, buf)
		if n != 2 || err != nil || string(buf) != "ab" {
			t.Fatalf("Read = %q, %v", buf[:n], err)
		}
		go p.raw([]byte("\x00\x05defgh\x80\x00\x81\x02hi"))
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
	synctest.Test(t, func(t *testing.T) {
		for _, stream := range []bool{false, true} {
			c, p := pair(t, &Options{Stream: stream})
			go p.raw([]byte("\x01\x01a\x80\x01b\x81\x01c\x81\x01d"))
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
	synctest.Test(t, func(t *testing.T) {
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
			p.text(string(rune('a' + i%26)))
		}
		for range messages {
			counts[receive(t, got)]++
		}
		if counts["a"] != 4 || counts["z"] != 3 || len(counts) != 26 {
			t.Errorf("received %v", counts)
		}
	})
}

// One who only writes answers pings and learns of the end.
func TestCloseRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p := pair(t, nil)
		ctx := c.CloseRead(context.Background())
		p.frame(0x89, "hi")
		p.expect(`pong "hi"`)
		pinged := started(func() error { return c.Ping(bounded(t)) })
		p.expect(`ping "1"`)
		p.frame(0x8a, "1")
		if err := receive(t, pinged); err != nil {
			t.Errorf("Ping = %v", err)
		}
		p.text("surprise")
		p.expect(`close 1008 "unexpected message"`)
		p.frame(0x88, "\x03\xf0")
		p.nc.Close()
		receive(t, ctx.Done())
	})
}
