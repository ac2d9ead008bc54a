package wsconn_test

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// The close handshake without another reader: what arrives meanwhile is skipped.
func TestClose(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		closed := started(func() error { return c.Close(4321, "bye") })
		p.Expect(`close 4321 "bye"`)
		p.Send("\x81\x01a\x01\x01b\x89\x01p\x88\x02\x03\xe8")
		p.Close()
		if err := receive(t, closed); err != nil {
			t.Errorf("Close = %v", err)
		}
		if err := c.Close(wsproto.CloseNormal, ""); err != nil {
			t.Errorf("second Close = %v", err)
		}
		if _, _, err := c.Read(bounded(t)); err != ErrClosed {
			t.Errorf("Read = %v; want ErrClosed", err)
		}
		if err := c.Write(bounded(t), frame.Text, nil); err != ErrClosed {
			t.Errorf("Write = %v; want ErrClosed", err)
		}
		if _, err := c.Ping(bounded(t)); err != ErrClosed {
			t.Errorf("Ping = %v; want ErrClosed", err)
		}
	})
}

// A concurrent reader may get the messages before the peer's Close. It ends with the
// Close that this side asked for.
func TestCloseWhileReading(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		reading := started(func() error {
			for {
				if _, _, err := c.Read(bounded(t)); err != nil {
					return err
				}
			}
		})
		closed := started(func() error { return c.Close(wsproto.CloseNoStatus, "") })
		p.Expect(`close 1005 ""`)
		p.Send("\x81\x01a\x81\x01b\x88\x00")
		if err := receive(t, reading); err != ErrClosed {
			t.Errorf("Read = %v; want ErrClosed", err)
		}
		p.Close()
		if err := receive(t, closed); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
}

// Nothing but the Close goes out after it was asked for.
func TestCloseThenWrite(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		closed := started(func() error { return c.Close(wsproto.CloseNormal, "") })
		p.Expect(`close 1000 ""`)
		if err := c.Write(bounded(t), frame.Text, []byte("late")); err != ErrClosed {
			t.Errorf("Write = %v; want ErrClosed", err)
		}
		if w, err := c.Writer(bounded(t), frame.Text); err != nil {
			t.Errorf("Writer = %v", err)
		} else if err := w.Close(); err != ErrClosed {
			t.Errorf("MessageWriter.Close = %v; want ErrClosed", err)
		}
		p.Frame(0x88, "")
		p.Close()
		if err := receive(t, closed); err != nil {
			t.Errorf("Close = %v", err)
		}
	})
}

// C07: a peer that never answers is cut off after CloseTimeout.
func TestC07CloseTimeout(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		closed := started(func() error { return c.Close(wsproto.CloseNormal, "") })
		p.Expect(`close 1000 ""`)
		time.Sleep(DefaultCloseTimeout - 1)
		synctest.Wait()
		select {
		case err := <-closed:
			t.Fatalf("Close = %v before its time", err)
		default:
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if err := receive(t, closed); !errors.Is(err, ErrClosed) {
			t.Errorf("Close = %v; want ErrClosed", err)
		}
		p.Expect("EOF")
	})
}

// The same for one that does not even read, for one that answers and does not
// end its stream, and for one whose Close came first.
func TestC07Linger(t *testing.T) {
	t.Run("does not read", func(t *testing.T) {
		inBothRoles(t, func(t *testing.T, pair pairFunc) {
			c, _ := pair(t, nil)
			closed := started(func() error { return c.Close(wsproto.CloseNormal, "") })
			time.Sleep(DefaultCloseTimeout)
			synctest.Wait()
			if err := receive(t, closed); !errors.Is(err, ErrClosed) {
				t.Errorf("Close = %v; want ErrClosed", err)
			}
		})
	})
	t.Run("answers only", func(t *testing.T) {
		inBothRoles(t, func(t *testing.T, pair pairFunc) {
			c, p := pair(t, nil)
			closed := started(func() error { return c.Close(wsproto.CloseNormal, "") })
			p.Expect(`close 1000 ""`)
			p.Frame(0x88, "")
			time.Sleep(DefaultCloseTimeout)
			synctest.Wait()
			if err := receive(t, closed); err != nil {
				t.Errorf("Close = %v; want nil", err)
			}
			p.Expect("EOF")
		})
	})
	t.Run("closes only", func(t *testing.T) {
		inBothRoles(t, func(t *testing.T, pair pairFunc) {
			c, p := pair(t, nil)
			go p.Frame(0x88, "\x03\xe9")
			if _, _, err := c.Read(bounded(t)); !errors.As(err, new(*CloseError)) {
				t.Errorf("Read = %v; want a CloseError", err)
			}
			time.Sleep(DefaultCloseTimeout)
			synctest.Wait()
			receive(t, c.Gone())
		})
	})
}

func TestCloseNow(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		reading := started(func() error { _, _, err := c.Read(bounded(t)); return err })
		writing := started(func() error { return c.Write(bounded(t), frame.Text, []byte("x")) })
		if _, err := io.ReadFull(p.NetConn(), make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		c.CloseNow()
		c.CloseNow()
		for _, ended := range []<-chan error{reading, writing} {
			if err := receive(t, ended); err != ErrClosed {
				t.Errorf("error %v; want ErrClosed", err)
			}
		}
		if err := c.Close(wsproto.CloseNormal, ""); err != ErrClosed {
			t.Errorf("Close = %v; want ErrClosed", err)
		}
		p.Expect("EOF")
	})
}

// A CloseNow that follows the end of the connection, or overtakes a Close in progress,
// does not keep the peer from receiving the Close frame that it is owed.
func TestCloseNowKeepsClose(t *testing.T) {
	for name, tt := range map[string]struct {
		arrange func(t *testing.T, c *Conn, p *wstest.Peer)
		want    string
	}{
		"after the peer's Close": {func(t *testing.T, c *Conn, p *wstest.Peer) {
			go p.Frame(0x88, "\x0f\xa1go")
			if _, _, err := c.Read(bounded(t)); !errors.As(err, new(*CloseError)) {
				t.Errorf("Read = %v; want a CloseError", err)
			}
		}, `close 4001 ""`},
		"after the peer's fault": {func(t *testing.T, c *Conn, p *wstest.Peer) {
			go p.Send("\xf1\x00")
			if _, _, err := c.Read(bounded(t)); !errors.As(err, new(*wsproto.PeerError)) {
				t.Errorf("Read = %v; want a PeerError", err)
			}
		}, `close 1002 "reserved bit set"`},
		"after a message over the limit": {func(t *testing.T, c *Conn, p *wstest.Peer) {
			go p.Frame(0x81, "too long")
			if _, _, err := c.Read(bounded(t)); !errors.As(err, new(*wsproto.PeerError)) {
				t.Errorf("Read = %v; want a PeerError", err)
			}
		}, `close 1009 "message over the size limit"`},
		"after CloseRead's context": {func(t *testing.T, c *Conn, p *wstest.Peer) {
			ctx := c.CloseRead(context.Background())
			p.Frame(0x88, "\x0f\xa1")
			receive(t, ctx.Done())
		}, `close 4001 ""`},
		"while Close writes": {func(t *testing.T, c *Conn, p *wstest.Peer) {
			go c.Close(4002, "mine")
			synctest.Wait()
		}, `close 4002 "mine"`},
		"while Close waits for a message": {func(t *testing.T, c *Conn, p *wstest.Peer) {
			go c.Write(context.Background(), frame.Text, []byte("before"))
			synctest.Wait()
			go p.Send("\xf1\x00")
			c.Read(bounded(t))
		}, `text "before"`},
	} {
		t.Run(name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, pair pairFunc) {
				c, p := pair(t, &Options{MaxMessage: 4})
				tt.arrange(t, c, p)
				c.CloseNow()
				c.CloseNow()
				if _, _, err := c.Read(bounded(t)); err == nil {
					t.Error("Read after CloseNow = nil")
				}
				synctest.Wait()
				select {
				case <-c.Gone():
					t.Fatal("the connection was cut")
				default:
				}
				p.Expect(tt.want)
				p.Close()
				receive(t, c.Gone())
			})
		})
	}
}

// Once Close frames have gone both ways, a server closes the connection at once, and a
// client waits for that.
func TestServerClosesFirst(t *testing.T) {
	for _, byPeer := range []bool{false, true} {
		inBothRoles(t, func(t *testing.T, pair pairFunc) {
			c, p := pair(t, nil)
			start := time.Now()
			ended := started(func() error {
				if byPeer {
					_, _, err := c.Read(bounded(t))
					return err
				}
				return c.Close(4001, "")
			})
			if !byPeer {
				p.Expect(`close 4001 ""`)
			}
			p.Frame(0x88, "\x0f\xa1")
			if byPeer {
				p.Expect(`close 4001 ""`)
			}
			p.Expect("EOF")
			want := time.Duration(0)
			if c.Role() == wsproto.Client {
				want = DefaultCloseTimeout // for which the peer does not close it
			}
			if d := time.Since(start); d != want {
				t.Errorf("by the peer %v: the connection was closed after %v; want %v", byPeer, d, want)
			}
			<-ended
		})
	}
}

// A Read that waits is told of a CloseNow also while the Close frame is on its way, and
// the connection is not kept for longer than CloseTimeout.
func TestCloseNowWhileClosing(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		reading := started(func() error { _, _, err := c.Read(bounded(t)); return err })
		closed := started(func() error { return c.Close(wsproto.CloseNormal, "") })
		synctest.Wait()
		c.CloseNow()
		if err := receive(t, reading); err != ErrClosed {
			t.Errorf("Read = %v; want ErrClosed", err)
		}
		p.Expect(`close 1000 ""`)
		time.Sleep(DefaultCloseTimeout)
		synctest.Wait()
		if err := receive(t, closed); err != ErrClosed {
			t.Errorf("Close = %v; want ErrClosed", err)
		}
		receive(t, c.Gone())
		p.Expect("EOF")
	})
}

// A frame that was cut short is the last thing that a peer receives.
func TestCloseNowAfterCut(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		c, p := pair(t, nil)
		ctx, cancel := context.WithCancel(context.Background())
		written := started(func() error { return c.Write(ctx, frame.Binary, make([]byte, 100)) })
		if _, err := io.ReadFull(p.NetConn(), make([]byte, 10)); err != nil {
			t.Fatal(err)
		}
		go p.Frame(0x88, "\x03\xe9")
		if _, _, err := c.Read(bounded(t)); !errors.As(err, new(*CloseError)) {
			t.Errorf("Read = %v; want a CloseError", err)
		}
		cancel()
		if err := receive(t, written); !errors.Is(err, ErrClosed) {
			t.Errorf("Write = %v; want ErrClosed", err)
		}
		if rest, _ := io.ReadAll(p.NetConn()); len(rest) > 0 {
			t.Errorf("%d bytes follow", len(rest))
		}
		receive(t, c.Gone())
	})
}

// slowClose is a net.Conn whose Close returns when ended says so.
type slowClose struct {
	net.Conn
	ended func() bool
}

func (c *slowClose) Close() error {
	err := c.Conn.Close()
	for !c.ended() {
		runtime.Gosched()
	}
	return err
}

// If the peer does not answer a Close, a Read in progress ends because this side has
// closed, and not because the peer disappeared.
func TestCloseTimeoutWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		go io.Copy(io.Discard, theirs)
		defer theirs.Close()
		nc := &slowClose{Conn: ours}
		c := New(nc, wsproto.Server, nil, handshake.Result{}, nil)
		nc.ended = func() bool { return c.Failure() != nil }
		read := started(func() error { _, _, err := c.Read(context.Background()); return err })
		synctest.Wait()
		if err := c.Close(wsproto.CloseNormal, ""); !errors.Is(err, ErrClosed) {
			t.Errorf("Close = %v; want ErrClosed", err)
		}
		if err := receive(t, read); !errors.Is(err, ErrClosed) || errors.Is(err, io.EOF) {
			t.Errorf("Read = %v; want ErrClosed", err)
		}
	})
}
