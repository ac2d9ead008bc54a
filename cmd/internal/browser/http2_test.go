//go:build unix

package browser

import (
	"context"
	"io"
	stdlog "log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hawser-ws/hawser/wsproto/wsconn"
	_ "github.com/hawser-ws/hawser/wsproto/wsconn/enablehttp2"
)

// Chromium opens a WebSocket on the HTTP/2 connection that its page came over (RFC 8441),
// and wsconn.Accept serves it: whole messages, and both sides' Close.
func TestWebSocketOverHTTP2(t *testing.T) {
	proto := make(chan string, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ws" {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, "<!doctype html><title>page</title>")
			return
		}
		c, err := wsconn.Accept(w, r, nil)
		if err != nil {
			t.Errorf("Accept = %v", err)
			return
		}
		defer c.CloseNow()
		proto <- r.Proto
		for {
			op, p, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if string(p) == "close" {
				c.Close(4001, "as asked")
				return
			}
			if err := c.Write(r.Context(), op, p); err != nil {
				return
			}
		}
	}))
	srv.EnableHTTP2 = true
	srv.Config.ErrorLog = stdlog.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()

	b, err := Start(Chromium)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	person, err := b.Profile(ctx)
	if err != nil {
		t.Fatal(err)
	}
	tab, err := person.Open(ctx, 800, 600)
	if err != nil {
		t.Fatal(err)
	}
	trustAll(ctx, t, tab)
	if err := tab.Navigate(ctx, srv.URL+"/"); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"client", "server"} {
		var got string
		if err := tab.Eval(ctx, `new Promise((done) => {
			const ws = new WebSocket('wss://' + location.host + '/ws');
			const heard = [];
			ws.onopen = () => { ws.send('hello'); ws.send('x'.repeat(60000)); };
			ws.onmessage = (m) => {
				heard.push(m.data.length);
				if (heard.length == 2) '`+how+`' == 'client' ? ws.close(4000, 'bye') : ws.send('close');
			};
			ws.onclose = (e) => done([...heard, e.code, e.reason, e.wasClean].join(' '));
		})`, &got); err != nil {
			t.Fatal(err)
		}
		want := "5 60000 4000  true"
		if how == "server" {
			want = "5 60000 4001 as asked true"
		}
		if got != want {
			t.Errorf("%s: the page saw %q; want %q", how, got, want)
		}
		if p := <-proto; p != "HTTP/2.0" {
			t.Errorf("%s: the WebSocket came over %s", how, p)
		}
	}
}

// trustAll makes a Chromium tab accept the server's certificate.
func trustAll(ctx context.Context, t *testing.T, tab *Tab) {
	t.Helper()
	c := tab.driver.(*chromiumTab)
	if err := c.call(ctx, "Security.setIgnoreCertificateErrors", map[string]any{"ignore": true}, nil); err != nil {
		t.Fatal(err)
	}
}
