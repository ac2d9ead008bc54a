package handshake

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// connects is a transport that hands extended CONNECT requests to a handler, as one of HTTP/2
// would over the network: handshake has no HTTP/2 of its own.
type connects struct{ h http.Handler }

func (c connects) RoundTrip(r *http.Request) (*http.Response, error) {
	in, out := io.Pipe()
	w := &answers{header: http.Header{}, out: out, answered: make(chan int, 1)}
	arrived := r.Clone(r.Context())
	arrived.ProtoMajor, arrived.Proto, arrived.RemoteAddr = 2, "HTTP/2.0", "127.0.0.1:1"
	go func() {
		c.h.ServeHTTP(w, arrived)
		out.Close()
	}()
	select {
	case status := <-w.answered:
		return &http.Response{StatusCode: status, Proto: "HTTP/2.0", ProtoMajor: 2, Header: w.header, Body: in}, nil
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

type answers struct {
	header   http.Header
	out      *io.PipeWriter
	answered chan int
}

func (a *answers) Header() http.Header         { return a.header }
func (a *answers) WriteHeader(status int)      { a.answered <- status }
func (a *answers) Write(p []byte) (int, error) { return a.out.Write(p) }
func (a *answers) Flush()                      {}

func TestDialHTTP2(t *testing.T) {
	u := &Upgrader{Subprotocols: []string{"chat"}, Deflate: &DeflateOptions{}, Origins: []string{"https://a.example"}}
	var seen *http.Request
	transport := connects{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		res, err := u.UpgradeHTTP2(w, r)
		if err != nil || res.Subprotocol != "chat" || res.Deflate == nil {
			t.Errorf("the server: %+v, %v", res, err)
			return
		}
		io.Copy(w, r.Body)
	})}
	o := &DialOptions{Header: http.Header{"origin": {"https://a.example"}}, Host: "b.example", Subprotocols: []string{"other", "chat"}, Deflate: &DeflateOptions{}}
	s, res, err := DialHTTP2(t.Context(), transport, "wss://user:secret@127.0.0.1:8443/ws?q=1", o)
	if err != nil || res.Subprotocol != "chat" || res.Deflate == nil {
		t.Fatalf("%+v, %v", res, err)
	}
	if seen.URL.String() != "https://127.0.0.1:8443/ws?q=1" || seen.Host != "b.example" || seen.Header.Get("Authorization") == "" || seen.Header.Get("Sec-Websocket-Key") != "" {
		t.Errorf("the request: %v of %v, %v", seen.URL, seen.Host, seen.Header)
	}
	if _, err := s.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	if _, err := io.ReadFull(s, got); err != nil || string(got) != "abc" {
		t.Errorf("%q, %v", got, err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := seen.Context().Err(); err == nil {
		t.Error("a closed stream's request has not ended")
	}
}

// A wrong answer, or a refusal, is an Error.
func TestDialHTTP2Refused(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		status int
		want   string
	}{
		"refused":     {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "not here", http.StatusForbidden) }, 403, "not here"},
		"other 2xx":   {func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) }, 204, "no reason"},
		"subprotocol": {choose("Sec-WebSocket-Protocol", "none"), 200, "Sec-WebSocket-Protocol header"},
		"extension":   {choose("Sec-WebSocket-Extensions", "permessage-deflate"), 200, "none was offered"},
	} {
		_, _, err := DialHTTP2(t.Context(), connects{c.answer}, "ws://h/", nil)
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Status != c.status || !strings.Contains(refusal.Reason, c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for url, want := range map[string]string{"http2://h/": "scheme", "ws:///": "host"} {
		if _, _, err := DialHTTP2(t.Context(), connects{}, url, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	if _, _, err := DialHTTP2(t.Context(), connects{}, "ws://h/", &DialOptions{Subprotocols: []string{"a b"}}); err == nil {
		t.Error("a subprotocol that is no token is sent")
	}
}

func choose(name, value string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set(name, value)
		w.WriteHeader(http.StatusOK)
	}
}

// The context bounds the handshake, and nothing after it.
func TestDialHTTP2Context(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan struct{})
	go func() {
		<-asked
		cancel()
	}()
	_, _, err := DialHTTP2(ctx, connects{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	})}, "ws://h/", nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want Canceled", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	s, _, err := DialHTTP2(ctx, connects{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusOK)
		io.Copy(w, r.Body)
	})}, "ws://h/", nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := s.Write([]byte("x")); err != nil {
		t.Errorf("after the handshake's context: %v", err)
	}
	if n, err := s.Read(make([]byte, 1)); n != 1 || err != nil {
		t.Errorf("after the handshake's context: %d, %v", n, err)
	}
	s.Close()
}
