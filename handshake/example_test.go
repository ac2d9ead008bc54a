package handshake_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
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
	// handshake: 403 Forbidden: the server says "Origin header: \"https://evil.example\" is not in public_origins"
}
