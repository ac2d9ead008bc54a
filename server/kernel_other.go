//go:build !linux

package server

func newKernel() (kernel, error) { return newPortable(), nil }
