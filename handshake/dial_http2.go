package handshake

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

// DialHTTP2 opens a WebSocket on a stream of an HTTP/2 connection (RFC 8441 §5). The
// connection is the transport's, which must be able to send an extended CONNECT request, as
// golang.org/x/net/http2.Transport can; ws URLs ask it for http, wss URLs for https. It uses
// only Header, Host, Jar, Subprotocols and Deflate of o: the rest is the transport's
// concern. Redirects are not followed.
//
// The caller owns the stream. Its Read and Write carry frames, and may be called at the same
// time as each other and as Close. Close ends what is sent with END_STREAM, and abandons
// what is still to be received. There are no deadlines.
//
// An *Error means that the server refused, or that its answer violates RFC 6455, 7692 or
// 8441. ctx applies to the handshake only.
func DialHTTP2(ctx context.Context, transport http.RoundTripper, url string, o *DialOptions) (stream io.ReadWriteCloser, res Result, err error) {
	if o == nil {
		o = &DialOptions{}
	}
	t, header, err := o.target(url)
	if err != nil {
		return nil, Result{}, err
	}
	header, p, err := o.propose(t, header)
	if err != nil {
		return nil, Result{}, fmt.Errorf("handshake: %w", err)
	}
	alive, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { end(ctx.Err()) })
	body, out := io.Pipe()
	resp, err := transport.RoundTrip(o.requestHTTP2(alive, t, header, p, body))
	if err != nil {
		end(nil)
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, Result{}, fmt.Errorf("handshake: %w", err)
	}
	defer func() {
		if err != nil {
			end(nil)
			resp.Body.Close()
		}
	}()
	if resp.StatusCode != http.StatusOK {
		refusal := refusedBy(resp)
		o.keepCookies(refusal.Header, t)
		return nil, Result{}, refusal
	}
	deflate, reason := p.checkChoice(resp.Header)
	if reason != "" {
		return nil, Result{}, &Error{Status: resp.StatusCode, Reason: reason, Header: resp.Header}
	}
	if !stop() {
		return nil, Result{}, fmt.Errorf("handshake: %w", ctx.Err())
	}
	o.keepCookies(resp.Header, t)
	res = Result{Subprotocol: resp.Header.Get(protocolHeader), Deflate: deflate, Header: resp.Header}
	return &http2Stream{in: resp.Body, out: out, end: end}, res, nil
}

// requestHTTP2 is request for RFC 8441.
func (o *DialOptions) requestHTTP2(ctx context.Context, t target, header http.Header, p proposal, body io.ReadCloser) *http.Request {
	r := &http.Request{Method: http.MethodConnect, URL: t.httpURL(), Host: t.host, Header: http.Header{}, Body: body, ContentLength: -1}
	if t.override != "" {
		r.Host = t.override
	}
	for name, values := range header {
		r.Header[http.CanonicalHeaderKey(name)] = values
	}
	// 4: "a :protocol pseudo-header field", which the transport takes from here.
	r.Header[":protocol"] = []string{"websocket"}
	r.Header.Set(versionHeader, "13")
	if len(o.Subprotocols) > 0 {
		r.Header.Set(protocolHeader, strings.Join(o.Subprotocols, ", "))
	}
	if p.deflate != nil {
		r.Header.Set(extensionsHeader, p.deflate.String())
	}
	return r.WithContext(ctx)
}

// http2Stream is the client's side of a stream.
type http2Stream struct {
	in  io.ReadCloser
	out *io.PipeWriter
	end context.CancelCauseFunc

	once sync.Once
}

func (s *http2Stream) Read(p []byte) (int, error)  { return s.in.Read(p) }
func (s *http2Stream) Write(p []byte) (int, error) { return s.out.Write(p) }

func (s *http2Stream) Close() error {
	s.once.Do(func() {
		s.out.Close()
		s.in.Close()
		s.end(nil)
	})
	return nil
}
