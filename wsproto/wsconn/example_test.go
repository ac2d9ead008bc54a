package wsconn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// echoServer serves until stop is called.
func echoServer() (url string, stop func()) {
	stopping, cancel := context.WithCancel(context.Background())
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := wsconn.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		defer context.AfterFunc(stopping, func() { c.Close(wsproto.CloseGoingAway, "") })()
		for {
			op, p, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if err := c.Write(r.Context(), op, p); err != nil {
				return
			}
		}
	}))
	return srv.URL, func() {
		cancel()
		srv.Close()
	}
}

func ExampleDial() {
	url, stop := echoServer()
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()

	c, err := wsconn.Dial(ctx, url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, frame.Text, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	op, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v: %s\n", op, p)
	fmt.Println(c.Close(wsproto.CloseNormal, ""))
	// Output:
	// text: hello
	// <nil>
}

// The type of an error says who ended a connection.
func ExampleConn_Read() {
	url, stop := echoServer()
	c, err := wsconn.Dial(context.Background(), url, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(context.Background(), frame.Text, []byte("last words")); err != nil {
		log.Fatal(err)
	}
	for {
		var p []byte
		if _, p, err = c.Read(context.Background()); err != nil {
			break
		}
		fmt.Printf("%s\n", p)
		go stop() // the server says goodbye
	}
	var closed *wsconn.CloseError
	var fault *wsproto.PeerError
	switch {
	case errors.Is(err, io.EOF):
		fmt.Println("the server vanished")
	case errors.As(err, &closed):
		fmt.Println("the server closed with", closed.Code)
	case errors.As(err, &fault):
		fmt.Println("the server broke the protocol:", fault.Reason)
	case errors.Is(err, wsconn.ErrClosed):
		fmt.Println("we closed")
	}
	// Output:
	// last words
	// the server closed with 1001 going away
}

// A message of any length is written and read in pieces.
func ExampleConn_Writer() {
	url, stop := echoServer()
	defer stop()
	ctx := context.Background()
	c, err := wsconn.Dial(ctx, url, &wsconn.DialOptions{Stream: true})
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()

	w, err := c.Writer(ctx, frame.Text)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		fmt.Fprintf(w, "line %d\n", i)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}

	_, r, err := c.Reader(ctx)
	if err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(string(text))
	// Output:
	// line 0
	// line 1
	// line 2
}

// A server on a unix socket, and the proxy that the environment names for others.
func ExampleDialOptions() {
	_ = wsconn.DialOptions{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", "/run/chat.sock")
		},
	}
	_ = wsconn.DialOptions{Proxy: wsconn.ProxyFromEnvironment}
}

func ExamplePool() {
	url, stop := echoServer()
	defer stop()
	pool, err := wsconn.NewPool(wsconn.PoolConfig{
		Dial:      func(ctx context.Context) (*wsconn.Conn, error) { return wsconn.Dial(ctx, url, nil) },
		Capacity:  4,
		IdleLimit: time.Minute,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	ctx := context.Background()
	for _, ask := range []string{"one", "two"} {
		c, err := pool.Get(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if err := c.Write(ctx, frame.Text, []byte(ask)); err != nil {
			log.Fatal(err)
		}
		_, answer, err := c.Read(ctx)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s\n", answer)
		pool.Put(c)
	}
	s := pool.Stats()
	fmt.Println(s.Dialed, "dialed,", s.Reused, "reused")
	// Output:
	// one
	// two
	// 1 dialed, 1 reused
}

// A client that comes back when its server restarts, and is sent what it has missed.
func ExampleReconnector() {
	var connections atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := wsconn.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		first := connections.Add(1) == 1
		for {
			op, p, err := c.Read(r.Context())
			if err != nil {
				return
			}
			c.Write(r.Context(), op, p)
			if first {
				c.Close(wsproto.CloseServiceRestart, "")
			}
		}
	}))
	defer srv.Close()

	ctx, cancel := context.WithCancel(context.Background())
	r, err := wsconn.NewReconnector(wsconn.ReconnectorConfig{
		Dial: func(ctx context.Context) (*wsconn.Conn, error) { return wsconn.Dial(ctx, srv.URL, nil) },
		Resume: func(ctx context.Context, c *wsconn.Conn, before int) error {
			return c.Write(ctx, frame.Text, fmt.Appendf(nil, "resume after %d connections", before))
		},
		Message: func(_ frame.Opcode, p []byte) {
			fmt.Printf("%s\n", p)
			if string(p) == "bye" {
				cancel()
			}
		},
		State: func(ch wsconn.Change) {
			if ch.State == wsconn.StateWaiting {
				fmt.Println(ch.Err)
			}
		},
		Heartbeat:       30 * time.Second,
		HeartbeatMisses: 2,
		BackoffBase:     time.Millisecond,
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for connections.Load() < 2 { // until the server is back
			time.Sleep(time.Millisecond)
		}
		if err := r.Send(ctx, frame.Text, []byte("bye")); err != nil {
			log.Print(err) // a *wsconn.NotSentError, with the message
		}
	}()
	fmt.Println(r.Run(ctx))
	// Output:
	// resume after 0 connections
	// websocket: closed by peer: 1012 service restart
	// resume after 1 connections
	// bye
	// context canceled
}

// A server of remote procedures that may take long. Up to eight calls of a connection run
// at once; then nothing is read until one has ended. They end with the connection.
func Example_rpc() {
	type request struct{ ID, A, B int }
	type response struct{ ID, Sum int }
	second := make(chan struct{})
	call := func(ctx context.Context, q request) response {
		if q.ID == 1 {
			<-second // a slow one
		} else {
			defer close(second)
		}
		return response{q.ID, q.A + q.B}
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := wsconn.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		slots := make(chan struct{}, 8)
		for {
			var q request
			if err := c.ReadJSON(ctx, &q); err != nil {
				return
			}
			slots <- struct{}{}
			go func() {
				c.WriteJSON(ctx, call(ctx, q))
				<-slots
			}()
		}
	}))
	defer srv.Close()

	ctx := context.Background()
	c, err := wsconn.Dial(ctx, srv.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	c.WriteJSON(ctx, request{ID: 1, A: 1, B: 1})
	c.WriteJSON(ctx, request{ID: 2, A: 2, B: 2})
	for range 2 {
		var answer response
		if err := c.ReadJSON(ctx, &answer); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%+v\n", answer)
	}
	// Unordered output:
	// {ID:2 Sum:4}
	// {ID:1 Sum:2}
}

// WebSockets beside other handlers of a server with TLS, and a stop that tells the clients
// and waits for them. http.Server.Shutdown alone does neither.
func ExampleAccept() {
	stopping, stop := context.WithCancel(context.Background())
	var open sync.WaitGroup
	mux := http.NewServeMux()
	mux.HandleFunc("/ws", func(w http.ResponseWriter, r *http.Request) {
		c, err := wsconn.Accept(w, r, nil)
		if err != nil {
			return
		}
		open.Add(1)
		defer open.Done()
		defer c.CloseNow()
		defer context.AfterFunc(stopping, func() { c.Close(wsproto.CloseGoingAway, "restart") })()
		for {
			op, p, err := c.Read(r.Context())
			if err != nil {
				return
			}
			c.Write(r.Context(), op, p)
		}
	})
	srv := httptest.NewTLSServer(mux)

	ctx := context.Background()
	o := &wsconn.DialOptions{TLSConfig: srv.Client().Transport.(*http.Transport).TLSClientConfig}
	c, err := wsconn.Dial(ctx, srv.URL+"/ws", o)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	c.Write(ctx, frame.Text, []byte("hello"))
	_, p, err := c.Read(ctx)
	fmt.Printf("%s %v\n", p, err)

	go stop()
	_, _, err = c.Read(ctx)
	fmt.Println(err)
	srv.Config.Shutdown(ctx)
	open.Wait()
	// Output:
	// hello <nil>
	// websocket: closed by peer: 1001 going away "restart"
}
