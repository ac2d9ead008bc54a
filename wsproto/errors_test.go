package wsproto

import (
	"errors"
	"io"
	"testing"
)

func TestCloseError(t *testing.T) {
	for _, c := range []struct {
		err  *CloseError
		text string
		eof  bool
	}{
		{&CloseError{Code: CloseNormal}, "websocket: closed by peer: 1000 normal closure", false},
		{&CloseError{Code: CloseGoingAway, Reason: "b\nye"}, `websocket: closed by peer: 1001 going away "b\nye"`, false},
		{&CloseError{Code: CloseAbnormal, Err: io.ErrClosedPipe}, "websocket: closed by peer: 1006 abnormal closure: io: read/write on closed pipe", true},
		{&CloseError{Code: 4001, Reason: "late", Local: true}, `websocket: closed by this side: 4001 "late"`, false},
		{&CloseError{Code: CloseAbnormal, Local: true}, "websocket: closed by this side: 1006 abnormal closure", false},
		{
			&CloseError{Code: CloseProtocolError, Reason: "reserved bit set", Local: true, Err: &PeerError{CloseProtocolError, "reserved bit set"}},
			"websocket: closed by this side: 1002 protocol error: peer failed: reserved bit set", false,
		},
	} {
		if got := c.err.Error(); got != c.text {
			t.Errorf("Error() = %q; want %q", got, c.text)
		}
		if got := errors.Is(c.err, io.EOF); got != c.eof {
			t.Errorf("%v: errors.Is(io.EOF) = %v; want %v", c.err, got, c.eof)
		}
		if c.err.Err != nil && !errors.Is(c.err, c.err.Err) {
			t.Errorf("%v: the cause is lost", c.err)
		}
	}
}
