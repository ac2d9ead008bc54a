package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/hawser-ws/hawser/handshake"
)

// connection is one that the opening handshake is done on.
type connection struct {
	nc     net.Conn
	left   []byte // what came behind the handshake
	result handshake.Result
}

// greeting says what was agreed.
func (c *connection) greeting() string {
	if c.result.Subprotocol == "" {
		return "connected"
	}
	return "connected, subprotocol " + c.result.Subprotocol
}

// connect makes the connection and performs the handshake. A *usageError means
// that nothing was tried, as the options do not allow it.
func connect(ctx context.Context, o *options) (*connection, error) {
	config, err := o.tlsConfig()
	if err != nil {
		return nil, &usageError{err}
	}
	timed, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	tried := false
	nc, left, res, err := handshake.Dial(timed, o.url, &handshake.DialOptions{
		Header:       o.header,
		Subprotocols: o.subprotocols,
		TLSConfig:    config,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			tried = true
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	})
	switch {
	case err == nil:
		return &connection{nc, left, res}, nil
	case !tried:
		return nil, &usageError{err}
	case errors.As(err, new(*handshake.Error)):
		return nil, err
	case ctx.Err() != nil:
		return nil, errors.New("interrupted before the connection stood")
	case timed.Err() != nil:
		return nil, fmt.Errorf("no connection within %v (--timeout)", o.timeout)
	}
	return nil, err
}

// tlsConfig says which servers are trusted; nil means those of the system.
func (o *options) tlsConfig() (*tls.Config, error) {
	if o.insecure {
		return &tls.Config{InsecureSkipVerify: true}, nil
	}
	if o.caFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(o.caFile)
	if err != nil {
		return nil, fmt.Errorf("--cacert: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("--cacert: %s holds no certificate in PEM form", o.caFile)
	}
	return &tls.Config{RootCAs: roots}, nil
}
