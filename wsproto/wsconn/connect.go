package wsconn

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/hawser-ws/hawser/handshake"
)

// maxProxyHead is the maximum size in bytes of the head of a proxy's response,
// including interim responses before it.
const maxProxyHead = 16 << 10

// ProxyError says that a proxy refused a CONNECT, or gave an invalid answer.
type ProxyError struct {
	Status int    // HTTP status code
	Reason string // what is wrong
}

func (e *ProxyError) Error() string {
	s := "wsconn: proxy: " + strconv.Itoa(e.Status)
	if text := http.StatusText(e.Status); text != "" {
		s += " " + text
	}
	return s + ": " + e.Reason
}

// connectDialer reaches servers through an HTTP proxy (RFC 9110 §9.3.6).
type connectDialer struct {
	addr   string        // host:port of the proxy
	user   *url.Userinfo // for Basic authentication, or nil
	direct dialFunc
}

func (d *connectDialer) dial(ctx context.Context, _, addr string) (net.Conn, error) {
	nc, err := d.direct(ctx, "tcp", d.addr)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { handshake.CloseNow(nc) })
	err = tunnel(nc, d.request(addr))
	if !stop() {
		err = ctx.Err() // the connection is closed, or about to be
	}
	if err != nil {
		handshake.CloseNow(nc)
		return nil, err
	}
	return nc, nil
}

// request returns the request for a tunnel to addr, a host:port of visible ASCII.
func (d *connectDialer) request(addr string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", addr, addr)
	if d.user != nil {
		// RFC 7617 §2: "user-pass = user-id ":" password".
		password, _ := d.user.Password()
		pair := base64.StdEncoding.EncodeToString([]byte(d.user.Username() + ":" + password))
		fmt.Fprintf(&b, "Proxy-Authorization: Basic %s\r\n", pair)
	}
	b.WriteString("\r\n")
	return b.Bytes()
}

// tunnel sends the request and verifies the response.
func tunnel(nc net.Conn, request []byte) error {
	if _, err := nc.Write(request); err != nil {
		return fmt.Errorf("proxy: write request: %w", err)
	}
	wire := &io.LimitedReader{R: nc, N: maxProxyHead}
	br := bufio.NewReader(wire)
	resp, err := connectResponse(br)
	if err != nil {
		if wire.N == 0 {
			err = fmt.Errorf("head is longer than %d bytes", maxProxyHead)
		}
		return fmt.Errorf("proxy: read response: %w", err)
	}
	// RFC 9110 §9.3.6: "Any 2xx (Successful) response indicates that the sender
	// (and all inbound proxies) will switch to tunnel mode immediately after the
	// response header section".
	if resp.StatusCode/100 != 2 {
		reason := "the proxy refuses to connect"
		if resp.StatusCode == http.StatusProxyAuthRequired {
			reason = "the proxy requires authentication: " + strconv.QuoteToASCII(clip(resp.Header.Get("Proxy-Authenticate")))
		}
		return &ProxyError{resp.StatusCode, reason}
	}
	// A server sends nothing before the client does, with TLS or without. So these
	// bytes are the proxy's: a body, which this response must not have.
	if n := br.Buffered(); n > 0 {
		return &ProxyError{resp.StatusCode, strconv.Itoa(n) + " bytes follow the head of the response"}
	}
	return nil
}

// connectResponse reads the head of the final response.
func connectResponse(br *bufio.Reader) (*http.Response, error) {
	for {
		resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
		if err != nil {
			return nil, err
		}
		if resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols {
			return resp, nil
		}
	}
}

// clip limits how much of the peer's text is shown.
func clip(s string) string { return s[:min(len(s), 128)] }
