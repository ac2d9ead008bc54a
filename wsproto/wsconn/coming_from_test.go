package wsconn_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/frame"
	"github.com/hawser-ws/hawser/handshake"
	"github.com/hawser-ws/hawser/server"
	"github.com/hawser-ws/hawser/wsproto"
	"github.com/hawser-ws/hawser/wsproto/wsconn"
)

//lint:file-ignore U1000 The pages show this code; nothing calls it.

// The code of the pages COMING_FROM_GORILLA.md and COMING_FROM_CODER.md.

func comingFromEcho(w http.ResponseWriter, r *http.Request) {
	c, err := wsconn.Accept(w, r, nil)
	if err != nil {
		return // the client has been answered
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
}

func comingFromAccept(w http.ResponseWriter, r *http.Request) (*wsconn.Conn, error) {
	return wsconn.Accept(w, r, &wsconn.AcceptOptions{
		Subprotocols: []string{"chat.v2", "chat.v1"},
		Origins:      []string{"https://chat.example"},
		Deflate:      &handshake.DeflateOptions{},
		MaxMessage:   1 << 20,
	})
}

func comingFromDial(ctx context.Context, token string, config *tls.Config) (*wsconn.Conn, error) {
	c, err := wsconn.Dial(ctx, "wss://chat.example/ws", &wsconn.DialOptions{
		Header:    http.Header{"Authorization": {"Bearer " + token}},
		Proxy:     wsconn.ProxyFromEnvironment,
		TLSConfig: config,
	})
	var refused *handshake.Error
	if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
		return nil, errors.New("log in first")
	}
	return c, err
}

func comingFromDeadline(ctx context.Context, c *wsconn.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	return c.Write(ctx, frame.Text, []byte("hello"))
}

func comingFromHeartbeat(ctx context.Context, c *wsconn.Conn) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(30 * time.Second):
		}
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		_, err := c.Ping(limited) // and how long it took
		cancel()
		if err != nil {
			c.CloseNow()
			return
		}
	}
}

func comingFromErrors(err error) bool {
	var closed *wsproto.CloseError
	switch {
	case errors.As(err, &closed):
		return closed.Code == wsproto.CloseNormal || closed.Code == wsproto.CloseGoingAway
	case errors.Is(err, wsconn.ErrClosed):
		return true // this program closed it
	}
	return false
}

func comingFromStream(ctx context.Context, c *wsconn.Conn, file io.Reader) error {
	w, err := c.Writer(ctx, frame.Binary)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, file); err != nil {
		return err
	}
	return w.Close()
}

func comingFromHub(s *server.Server, g *server.Group, text string) {
	g.Send(wsproto.NewPrepared(frame.Text, []byte(text)), server.Evict)
}

// fenced returns the blocks of Go in a page, without their indentation.
func fenced(t *testing.T, page string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, flat(m[1]))
	}
	return blocks
}

func flat(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

// What the pages show is the code above, so it compiles.
func TestComingFromPages(t *testing.T) {
	source, err := os.ReadFile("coming_from_test.go")
	if err != nil {
		t.Fatal(err)
	}
	code := flat(string(source))
	for _, page := range []string{"COMING_FROM_GORILLA.md", "COMING_FROM_CODER.md"} {
		blocks := fenced(t, page)
		if len(blocks) < 5 {
			t.Errorf("%s shows %d pieces of code", page, len(blocks))
		}
		for _, block := range blocks {
			if !strings.Contains(code, block) {
				t.Errorf("%s shows code that is not here:\n%s", page, block)
			}
		}
	}
}

// What README.md shows is in package hawser's documentation, and in package server's example,
// which is called Example instead of main.
func TestReadme(t *testing.T) {
	var code string
	for _, name := range []string{"../../hawser.go", "../../server/example_test.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code += flat(regexp.MustCompile(`(?m)^//\s?`).ReplaceAllString(string(source), ""))
	}
	code = strings.ReplaceAll(code, "func Example() {", "func main() {")
	blocks := fenced(t, "../../README.md")
	if len(blocks) != 2 {
		t.Errorf("README.md shows %d pieces of code, want 2", len(blocks))
	}
	for _, block := range blocks {
		for part := range strings.SplitSeq(block, "\n\n") {
			if !strings.Contains(code, part) {
				t.Errorf("README.md shows code that is not there:\n%s", part)
			}
		}
	}
}
