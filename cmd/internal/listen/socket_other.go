//go:build !unix

package listen

import (
	"errors"
	"io/fs"
	"syscall"
)

func reusePort(syscall.RawConn) error { return errors.ErrUnsupported }

func limitMode(syscall.RawConn, fs.FileMode) error { return nil }

func isListening(int) (bool, error) { return false, errors.ErrUnsupported }
