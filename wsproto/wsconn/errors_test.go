package wsconn

import (
	"errors"
	"io"
	"testing"
)

func TestErrors(t *testing.T) {
	for want, err := range map[string]error{
		"wsconn: message not sent: websocket: use of a closed connection": &NotSentError{Err: ErrClosed},
		"wsconn: proxy: 502 Bad Gateway: the proxy does not speak":        &ProxyError{502, "the proxy does not speak"},
		"wsconn: proxy: 599: the proxy does not speak":                    &ProxyError{599, "the proxy does not speak"},
	} {
		if err.Error() != want {
			t.Errorf("error %q; want %q", err, want)
		}
	}
	if !errors.Is(lostPeer(io.ErrClosedPipe), io.ErrClosedPipe) {
		t.Error("the network's error is lost")
	}
}
