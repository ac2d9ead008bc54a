package wsconn_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
	. "github.com/hawser-ws/hawser/wsproto/wsconn"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// pieces reads the frames that arrive until the final one: opcode and length.
func pieces(t testing.TB, p *wstest.Peer) (got []int) {
	for {
		var b [frame.MaxHeaderSize]byte
		for i := range b {
			if _, err := io.ReadFull(p.NetConn(), b[i:i+1]); err != nil {
				t.Fatal(err)
			}
			h, n, err := frame.ParseHeader(b[:i+1])
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				continue
			}
			if _, err := io.CopyN(io.Discard, p.NetConn(), int64(h.Length)); err != nil {
				t.Fatal(err)
			}
			got = append(got, int(h.Opcode), int(h.Length))
			if h.Fin {
				return got
			}
			break
		}
	}
}

func TestWriterFragments(t *testing.T) {
	for _, c := range []struct {
		name   string
		writes []int // -1 is Flush
		want   []int
	}{
		{"empty", nil, []int{1, 0}},
		{"flushed empty", []int{-1}, []int{1, 0}},
		{"small", []int{3, 4}, []int{1, 7}},
		{"flushed", []int{3, -1, 4}, []int{1, 3, 0, 4}},
		{"full", []int{FragmentSize}, []int{1, FragmentSize}},
		{"one more", []int{FragmentSize, 1}, []int{1, FragmentSize, 0, 1}},
		{"large", []int{2*FragmentSize + 5}, []int{1, FragmentSize, 0, FragmentSize, 0, 5}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, pair pairFunc) {
				conn, p := pair(t, nil)
				got := started(func() []int { return pieces(t, p) })
				w, err := conn.Writer(bounded(t), frame.Text)
				if err != nil {
					t.Fatal(err)
				}
				for _, n := range c.writes {
					if n < 0 {
						err = w.Flush()
					} else {
						_, err = io.WriteString(w, strings.Repeat("x", n))
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(c.want, receive(t, got)); d != "" {
					t.Errorf("opcodes and lengths (-want +got):\n%s", d)
				}
				if _, err := w.Write(nil); err != ErrClosed {
					t.Errorf("Write after Close = %v; want ErrClosed", err)
				}
				if err := w.Close(); err != ErrClosed {
					t.Errorf("Close after Close = %v; want ErrClosed", err)
				}
			})
		})
	}
}

// A text is UTF-8 wherever it is cut.
func TestWriterText(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		const valid = "aé€😀z"
		for i := range len(valid) + 1 {
			for j := i; j <= len(valid); j++ {
				c, p := pair(t, nil)
				w, err := c.Writer(bounded(t), frame.Text)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range []string{valid[:i], valid[i:j], valid[j:]} {
					if _, err := io.WriteString(w, s); err != nil {
						t.Fatalf("cut at %d and %d: Write(%q) = %v", i, j, s, err)
					}
				}
				go w.Close()
				if ev := p.Event(); string(ev.Payload) != valid {
					t.Errorf("cut at %d and %d: the peer received %q", i, j, ev.Payload)
				}
			}
		}
		for _, invalid := range []string{"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "a\xe2\x82", "\xe2\x82a", "\xce"} {
			for i := range len(invalid) + 1 {
				c, p := pair(t, nil)
				w, err := c.Writer(bounded(t), frame.Text)
				if err != nil {
					t.Fatal(err)
				}
				_, first := io.WriteString(w, invalid[:i])
				_, second := io.WriteString(w, invalid[i:])
				if err := errors.Join(first, second, w.Close()); !errors.As(err, new(*wsproto.UsageError)) {
					t.Errorf("%q cut at %d: %v; want a UsageError", invalid, i, err)
				}
				// Nothing of it was sent, so the next message can be.
				go c.Write(bounded(t), frame.Text, []byte("next"))
				p.Expect(`text "next"`)
			}
		}
	})
}

// A message that cannot be finished ends the connection, but only if the peer
// has a part of it.
func TestWriterGivenUp(t *testing.T) {
	inBothRoles(t, func(t *testing.T, pair pairFunc) {
		for _, begun := range []bool{false, true} {
			c, p := pair(t, nil)
			ctx, cancel := context.WithCancel(context.Background())
			w, err := c.Writer(ctx, frame.Text)
			if err != nil {
				t.Fatal(err)
			}
			io.WriteString(w, "part")
			if begun {
				flushed := started(w.Flush)
				if _, err := io.ReadFull(p.NetConn(), make([]byte, headerSize(c)+4)); err != nil {
					t.Fatal(err)
				}
				if err := receive(t, flushed); err != nil {
					t.Fatal(err)
				}
			}
			next := started(func() error { return c.Write(bounded(t), frame.Text, []byte("next")) })
			cancel()
			if !begun {
				p.Expect(`text "next"`)
			}
			if err := receive(t, next); errors.Is(err, ErrClosed) != begun {
				t.Errorf("begun %v: the next Write = %v", begun, err)
			}
			if err := w.Close(); err != context.Canceled {
				t.Errorf("begun %v: Close = %v; want context.Canceled", begun, err)
			}
		}
	})
}
