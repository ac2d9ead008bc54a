//go:build !linux

package server

import "time"

func newKernel(time.Duration) (kernel, error) { return newPortable(), nil }
