package wstest

import (
	"testing"

	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/internal/pipe"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

// pipeBuffer is how many bytes a Pipe holds in each direction. As on a network, a small
// Write does not wait for the peer.
const pipeBuffer = 64 << 10

// Pipe returns both ends of a connection in memory. o is for both of them; nil means the
// defaults. They are closed when the test ends.
//
// As on a network, a Write waits for the peer to read only if 64 KiB are on their way
// already.
func Pipe(t testing.TB, o *wsconn.Options) (client, server *wsconn.Conn) {
	return PipeWith(t, handshake.Result{}, o)
}

// PipeWith is Pipe after an opening handshake with the given result, for example with a
// subprotocol, or with permessage-deflate.
func PipeWith(t testing.TB, res handshake.Result, o *wsconn.Options) (client, server *wsconn.Conn) {
	a, b := pipe.New(pipeBuffer)
	client = wsconn.New(a, wsproto.Client, nil, res, o)
	server = wsconn.New(b, wsproto.Server, nil, res, o)
	t.Cleanup(client.CloseNow)
	t.Cleanup(server.CloseNow)
	return client, server
}
