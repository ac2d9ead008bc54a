package wstest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

func TestPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, res := range []handshake.Result{{}, {Deflate: &wsproto.Deflate{}, Subprotocol: "chat"}} {
			client, server := PipeWith(t, res, &wsconn.Options{CompressFrom: 1})
			ctx := t.Context()
			// A small message does not wait for the peer to read it.
			if err := client.Write(ctx, frame.Text, []byte("hello hello hello")); err != nil {
				t.Fatal(err)
			}
			if err := server.Write(ctx, frame.Binary, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			if op, p, err := server.Read(ctx); op != frame.Text || string(p) != "hello hello hello" || err != nil {
				t.Errorf("Read = %v %q, %v", op, p, err)
			}
			if op, p, err := client.Read(ctx); op != frame.Binary || len(p) != 1000 || err != nil {
				t.Errorf("Read = %v %d bytes, %v", op, len(p), err)
			}
			if client.Subprotocol() != res.Subprotocol {
				t.Errorf("Subprotocol = %q", client.Subprotocol())
			}
			go client.Close(4000, "bye")
			var end *wsconn.CloseError
			if _, _, err := server.Read(ctx); !errors.As(err, &end) || end.Code != 4000 {
				t.Errorf("Read = %v; want 4000", err)
			}
		}
	})
}

// A Peer says what it is told to say, right or wrong, in both roles.
func TestPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, connect := range []func(testing.TB, *wsconn.Options) (*wsconn.Conn, *Peer){Client, Server} {
			for wire, want := range map[string]string{
				"\x83\x00":                  `close 1002 "reserved opcode"`,
				"\x81\x02\xc0\xaf":          `close 1007 "text is not UTF-8"`,
				"\x88\x04\x0f\xa1ab":        `close 4001 ""`,
				"\x89\x02hi":                `pong "hi"`,
				"\x01\x01a\x80\x01b":        `text "ab"`,
				"\x82\x7e\x00\x80":          "",
				"\xc1\x00":                  `close 1002 "reserved bit set"`,
				"\x09\x00":                  `close 1002 "fragmented control frame"`,
				"\x89\x7e\x00\x80":          `close 1002 "control frame payload over 125 bytes"`,
				"\x82\x7e\x00\x01x\x88\x00": `close 1002 "payload length not in its shortest form"`,
			} {
				c, p := connect(t, nil)
				go p.Send(wire)
				go func() {
					for {
						op, b, err := c.Read(context.Background())
						if err != nil {
							return
						}
						c.Write(context.Background(), op, b)
					}
				}()
				if want == "" { // a frame whose rest comes later
					synctest.Wait()
					go p.Write(make([]byte, 128))
					want = "binary 128 bytes"
				}
				p.Expect(want)
				p.Close()
			}
		}
	})
}
