package drive

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"golang.org/x/net/http2"
)

//lint:file-ignore SA1019 net/http's client has no extended CONNECT.

// http2Transport is a transport that can send an extended CONNECT.
type http2Transport interface {
	http.RoundTripper
	CloseIdleConnections()
}

// newHTTP2 returns what makes WebSockets on streams of HTTP/2 connections (RFC 8441). It
// opens as many connections as the server's limit of streams asks for.
func (e *Engine) newHTTP2() http2Transport {
	return &http2.Transport{
		AllowHTTP: true,
		DialTLSContext: func(ctx context.Context, network, addr string, cfg *tls.Config) (net.Conn, error) {
			o, err := e.options(netip.Addr{}, func(time.Duration) {})
			if err != nil {
				return nil, err
			}
			nc, err := o.DialContext(ctx, network, addr)
			if err != nil || !e.dialer.Secure() {
				return nc, err
			}
			own := o.TLSConfig.Clone()
			own.NextProtos, own.ServerName = cfg.NextProtos, cfg.ServerName
			tc := tls.Client(nc, own)
			err = tc.HandshakeContext(ctx)
			if err == nil && tc.ConnectionState().NegotiatedProtocol != http2.NextProtoTLS {
				err = errors.New("it has not agreed to HTTP/2")
			}
			if err != nil {
				nc.Close()
				return nil, fmt.Errorf("TLS with %s: %w", addr, err)
			}
			return tc, nil
		},
	}
}

// stream is the net.Conn of a WebSocket on a stream of HTTP/2. A deadline that passes closes
// it.
type stream struct {
	io.ReadWriteCloser
	timer atomic.Pointer[time.Timer]
}

func (s *stream) LocalAddr() net.Addr  { return nil }
func (s *stream) RemoteAddr() net.Addr { return nil }

func (s *stream) SetDeadline(t time.Time) error {
	var timer *time.Timer
	if !t.IsZero() {
		timer = time.AfterFunc(time.Until(t), func() { s.Close() })
	}
	if old := s.timer.Swap(timer); old != nil {
		old.Stop()
	}
	return nil
}

func (s *stream) SetReadDeadline(t time.Time) error  { return s.SetDeadline(t) }
func (s *stream) SetWriteDeadline(t time.Time) error { return s.SetDeadline(t) }

func (s *stream) Close() error {
	s.SetDeadline(time.Time{})
	return s.ReadWriteCloser.Close()
}
