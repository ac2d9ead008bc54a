//go:build linux

package wsconn_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// echoServer serves until stop is called.
func echoServer() (url string, stop func()) {
	s, err := server.New(server.Config{Handler: echo{}})
	if err != nil {
		log.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	go s.Serve(ln)
	return "ws://" + ln.Addr().String(), func() { s.Shutdown(context.Background()) }
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
	c, err := wsconn.Dial(ctx, url, &wsconn.DialOptions{Options: wsconn.Options{Stream: true}})
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
		DialOptions: handshake.DialOptions{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, "unix", "/run/chat.sock")
			},
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

func ExampleReconnector() {
	url, stop := echoServer()
	defer stop()
	ctx, cancel := context.WithCancel(context.Background())
	r, err := wsconn.NewReconnector(wsconn.ReconnectorConfig{
		Dial: func(ctx context.Context) (*wsconn.Conn, error) { return wsconn.Dial(ctx, url, nil) },
		Resume: func(ctx context.Context, c *wsconn.Conn, before int) error {
			return c.Write(ctx, frame.Text, []byte("I am back"))
		},
		Message: func(_ frame.Opcode, p []byte) {
			fmt.Printf("%s\n", p)
			if string(p) == "bye" {
				cancel()
			}
		},
		Heartbeat:       30 * time.Second,
		HeartbeatMisses: 2,
	})
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		if err := r.Send(ctx, frame.Text, []byte("bye")); err != nil {
			log.Print(err) // a *wsconn.NotSentError, with the message
		}
	}()
	fmt.Println(r.Run(ctx))
	// Output:
	// I am back
	// bye
	// context canceled
}
