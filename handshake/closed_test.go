package handshake

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/hawser-ws/hawser/wsproto"
)

func TestErrClosed(t *testing.T) {
	err := fmt.Errorf("%w: a reason", ErrClosed)
	for _, target := range []error{ErrClosed, net.ErrClosed, wsproto.ErrClosed} {
		if !errors.Is(err, target) {
			t.Errorf("errors.Is(%v, %v) = false", err, target)
		}
	}
	if errors.Is(err, io.EOF) {
		t.Error("a connection that this side closed is io.EOF")
	}
}
