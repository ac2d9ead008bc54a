package hawser_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/hawser-ws/hawser"
	"github.com/hawser-ws/hawser/wsproto/wstest"
)

// An echo server, and a client that asks it.
func Example() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := hawser.Accept(w, r, nil)
		if err != nil {
			log.Print(err)
			return
		}
		defer c.CloseNow()
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
	defer srv.Close()

	ctx := context.Background()
	c, err := hawser.Dial(ctx, srv.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(ctx, hawser.Text, []byte("hello")); err != nil {
		log.Fatal(err)
	}
	op, p, err := c.Read(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%v: %s\n", op, p)
	fmt.Println(c.Close(hawser.CloseNormal, ""))
	// Output:
	// text: hello
	// <nil>
}

// A client that reads until the server closes the connection, and asks why.
func ExampleCloseError() {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := hawser.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		c.Close(4001, "session expired")
	}))
	defer srv.Close()

	c, err := hawser.Dial(context.Background(), srv.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	_, _, err = c.Read(context.Background())
	var end *hawser.CloseError
	switch {
	case errors.As(err, &end) && end.Local:
		fmt.Println("the server broke the protocol:", err)
	case errors.Is(err, io.EOF):
		fmt.Println("the server disappeared")
	case errors.As(err, &end):
		fmt.Println("the server closed:", end.Code, end.Reason)
	case errors.Is(err, hawser.ErrClosed):
		fmt.Println("we closed")
	}
	// Output:
	// the server closed: 4001 session expired
}

// Requests and answers as JSON.
func Example_json() {
	type sum struct{ A, B, Sum int }
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := hawser.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		for {
			var s sum
			if err := c.ReadJSON(r.Context(), &s); err != nil {
				return
			}
			s.Sum = s.A + s.B
			if err := c.WriteJSON(r.Context(), s); err != nil {
				return
			}
		}
	}))
	defer srv.Close()

	ctx := context.Background()
	c, err := hawser.Dial(ctx, srv.URL, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.WriteJSON(ctx, sum{A: 1, B: 2}); err != nil {
		log.Fatal(err)
	}
	var s sum
	if err := c.ReadJSON(ctx, &s); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%+v\n", s)
	// Output:
	// {A:1 B:2 Sum:3}
}

// A message of any size goes both ways in pieces, in bounded memory: here 16 MiB, but it
// could be 16 GiB.
func Example_streaming() {
	const size = 16 << 20
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := hawser.Accept(w, r, &hawser.AcceptOptions{Stream: true})
		if err != nil {
			return
		}
		defer c.CloseNow()
		op, in, err := c.Reader(r.Context())
		if err != nil {
			return
		}
		out, err := c.Writer(r.Context(), op)
		if err != nil {
			return
		}
		if _, err := io.Copy(out, in); err == nil {
			out.Close()
		}
		c.Close(hawser.CloseNormal, "")
	}))
	defer srv.Close()

	ctx := context.Background()
	c, err := hawser.Dial(ctx, srv.URL, &hawser.DialOptions{Stream: true})
	if err != nil {
		log.Fatal(err)
	}
	defer c.CloseNow()
	go func() {
		w, err := c.Writer(ctx, hawser.Binary)
		if err != nil {
			return
		}
		io.CopyN(w, zeros{}, size)
		w.Close()
	}()
	_, r, err := c.Reader(ctx)
	if err != nil {
		log.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	fmt.Println(n>>20, "MiB", err)
	// Output:
	// 16 MiB <nil>
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// A handler of connections is tested without a network. In a test, t is its argument.
func Example_testing() {
	greet := func(c *hawser.Conn) { // what is tested
		ctx := context.Background()
		_, name, err := c.Read(ctx)
		if err == nil {
			c.Write(ctx, hawser.Text, fmt.Appendf(nil, "hello, %s", name))
		}
	}
	t := new(testing.T)

	// Against a peer that says what it is told to say, also what is wrong.
	c, peer := wstest.Server(t, nil)
	go greet(c)
	peer.Text("world")
	fmt.Println(peer.Next())

	// Against a client.
	client, server := wstest.Pipe(t, nil)
	go greet(server)
	client.Write(context.Background(), hawser.Text, []byte("client"))
	_, p, err := client.Read(context.Background())
	fmt.Printf("%s %v\n", p, err)
	// Output:
	// text "hello, world"
	// hello, client <nil>
}
