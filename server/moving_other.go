//go:build !linux

package server

func duplicate(int) (int, error) { return 0, ErrNotMovable }
func closeDescriptors([]int)     {}
