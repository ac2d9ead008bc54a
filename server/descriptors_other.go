//go:build !unix

package server

// descriptorLimit is 0: handles are not numbered from below, and there is no limit to
// ask for.
func descriptorLimit() int { return 0 }
