package handshake_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/hawser-ws/hawser/handshake"
)

// The example of RFC 6455 §1.3.
func ExampleAcceptKey() {
	fmt.Println(handshake.AcceptKey("dGhlIHNhbXBsZSBub25jZQ=="))
	// Output: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=
}

// A server and a client that agree on a subprotocol.
func Example() {
	upgrader := &handshake.Upgrader{Subprotocols: []string{"chat.v2", "chat.v1"}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, _, _, err := upgrader.Upgrade(w, r)
		if err != nil {
			return // the client has been answered; err is for the log
		}
		nc.Close() // frames would follow here
	}))
	defer srv.Close()

	url := "ws" + strings.TrimPrefix(srv.URL, "http")
	nc, _, res, err := handshake.Dial(context.Background(), url, &handshake.DialOptions{
		Subprotocols: []string{"chat.v1", "chat.v2"},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	fmt.Println(res.Subprotocol)

	_, _, _, err = handshake.Dial(context.Background(), url, &handshake.DialOptions{
		Header: http.Header{"Origin": {"https://evil.example"}},
	})
	fmt.Println(err)
	// Output:
	// chat.v2
	// handshake: 403 Forbidden: the server said "Origin header: \"https://evil.example\" refused: it is not the host that was asked for"
}

// A server on a unix socket. The URL's host is what the server reads as Host;
// where the connection leads is DialContext's decision.
func ExampleDialOptions_unix() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "chat.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		log.Fatal(err)
	}
	upgrader := &handshake.Upgrader{}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("asked for", r.Host+r.URL.Path)
		if nc, _, _, err := upgrader.Upgrade(w, r); err == nil {
			nc.Close() // frames would follow here
		}
	})}
	defer srv.Close()
	go srv.Serve(ln)

	nc, _, _, err := handshake.Dial(context.Background(), "ws://chat.local/room", &handshake.DialOptions{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	nc.Close()
	// Output: asked for chat.local/room
}

// A client and a server that compress, and hold each other to what they can
// remember of earlier messages.
func ExampleDeflateOptions() {
	upgrader := &handshake.Upgrader{Deflate: &handshake.DeflateOptions{ClientMaxWindowBits: 10}}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Header.Get("Sec-WebSocket-Extensions"))
		if nc, _, _, err := upgrader.Upgrade(w, r); err == nil {
			nc.Close() // frames would follow here
		}
	}))
	defer srv.Close()

	nc, _, res, err := handshake.Dial(context.Background(), "ws"+strings.TrimPrefix(srv.URL, "http"), &handshake.DialOptions{
		Deflate: &handshake.DeflateOptions{ServerContextTakeover: true, ServerMaxWindowBits: 12},
	})
	if err != nil {
		log.Fatal(err)
	}
	nc.Close()
	fmt.Println(res.Header.Get("Sec-WebSocket-Extensions"))
	// Output:
	// permessage-deflate; server_max_window_bits=12; client_max_window_bits
	// permessage-deflate; server_no_context_takeover; server_max_window_bits=12; client_max_window_bits=10
}
