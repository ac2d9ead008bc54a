package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

type call struct {
	ID     int    `json:"id"`
	Method string `json:"method,omitempty"`
	Result string `json:"result,omitempty"`
}

// rpc answers calls, each of which may ask a database.
type rpc struct {
	database func(ctx context.Context, query string) string
}

func (h *rpc) OnOpen(ctx context.Context, c *server.BlockingConn) {}

func (h *rpc) OnMessage(ctx context.Context, c *server.BlockingConn, _ frame.Opcode, p []byte) {
	var in call
	if err := json.Unmarshal(p, &in); err != nil {
		c.Close(1007, "not JSON")
		return
	}
	out, _ := json.Marshal(call{ID: in.ID, Result: h.database(ctx, in.Method)}) // ctx ends with the connection
	c.SendWait(ctx, frame.Text, out)
}

func (h *rpc) OnClose(c *server.BlockingConn, err error) {}

// JSON-RPC with calls that block: one connection's calls are answered in order, and a slow one
// does not keep other connections waiting.
func ExampleBlocking() {
	answered := make(chan struct{})
	h := &rpc{database: func(ctx context.Context, query string) string {
		if query == "slow" {
			select {
			case <-answered:
			case <-ctx.Done():
			}
		}
		return query + " result"
	}}
	s, err := server.New(server.Config{Handler: server.Blocking(h, &server.BlockingOptions{MaxGoroutines: 100})})
	if err != nil {
		log.Fatal(err)
	}
	hs := httptest.NewServer(s)
	defer hs.Close()

	ctx := context.Background()
	dial := func() *wsconn.Conn {
		c, err := wsconn.Dial(ctx, "ws"+strings.TrimPrefix(hs.URL, "http"), nil)
		if err != nil {
			log.Fatal(err)
		}
		return c
	}
	show := func(c *wsconn.Conn) {
		_, p, _ := c.Read(ctx)
		fmt.Printf("%s\n", p)
	}
	one, other := dial(), dial()
	one.Write(ctx, frame.Text, []byte(`{"id":1,"method":"slow"}`))
	one.Write(ctx, frame.Text, []byte(`{"id":2,"method":"fast"}`))
	other.Write(ctx, frame.Text, []byte(`{"id":3,"method":"fast"}`))
	show(other)
	close(answered)
	show(one)
	show(one)
	one.CloseNow()
	other.CloseNow()
	s.Shutdown(ctx)
	// Output:
	// {"id":3,"result":"fast result"}
	// {"id":1,"result":"slow result"}
	// {"id":2,"result":"fast result"}
}
