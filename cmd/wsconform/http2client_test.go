//go:build linux

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"golang.org/x/net/http2"

	"github.com/hawser-ws/hawser/autobahn"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

//lint:file-ignore SA1019 net/http's client has no extended CONNECT.

// playHTTP2 plays a case with the transport of golang.org/x/net/http2, package handshake and
// the blocking driver.
func playHTTP2(ctx context.Context, url string) {
	transport := &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	defer transport.CloseIdleConnections()
	stream, res, err := handshake.DialHTTP2(ctx, transport, url, &handshake.DialOptions{Deflate: &handshake.DeflateOptions{ServerContextTakeover: true, ClientMaxWindowBits: 15}})
	if err != nil {
		return // the tester judges how a case ends
	}
	// A pipe gives the stream the deadlines of a net.Conn.
	ours, theirs := net.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { io.Copy(stream, theirs); stream.Close() })
	wg.Go(func() { io.Copy(theirs, stream); theirs.Close() })
	c := wsconn.New(ours, wsproto.Client, nil, res, &wsconn.Options{MaxMessage: 64 << 20, MaxFragments: -1, CompressFrom: 1})
	for {
		op, p, err := c.Read(ctx)
		if err == nil {
			err = c.Write(ctx, op, p)
		}
		if err != nil {
			break
		}
	}
	c.Close(wsproto.CloseNormal, "") // lets the answer to the peer's Close out
	wg.Wait()
}

// passedOver are the cases whose answers the transport does not hand on as they are: it
// takes the fields out that make them malformed.
var passedOver = []string{"T9.9", "T9.10", "T9.11"}

// A client's end of a stream may be NON-STRICT: package handshake cancels the request after
// END_STREAM, and the transport may be faster with the one than with the other.
func TestConformanceOfHTTP2Client(t *testing.T) {
	if testing.Short() {
		t.Skip("as the other conformance tests")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	list, opt := cases(t, autobahn.Client, "http2")
	list = slices.DeleteFunc(list, func(c *autobahn.Case) bool { return slices.Contains(passedOver, c.ID) })
	tester := &autobahn.ClientTester{Cases: list, Options: opt, HTTP2: true}
	var serving, playing sync.WaitGroup
	serving.Go(func() { tester.Serve(ln) })
	slots := make(chan struct{}, 16)
	for n := range list {
		slots <- struct{}{}
		playing.Go(func() {
			playHTTP2(t.Context(), fmt.Sprintf("ws://%s/runCase?case=%d&agent=hawser", ln.Addr(), n+1))
			<-slots
		})
	}
	playing.Wait()
	tester.Close()
	ln.Close()
	serving.Wait()
	results := tester.Results("hawser")
	if len(results) != len(list) {
		t.Errorf("%d results of %d cases", len(results), len(list))
	}
	for _, r := range results {
		if !r.Passes(!autobahn.Match("T6", r.Case.ID)) {
			t.Errorf("%s: %s / %s: %s; %s", r.Case.ID, r.Behavior, r.BehaviorClose, r.Reason, r.ReasonClose)
		}
	}
}
