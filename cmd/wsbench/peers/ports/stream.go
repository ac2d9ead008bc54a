package ports

import (
	"context"
	"io"
	"net/http"

	"github.com/gorilla/websocket"

	"github.com/hawser-ws/hawser"
)

// A streaming server sends a message of any size back while it arrives.
func streamHawser(w http.ResponseWriter, r *http.Request) {
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
}

func streamGorilla(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{}
	c, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer c.Close()
	op, in, err := c.NextReader()
	if err != nil {
		return
	}
	out, err := c.NextWriter(op)
	if err != nil {
		return
	}
	if _, err := io.Copy(out, in); err == nil {
		out.Close()
	}
	text := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	c.WriteMessage(websocket.CloseMessage, text)
	c.ReadMessage()
}

// A streaming client sends size bytes and counts the bytes that come back
// meanwhile.
func countHawser(ctx context.Context, url string, src io.Reader, size int64) (int64, error) {
	c, err := hawser.Dial(ctx, url, &hawser.DialOptions{Stream: true})
	if err != nil {
		return 0, err
	}
	defer c.CloseNow()
	go func() {
		w, err := c.Writer(ctx, hawser.Binary)
		if err == nil {
			io.CopyN(w, src, size)
			w.Close()
		}
	}()
	_, r, err := c.Reader(ctx)
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, r)
}

func countGorilla(ctx context.Context, url string, src io.Reader, size int64) (int64, error) {
	c, _, err := websocket.DefaultDialer.DialContext(ctx, url, nil)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	go func() {
		w, err := c.NextWriter(websocket.BinaryMessage)
		if err == nil {
			io.CopyN(w, src, size)
			w.Close()
		}
	}()
	_, r, err := c.NextReader()
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, r)
}
