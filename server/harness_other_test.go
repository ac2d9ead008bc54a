//go:build !linux

package server

import (
	"net"
	"testing"
)

// arrived does not know, here: the tests that ask prove less, and pass.
func arrived(*testing.T, net.Conn) {}
