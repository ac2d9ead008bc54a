package wsproto_test

import (
	"fmt"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
)

// A conversation between both ends, without a network: the client says hello and closes.
func Example() {
	var client, server wsproto.Conn
	client.Init(&wsproto.Config{Role: wsproto.Client, MaskKey: func() uint32 { return 0x3d21fa37 }}) // must be random in real programs
	server.Init(&wsproto.Config{Role: wsproto.Server})

	b, err := client.AppendMessage(nil, frame.Text, []byte("hello"))
	if err != nil {
		fmt.Println(err)
		return
	}
	b, _ = client.AppendPing(b, []byte("are you there?"))
	b, _ = client.AppendClose(b, wsproto.CloseNormal, "done")

	b = receive("server", &server, b)
	receive("client", &client, b)
	fmt.Println("finished:", client.Finished(), server.Finished())
	// Output:
	// server received text "hello"
	// server received ping "are you there?"
	// server received close 1000 "done"
	// client received pong "are you there?"
	// client received close 1000 ""
	// finished: true true
}

// receive shows what b contains, and returns what must be written.
func receive(name string, c *wsproto.Conn, b []byte) (out []byte) {
	c.Feed(b)
	for {
		ev := c.Next()
		out = append(out, c.Output()...)
		switch ev.Kind {
		case wsproto.NeedData:
			return out
		case wsproto.Message:
			fmt.Printf("%s received %v %q\n", name, ev.Opcode, ev.Payload)
		case wsproto.Ping:
			fmt.Printf("%s received ping %q\n", name, ev.Payload)
		case wsproto.Pong:
			fmt.Printf("%s received pong %q\n", name, ev.Payload)
		case wsproto.Closed:
			fmt.Printf("%s received close %d %q\n", name, ev.Code, ev.Payload)
		case wsproto.Failed:
			fmt.Printf("%s fails the connection: %v\n", name, ev.Err)
		}
	}
}
