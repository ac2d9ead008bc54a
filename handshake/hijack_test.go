package handshake

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// hijackable is a ResponseWriter without a socket.
type hijackable struct {
	header http.Header
	status int
	err    error // what Hijack fails with
	nc     net.Conn
	brw    *bufio.ReadWriter
}

func newHijackable() *hijackable {
	pipe, _ := net.Pipe()
	nc := &sink{Conn: pipe}
	return &hijackable{
		header: http.Header{},
		nc:     nc,
		brw:    bufio.NewReadWriter(bufio.NewReader(nc), bufio.NewWriter(nc)),
	}
}

// sink takes what is written to it.
type sink struct {
	net.Conn
	err     error // what Write fails with
	written []byte
}

func (s *sink) Write(p []byte) (int, error) {
	s.written = append(s.written[:0], p...)
	return len(p), s.err
}

func (w *hijackable) close()                      { w.nc.Close() }
func (w *hijackable) Header() http.Header         { return w.header }
func (w *hijackable) WriteHeader(status int)      { w.status = status }
func (w *hijackable) Write(p []byte) (int, error) { return len(p), nil }
func (w *hijackable) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.err != nil {
		return nil, nil, w.err
	}
	return w.nc, w.brw, nil
}

// wrapper hides everything of a ResponseWriter but Unwrap.
type wrapper struct{ http.ResponseWriter }

func (w wrapper) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func parsed(t testing.TB, raw string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestUpgradeUnwraps(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nc, _, _, err := new(Upgrader).Upgrade(wrapper{wrapper{w}}, r)
		if err != nil {
			t.Error(err)
			return
		}
		io.WriteString(nc, "ahoy")
		nc.Close()
	}))
	defer srv.Close()
	rep := send(t, srv.Listener.Addr().String(), hello+"\r\n")
	if rest, err := io.ReadAll(rep.rest); rep.StatusCode != 101 || string(rest) != "ahoy" || err != nil {
		t.Errorf("status %d, then %q, %v", rep.StatusCode, rest, err)
	}
}

// A connection that cannot be hijacked is detected before a 101 is on the wire.
func TestUpgradeNotHijackable(t *testing.T) {
	for _, wrap := range []func(http.ResponseWriter) http.ResponseWriter{
		func(w http.ResponseWriter) http.ResponseWriter { return w },
		func(w http.ResponseWriter) http.ResponseWriter { return wrapper{w} },
	} {
		rec := httptest.NewRecorder()
		_, _, _, err := new(Upgrader).Upgrade(wrap(rec), parsed(t, hello+"\r\n"))
		var refusal *Error
		if !errors.As(err, &refusal) || refusal.Status != 500 || !strings.Contains(refusal.Reason, "http.Hijacker") {
			t.Errorf("error %v", err)
		}
		if rec.Code != 500 || rec.Header().Get("Connection") != "close" {
			t.Errorf("answered %d, %v", rec.Code, rec.Header())
		}
	}
}

func TestUpgradeHijackFails(t *testing.T) {
	w := newHijackable()
	defer w.close()
	w.err = errors.New("no more")
	nc, _, _, err := new(Upgrader).Upgrade(w, parsed(t, hello+"\r\n"))
	if nc != nil || !errors.Is(err, w.err) || errors.As(err, new(*Error)) {
		t.Errorf("got %v, %v; want an error that is no *Error", nc, err)
	}
}

// A connection that is lost before it is answered is closed.
func TestUpgradeWriteFails(t *testing.T) {
	w := newHijackable()
	lost := errors.New("lost")
	w.nc.(*sink).err = lost
	nc, _, _, err := new(Upgrader).Upgrade(w, parsed(t, hello+"\r\n"))
	if nc != nil || !errors.Is(err, lost) || errors.As(err, new(*Error)) {
		t.Errorf("got %v, %v; want an error that is no *Error", nc, err)
	}
	if _, err := w.nc.Read(make([]byte, 1)); err != io.ErrClosedPipe {
		t.Errorf("the connection is left open: %v", err)
	}
}

// An HTTP/2 request that reaches a handler may have a head that HTTP/1.1 cannot
// express.
func TestUpgradeHTTP2(t *testing.T) {
	r := parsed(t, hello+"\r\n")
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
	w := newHijackable()
	defer w.close()
	_, _, _, err := new(Upgrader).Upgrade(w, r)
	if w.status != http.StatusHTTPVersionNotSupported || err == nil || !strings.Contains(err.Error(), "HTTP/2.0") {
		t.Errorf("answered %d, %v", w.status, err)
	}
}

// A body that no header announces, as HTTP/2 allows.
func TestUpgradeUnannouncedBody(t *testing.T) {
	r := parsed(t, hello+"\r\n")
	r.ContentLength = 8
	w := newHijackable()
	defer w.close()
	if _, _, _, err := new(Upgrader).Upgrade(w, r); w.status != 400 {
		t.Errorf("answered %d, %v", w.status, err)
	}
}
