package fuzz

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// Of any bytes, a connection either refuses to be restored from them, and is then a new
// one, or it is in a state that it writes with the same bytes again, and goes on as
// connections do: what it is fed makes no difference however it is cut, it holds no more than
// it was given, and it sends.
func FuzzState(f *testing.F) {
	addStates(f)
	f.Fuzz(func(t *testing.T, a byte, state, in, cuts []byte) {
		s := choose(wsproto.Role(a>>7), a&^0x60, 0)
		restore := func() *wsproto.Conn {
			c, cfg := s.open(t)
			if err := c.RestoreState(state); err != nil {
				if refused := (*wsproto.StateError)(nil); !errors.As(err, &refused) {
					t.Fatalf("%x is refused with %T", state, err)
				}
				fresh := new(wsproto.Conn)
				fresh.Init(cfg)
				if string(c.AppendState(nil, wsproto.NewestState)) != string(fresh.AppendState(nil, wsproto.NewestState)) {
					t.Fatalf("%x is refused, but leaves something", state)
				}
				return nil
			}
			return c
		}
		c := restore()
		if c == nil {
			checkMemory(t, 8<<10, func() { restore() })
			return
		}
		if again := c.AppendState(nil, wsproto.NewestState); !bytes.Equal(again, state) {
			t.Fatalf("%x is restored as %x", state, again)
		}
		c.Release()
		checkMemory(t, 16<<10+4*len(state), func() { restore().Release() })

		first := goOn(t, restore(), in, nil)
		for _, cut := range [][]byte{{1}, cuts} {
			if diff := cmp.Diff(first, goOn(t, restore(), in, cut)); diff != "" {
				t.Errorf("%x, fed %x cut by %v (-whole +cut):\n%s", state, in, cut, diff)
			}
		}
	})
}

// goOn feeds in to c, sends something, and returns what comes of it, messages in pieces put
// together.
func goOn(t *testing.T, c *wsproto.Conn, in, cuts []byte) (happened []string) {
	t.Helper()
	defer c.Release()
	var out []byte
	partial := ""
	for _, p := range pieces(in, cuts) {
		c.Feed(bytes.Clone(p))
		for {
			ev := c.Next()
			out = append(out, c.Output()...)
			if ev.Kind == wsproto.NeedData {
				break
			}
			payload := string(ev.Payload)
			if ev.Kind == wsproto.Piece {
				partial += payload
				if !ev.Fin {
					continue
				}
				payload, partial = partial, ""
			}
			happened = append(happened, fmt.Sprint(ev.Kind, ev.Opcode, ev.Code, ev.Err, payload))
		}
	}
	text := []byte(strings.Repeat("sent ", 60))
	b, err := c.AppendMessage(nil, frame.Text, text)
	b2, err2 := c.AppendFragment(nil, frame.Continuation, text, true)
	if err == nil && err2 == nil {
		t.Error("a message and the fragment of another one were both sent")
	}
	return append(happened, fmt.Sprintf("%x %x %v %x %v %t %t", out, b, err, b2, err2, c.Finished(), c.CloseExpected()))
}

// addStates seeds with states of real connections.
func addStates(f *testing.F) {
	for a := range 8 {
		s := settings{Role: wsproto.Role(a & 1), Limit: 1024, Fragments: 3, Stream: a&2 != 0}
		if a&4 != 0 {
			s.Deflate = chooseDeflate(0xFC)
		}
		choice := byte(a&1<<7 | a&2<<3)
		masked := s.Role == wsproto.Server
		whole := appendWire(nil, 0x01, []byte("half a message, κόσμε"), masked)
		whole = appendWire(whole, 0x89, []byte("ping"), masked)
		whole = appendWire(whole, 0x80, []byte("and its end"), masked)
		for _, n := range []int{0, 1, 5, 20, 29, 40, len(whole) - 1, len(whole)} {
			c, _ := s.open(f)
			c.Feed(bytes.Clone(whole[:n]))
			for c.Next().Kind != wsproto.NeedData {
				c.Output()
			}
			f.Add(choice, c.AppendState(nil, wsproto.NewestState), whole[n:], []byte{2, 3})
			if _, err := c.AppendFragment(nil, frame.Binary, []byte("begun"), false); err != nil {
				f.Fatal(err)
			}
			f.Add(choice, c.AppendState(nil, wsproto.NewestState), whole[n:], []byte{1, 9})
			if _, err := c.AppendClose(nil, wsproto.CloseNormal, ""); err != nil {
				f.Fatal(err)
			}
			f.Add(choice, c.AppendState(nil, wsproto.NewestState), whole[n:], []byte{7})
		}
	}
}
