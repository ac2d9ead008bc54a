package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"net/rpc/jsonrpc"
	"strings"
	"testing"
	"time"
)

// The error has the output of a command that is not an agent.
func TestNoAgent(t *testing.T) {
	for _, c := range []struct{ host, command, want string }{
		{"there", "echo no such key for {host} >&2; exit 255", "agent there is gone: it ended, was interrupted, or its connection broke; it said: no such key for there"},
		{"there", "exit 127", "agent there is gone"},
		{"there", "echo Welcome to {host}; cat", "agent there: invalid character 'W'"},
		{"a'b; false", "echo {host} >&2", "it said: a'b; false"},
		{"-oProxyCommand=false", "echo {host}", "no host"},
		{"", "true", "no host"},
	} {
		w, err := StartAgent(t.Context(), c.host, c.command)
		if err == nil {
			w.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q on %q: %v, want %q", c.command, c.host, err, c.want)
		}
	}
}

// A worker that is being started when the run is interrupted ends.
func TestAgentStartInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	time.AfterFunc(time.Millisecond, func() { cancel(why) })
	if _, err := StartAgent(ctx, "there", "cat >/dev/null"); err != why {
		t.Errorf("%v, want %v", err, why)
	}
}

type stranger struct{}

func (stranger) Hello(_ None, out *string) error {
	*out = "wsbench 2"
	return nil
}

func TestOtherVersion(t *testing.T) {
	here, there := net.Pipe()
	s := rpc.NewServer()
	if err := s.RegisterName("worker", stranger{}); err != nil {
		t.Fatal(err)
	}
	go s.ServeCodec(jsonrpc.NewServerCodec(there))
	w := newRemote("agent old", here, nil, nil)
	defer w.Close()
	if err := w.hello(t.Context()); err == nil || !strings.Contains(err.Error(), `agent old is of another version of wsbench: it speaks "wsbench 2"`) {
		t.Errorf("%v", err)
	}
}

func TestTail(t *testing.T) {
	var w tail
	for i := range 1000 {
		fmt.Fprintf(&w, "line %d\n", i)
	}
	if s := w.String(); len(s) > maxTail || !strings.HasSuffix(s, "line 998\nline 999") {
		t.Errorf("%d bytes: %q", len(s), s)
	}
}
