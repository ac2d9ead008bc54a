package server_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// rooms is a chat: what one says in a room is sent to the others in it. The URL's path names the
// room.
type rooms struct{ byName map[string]*server.Group }

func (r *rooms) OnOpen(c server.LoopConn) {
	room := r.byName[c.Value().(string)]
	room.Join(c.Conn())
	c.Send(frame.Text, []byte("welcome"))
}

func (r *rooms) OnMessage(c server.LoopConn, op frame.Opcode, p []byte) {
	room := r.byName[c.Value().(string)]
	if err := room.Send(wsproto.NewPrepared(op, p), server.Evict, c.Conn()); err != nil {
		c.Close(wsproto.CloseTryAgainLater, "too much is said")
	}
}

func (r *rooms) OnClose(c server.LoopConn, err error) {} // a connection that ends leaves all rooms

// A chat with rooms.
func Example_rooms() {
	r := &rooms{byName: map[string]*server.Group{}}
	s, err := server.New(server.Config{Handler: r, Admit: func(req *http.Request) (any, error) {
		if r.byName[req.URL.Path] == nil {
			return nil, fmt.Errorf("there is no room %s", req.URL.Path)
		}
		return req.URL.Path, nil
	}})
	if err != nil {
		log.Fatal(err)
	}
	r.byName["/tea"] = s.NewGroup()
	hs := httptest.NewServer(s)
	defer hs.Close()

	ctx := context.Background()
	join := func() *wsconn.Conn {
		c, err := wsconn.Dial(ctx, "ws"+strings.TrimPrefix(hs.URL, "http")+"/tea", nil)
		if err != nil {
			log.Fatal(err)
		}
		c.Read(ctx) // the welcome: from now on this is a member
		return c
	}
	alice, bob := join(), join()
	fmt.Println(r.byName["/tea"].Len(), "people")
	alice.Write(ctx, frame.Text, []byte("hello"))
	_, p, _ := bob.Read(ctx)
	fmt.Printf("bob hears: %s\n", p)
	alice.CloseNow()
	bob.CloseNow()
	s.Shutdown(ctx)
	// Output:
	// 2 people
	// bob hears: hello
}
