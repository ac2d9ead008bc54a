package autobahn

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/net/http2"

	"github.com/hawser-ws/hawser/autobahn/internal/h2"
	"github.com/hawser-ws/hawser/autobahn/internal/wire"
)

// This file owns how clients that speak HTTP/2 are accepted.

// prefaceStart is the first line that an HTTP/2 client sends.
const prefaceStart = "PRI * HTTP/2.0"

// checkStreamRequest says what is wrong with a client's request (RFC 8441 §4 and §5).
func checkStreamRequest(h *wire.Head) error {
	if wrong := malformed(h, ":method", ":protocol", ":scheme", ":path", ":authority"); wrong != "" {
		return errors.New(wrong)
	}
	if m := h.Get(":method"); m != "CONNECT" {
		return fmt.Errorf(":method is %q", m)
	}
	if p := h.Get(":protocol"); p != "websocket" {
		return fmt.Errorf(":protocol is %q", p)
	}
	if v := h.Get(":scheme"); v != "http" && v != "https" {
		return fmt.Errorf(":scheme is %q", v)
	}
	if len(h.Values(":authority")) == 0 {
		return errors.New("there is no :authority")
	}
	if v := h.Values("sec-websocket-version"); len(v) != 1 || v[0] != "13" {
		return fmt.Errorf("the field sec-websocket-version is %q", v)
	}
	return nil
}

// refuseStream answers a request that is not carried out.
func (s *session) refuseStream(status int, why string) {
	s.stream.Respond([]wire.Field{{Name: ":status", Value: strconv.Itoa(status)}, {Name: "content-type", Value: "text/plain; charset=utf-8"}}, false)
	s.stream.SetWriteDeadline(time.Now().Add(time.Second))
	s.stream.Write([]byte(why + "\n"))
	s.stream.Close()
}

// serveHTTP2 serves a client that speaks HTTP/2 and has sent the first line of its
// preface.
func (t *ClientTester) serveHTTP2(nc net.Conn, prior []byte) {
	conn := h2.New(nc, h2.Config{Connect: true, Delay: t.Options.scale(settingsDelay), Accept: t.handleStream}, prior)
	<-conn.Done()
	conn.Close()
}

// settingsDelay is how long a client has to wait for the first SETTINGS frame: one that
// does not wait is detected.
const settingsDelay = 50 * time.Millisecond

// handleStream takes a request.
func (t *ClientTester) handleStream(st *h2.Stream) {
	s := newSession(controlCase, false, t.Options)
	s.onStream(st)
	defer func() {
		st.Close()
		if !st.AwaitEnd(time.Now().Add(t.Options.scale(dropTimeout))) {
			st.Reset(http2.ErrCodeCancel)
		}
	}()
	h := st.Head()
	h.Start = cmp.Or(h.Get(":method"), "-") + " " + cmp.Or(h.Get(":path"), "-") + " HTTP/2"
	s.log.head(Received, h.Raw)
	t.order(s, h, nil)
}
