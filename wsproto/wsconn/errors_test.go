package wsconn

import (
	"errors"
	"io"
	"testing"

	"github.com/hawser-ws/hawser/wsproto"
)

func TestErrors(t *testing.T) {
	for want, err := range map[string]error{
		"wsconn: closed by peer: 1000 normal closure":              &CloseError{Code: wsproto.CloseNormal},
		`wsconn: closed by peer: 1001 going away "b\nye"`:          &CloseError{Code: wsproto.CloseGoingAway, Reason: "b\nye"},
		"wsconn: closed by peer: 1006 abnormal closure: EOF":       lostPeer(io.EOF),
		"wsconn: message not sent: wsconn: closed by this side":    &NotSentError{Err: ErrClosed},
		"wsconn: proxy: 502 Bad Gateway: the proxy does not speak": &ProxyError{502, "the proxy does not speak"},
		"wsconn: proxy: 599: the proxy does not speak":             &ProxyError{599, "the proxy does not speak"},
	} {
		if err.Error() != want {
			t.Errorf("error %q; want %q", err, want)
		}
	}
	if !errors.Is(lostPeer(io.ErrClosedPipe), io.ErrClosedPipe) {
		t.Error("the network's error is lost")
	}
}
