//go:build unix

package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// Error is an error that Redis answered.
type Error string

func (e Error) Error() string { return string(e) }

// client is one connection to a server.
type client struct {
	nc net.Conn
	in *bufio.Reader
}

func dial(addr string) (*client, error) {
	nc, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil, err
	}
	return &client{nc, bufio.NewReader(nc)}, nil
}

// do sends a command and returns the answer: a string, int64, nil or []any.
func (c *client) do(timeout time.Duration, args ...any) (any, error) {
	c.nc.SetDeadline(time.Now().Add(timeout))
	b := fmt.Appendf(nil, "*%d\r\n", len(args))
	for _, a := range args {
		s := fmt.Sprint(a)
		b = fmt.Appendf(b, "$%d\r\n%s\r\n", len(s), s)
	}
	if _, err := c.nc.Write(b); err != nil {
		return nil, err
	}
	v, err := c.reply()
	if err == nil {
		if e, ok := v.(Error); ok {
			return nil, e
		}
	}
	return v, err
}

// reply reads an answer of the protocol's second version. An error in it is a value.
func (c *client) reply() (any, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	line = strings.TrimSuffix(line, "\r\n")
	if line == "" {
		return nil, errors.New("redistest: an empty answer")
	}
	kind, rest := line[0], line[1:]
	switch kind {
	case '+':
		return rest, nil
	case '-':
		return Error(rest), nil
	}
	n, err := strconv.ParseInt(rest, 10, 64)
	switch {
	case err != nil || !strings.ContainsRune(":$*", rune(kind)):
		return nil, fmt.Errorf("redistest: unexpected answer %q", line)
	case kind == ':':
		return n, nil
	case n < 0:
		return nil, nil
	case kind == '$':
		b := make([]byte, n+2)
		if _, err := io.ReadFull(c.in, b); err != nil {
			return nil, err
		}
		return string(b[:n]), nil
	}
	list := make([]any, n)
	for i := range list {
		if list[i], err = c.reply(); err != nil {
			return nil, err
		}
	}
	return list, nil
}
