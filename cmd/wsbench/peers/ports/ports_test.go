package ports

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hawser-ws/hawser"
)

// bounded is a context for what must not wait forever.
func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// serve serves handle and returns its ws URL.
func serve(t *testing.T, handle http.HandlerFunc) string {
	srv := httptest.NewServer(handle)
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

func dial(t *testing.T, url string) *hawser.Conn {
	t.Helper()
	c, err := hawser.Dial(bounded(t), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseNow)
	return c
}

// say sends a text, and expect reads one.
func say(t *testing.T, c *hawser.Conn, text string) {
	t.Helper()
	if err := c.Write(bounded(t), hawser.Text, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, c *hawser.Conn, want string) {
	t.Helper()
	if _, p, err := c.Read(bounded(t)); strings.TrimSpace(string(p)) != want || err != nil {
		t.Fatalf("Read = %q, %v; want %q", p, err, want)
	}
}

// inBoth runs a test with both libraries' port.
func inBoth[T any](t *testing.T, ours, theirs T, f func(t *testing.T, port T)) {
	t.Run("hawser", func(t *testing.T) { f(t, ours) })
	t.Run("gorilla", func(t *testing.T) { f(t, theirs) })
}

func TestEcho(t *testing.T) {
	inBoth(t, echoHawser, echoGorilla, func(t *testing.T, handle func(http.ResponseWriter, *http.Request)) {
		c := dial(t, serve(t, handle))
		say(t, c, "hello")
		expect(t, c, "hello")
	})
}

func TestChat(t *testing.T) {
	inBoth(t, (*room).chatHawser, (*room).chatGorilla, func(t *testing.T, handle func(*room, http.ResponseWriter, *http.Request)) {
		m := &room{members: map[chan []byte]bool{}}
		url := serve(t, func(w http.ResponseWriter, r *http.Request) { handle(m, w, r) })
		a, b := dial(t, url), dial(t, url)
		say(t, b, "joined") // so b is a member
		expect(t, b, "joined")
		say(t, a, "hello")
		expect(t, b, "hello")
		m.mu.Lock()
		for q := range m.members {
			delete(m.members, q)
			close(q)
		}
		m.mu.Unlock()
		if _, _, err := b.Read(bounded(t)); err == nil || !strings.Contains(err.Error(), "too slow") {
			t.Errorf("Read = %v; want too slow", err)
		}
	})
}

func TestRPC(t *testing.T) {
	inBoth(t, rpcHawser, rpcGorilla, func(t *testing.T, port func(func(context.Context, request) response) http.HandlerFunc) {
		second := make(chan struct{})
		c := dial(t, serve(t, port(func(_ context.Context, q request) response {
			if q.ID == 1 {
				<-second
			}
			return response{q.ID, q.A + q.B}
		})))
		for id := range 2 {
			if err := c.WriteJSON(bounded(t), request{id + 1, 1, id}); err != nil {
				t.Fatal(err)
			}
		}
		expect(t, c, `{"ID":2,"Sum":2}`)
		close(second)
		expect(t, c, `{"ID":1,"Sum":1}`)
	})
}

func TestStop(t *testing.T) {
	inBoth(t, stopHawser, stopGorilla, func(t *testing.T, port func(context.Context, *sync.WaitGroup) http.HandlerFunc) {
		stopping, stop := context.WithCancel(context.Background())
		var open sync.WaitGroup
		c := dial(t, serve(t, port(stopping, &open)))
		say(t, c, "hello")
		expect(t, c, "hello")
		stop()
		if _, _, err := c.Read(bounded(t)); err == nil || !strings.Contains(err.Error(), "restart") {
			t.Errorf("Read = %v; want restart", err)
		}
		open.Wait()
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestStream(t *testing.T) {
	inBoth(t, streamHawser, streamGorilla, func(t *testing.T, handle func(http.ResponseWriter, *http.Request)) {
		url := serve(t, handle)
		inBoth(t, countHawser, countGorilla, func(t *testing.T, count func(context.Context, string, io.Reader, int64) (int64, error)) {
			const size = 4 << 20
			if n, err := count(bounded(t), url, zeros{}, size); n != size || err != nil {
				t.Errorf("%d bytes came back, %v; want %d", n, err, size)
			}
		})
	})
}

func TestReceive(t *testing.T) {
	inBoth(t, receiveHawser, receiveGorilla, func(t *testing.T, port func(context.Context, string, func([]byte)) error) {
		url := serve(t, func(w http.ResponseWriter, r *http.Request) { // each connection is one message long
			c, err := hawser.Accept(w, r, nil)
			if err == nil {
				c.Write(r.Context(), hawser.Text, []byte("news"))
				c.Close(hawser.CloseServiceRestart, "")
			}
		})
		ctx, cancel := context.WithCancel(bounded(t))
		n := 0
		err := port(ctx, url, func([]byte) {
			if n++; n == 2 {
				cancel()
			}
		})
		if n != 2 || err != context.Canceled {
			t.Errorf("%d messages, %v; want 2, context canceled", n, err)
		}
	})
}

// TestLines prints the table of lines of code, without empty ones and comments.
func TestLines(t *testing.T) {
	ours, theirs := map[string]int{}, map[string]int{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			n := lines(string(src[fset.Position(f.Pos()).Offset:fset.Position(f.End()).Offset]))
			if port, ok := strings.CutSuffix(f.Name.Name, "Hawser"); ok {
				ours[port] = n
			} else if port, ok := strings.CutSuffix(f.Name.Name, "Gorilla"); ok {
				theirs[port] = n
			}
		}
	}
	if len(ours) != 7 || !slices.Equal(slices.Sorted(maps.Keys(ours)), slices.Sorted(maps.Keys(theirs))) {
		t.Fatalf("not every program is there twice: %v, %v", ours, theirs)
	}
	var table strings.Builder
	fmt.Fprintf(&table, "%-10s %7s %7s\n", "", "hawser", "gorilla")
	for _, port := range slices.Sorted(maps.Keys(ours)) {
		fmt.Fprintf(&table, "%-10s %7d %7d\n", port, ours[port], theirs[port])
		if ours[port] > theirs[port] {
			t.Errorf("%s is longer with hawser", port)
		}
	}
	t.Log("lines of code\n" + table.String())
}

// lines counts the lines that hold code.
func lines(src string) (n int) {
	for line := range strings.Lines(src) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}
