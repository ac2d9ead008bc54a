package autobahn

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hawser-ws/hawser/autobahn/internal/h2"
)

// LookHTTP2 is like Look, for the cases that are played over HTTP/2.
func LookHTTP2(ctx context.Context, t *Target, opt *Options) (Finding, error) {
	c := *lookCase
	c.HTTP2 = &HTTP2{}
	s := newSession(&c, true, opt)
	nc, err := s.reach(ctx, t, withALPN(opt.TLS))
	if err != nil {
		if strings.Contains(err.Error(), "tls: no application protocol") { // RFC 7301 §3.2; crypto/tls has no type for it
			return Finding{"the server does not choose HTTP/2 for the TLS connection: " + enableHTTP2, true}, nil
		}
		return Finding{}, err
	}
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	if checkALPN(nc) != nil {
		return Finding{"the server does not choose HTTP/2 for the TLS connection: " + enableHTTP2, true}, nil
	}
	conn := h2.New(nc, h2.Config{Client: true, Log: logAll([]*session{s})}, nil)
	defer conn.Close()
	err = conn.Settled(time.Now().Add(opt.scale(openTimeout)))
	var wrong *h2.Violation
	switch {
	case ctx.Err() != nil:
		return Finding{}, nil
	case errors.Is(err, h2.ErrNotHTTP2):
		return Finding{"the server answers HTTP/2 in HTTP/1: " + enableHTTP2, true}, nil
	case errTime(err):
		return Finding{"the server takes connections and does not answer HTTP/2: " + enableHTTP2, true}, nil
	case errors.As(err, &wrong):
		return Finding{"what answers does not speak HTTP/2 (" + wrong.What + "): " + enableHTTP2, true}, nil
	case err != nil:
		return Finding{fmt.Sprintf("the server ends the connection where it is spoken to in HTTP/2 (%v): %s", err, enableHTTP2), true}, nil
	}
	if s.roundTrip(conn); !conn.AllowsConnect() {
		return Finding{"the server speaks HTTP/2, and does not announce WebSocket over it (SETTINGS_ENABLE_CONNECT_PROTOCOL, RFC 8441): enable it there (a program with Go's net/http needs GODEBUG=http2xconnect=1), or leave --http2 out", true}, nil
	}
	s.nc, s.conn = nc, conn
	d := s.request(t)
	s.hideSecrets(d)
	s.writeHead(d)
	h, _, err := s.readHead()
	switch {
	case err != nil:
		return Finding{"over HTTP/2 the server does not answer an ordinary request: " + err.Error(), true}, nil
	case !s.opened(h):
		return Finding{fmt.Sprintf("over HTTP/2 the server answers an ordinary request for %q with %s", t.url.RequestURI(), s.shown([]byte(h.Get(":status")))), true}, nil
	}
	if wrong := s.checkResponse(h, d); wrong != "" {
		return Finding{"over HTTP/2 the server's answer to an ordinary request is wrong: " + wrong, false}, nil
	}
	return Finding{}, nil
}

// enableHTTP2 is what to do about a server that does not speak HTTP/2.
const enableHTTP2 = "enable it there (over TLS it is chosen by ALPN, otherwise the server must take it with prior knowledge), or leave --http2 out"
